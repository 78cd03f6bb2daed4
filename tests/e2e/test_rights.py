"""Least rights: what operator and facade may do is what they do in a whole run of the tests, no more and no less."""

from collections.abc import Iterator

import pytest

from support.audit import FACADE, OPERATOR, requests_of
from support.cluster import Kubectl

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""

NOT_IN_THE_LOG: dict[str, set[Right]] = {
    OPERATOR: {
        ("borgoperator.io", "borgruns", "get"),  # when a run that is to be recorded exists already: a crash in between
        ("snapshot.storage.k8s.io", "volumesnapshots", "get"),  # when one is there that is to be taken: the same
        ("borgoperator.io", "borgsessions", "delete"),  # ten minutes after a session has ended
    },
    FACADE: {
        # When two replicas are asked for the same at the same moment, which on a slow machine nobody may bring about.
        ("borgoperator.io", "borgsessions", "get"),
        ("borgoperator.io", "borgruns", "get"),
        ("borgoperator.io", "borgrestores", "get"),
    },
}
"""Rights that are needed and that the log does not show, each with its reason."""


@pytest.mark.looks_back
@pytest.mark.parametrize("user", [OPERATOR, FACADE], ids=["operator", "facade"])
def test_rights_that_are_granted_are_used_and_none_is_missing(kubectl: Kubectl, user: str) -> None:
    used: set[Right] = set()
    forbidden: set[Right] = set()
    for event in requests_of(user):
        target = event["objectRef"]
        resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
        right = (target.get("apiGroup", ""), resource, event["verb"])
        decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
        (forbidden if decision == "forbid" else used).add(right)
    granted = set(rights_of(kubectl, user))
    assert len(used) > 4, "the tests before this one have done nothing here: run the whole folder"
    assert forbidden == set()
    assert granted - used - NOT_IN_THE_LOG[user] == set(), "granted and never used"
    secrets = {right for right in granted if right[1] == "secrets"}
    # By name, its own: see test_chart_rendering.
    assert secrets == ({("", "secrets", "get"), ("", "secrets", "update")} if user == FACADE else set())
    assert ("", "pods", "create") not in granted


def rights_of(kubectl: Kubectl, user: str) -> Iterator[Right]:
    """Yield what the roles say that are bound to a service account in the whole cluster."""
    namespace, name = user.split(":")[2:]
    for kind in ("clusterrolebindings", "rolebindings"):
        for binding in kubectl.get(kind, "--all-namespaces")["items"]:
            subjects = [(item.get("namespace"), item["name"]) for item in binding.get("subjects", [])]
            if (namespace, name) not in subjects:
                continue
            where = binding["metadata"].get("namespace")
            role = [binding["roleRef"]["kind"].lower(), binding["roleRef"]["name"], *(("-n", where) if where else ())]
            for rule in kubectl.get(*role)["rules"]:
                yield from (
                    (group, resource, verb)
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                    for verb in rule["verbs"]
                )
