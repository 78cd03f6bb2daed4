"""What admission cannot refuse is said in a condition within a second, in words that help, and heals by itself."""

import json
from datetime import datetime
from typing import Any

import pytest

from integration import resources
from integration.cluster import Kubectl
from support.waiting import condition, wait_for

PROMPT_SECONDS = 1.0
"""Between times that the server wrote down, which are whole seconds."""
WAIT_SECONDS = 60.0
"""How long to look for what the server then says was prompt: kubectl itself takes its time on a busy machine."""

Objects = list[dict[str, Any]]

READY = [*resources.claims(), resources.repository()]
HOOK: dict[str, Any] = {"hooks": {"preBackup": {"scriptRef": {"name": "wake"}}}}
HOST = {"name": "HOST", "required": True}
HOST_PATH = {"name": "srv", "volume": {"hostPath": {"path": "/srv"}}}


def with_parameters(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"hooks": {"preBackup": {"scriptRef": {"name": "wake"}, "parameters": list(parameters)}}}


CASES: dict[str, tuple[Objects, dict[str, Any], str, str]] = {
    "a repository that does not exist": (
        resources.claims(),
        resources.schedule(),
        "RepositoryNotFound",
        'BorgRepository "main" does not exist in namespace "NS": create it, or correct spec.repositoryRefs',
    ),
    "a claim that does not exist": (
        [resources.claim("borg-repo"), resources.repository()],
        resources.schedule(),
        "ClaimNotFound",
        'PersistentVolumeClaim "app-data" (source "data") does not exist in namespace "NS": create it',
    ),
    "the title of another": (
        [*READY, resources.schedule("a-first", title="Daily")],  # of the same second maybe: then the names decide
        resources.schedule(title="Daily"),
        "TitleTaken",
        'BorgSchedule "a-first" is called "Daily" already: choose another title',
    ),
    "a script that does not exist": (
        READY,
        resources.schedule(**HOOK),
        "ScriptNotFound",
        'BorgScript "wake" does not exist in namespace "NS": create it',
    ),
    "a script that lacks a parameter": (
        [*READY, resources.script("wake", HOST)],
        resources.schedule(**HOOK),
        "InvalidParameters",
        'BorgScript "wake" needs parameter "HOST"',
    ),
    "a parameter that the script does not have": (
        [*READY, resources.script("wake")],
        resources.schedule(**with_parameters({"name": "HOTS", "value": "nas"})),
        "InvalidParameters",
        'BorgScript "wake" has no parameter "HOTS" (it takes: none)',
    ),
    "a password in plain text": (
        [*READY, resources.script("wake", {"name": "TOKEN", "type": "Password"})],
        resources.schedule(**with_parameters({"name": "TOKEN", "value": "hunter2"})),
        "InvalidParameters",
        'parameter "TOKEN" of BorgScript "wake" is a Password: give it by valueFrom.secretKeyRef, not as plain text',
    ),
    "nothing to back up": (
        [resources.claim("borg-repo"), resources.repository(sources=[])],
        resources.schedule(),
        "NoSources",
        'nothing to back up: neither the schedule nor BorgRepository "main" has sources; add spec.sources',
    ),
    "a repository that is its own source": (
        [
            resources.claim("borg-repo"),
            resources.repository(
                sources=[{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "borg-repo"}}}]
            ),
        ],
        resources.schedule(),
        "SourceConflict",
        (
            'PersistentVolumeClaim "borg-repo" is both source "data" and volume of BorgRepository "main": a repository '
            "cannot be backed up into itself; use a claim of its own for it"
        ),
    ),
    "one name for two sources": (
        [
            *READY,
            resources.claim("other"),
            resources.repository(
                "offsite",
                local={"volume": {"persistentVolumeClaim": {"claimName": "borg-repo"}}, "path": "offsite"},
                sources=[{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "other"}}}],
            ),
        ],
        resources.schedule(repositoryRefs=[{"name": "main"}, {"name": "offsite"}]),
        "SourceConflict",
        (
            'source "data" is another volume in BorgRepository "offsite" than in "main", and both would be at '
            "/sources/data: give one of them another name"
        ),
    ),
    "a hostPath": (
        [*resources.claims(), resources.repository(sources=[HOST_PATH])],
        resources.schedule(),
        "HostPathNotAllowed",
        (
            'hostPath is not allowed in this cluster (source "srv"): use a PersistentVolumeClaim, or ask the installer '
            "of the operator to allow hostPath"
        ),
    ),
    "a foreign image": (
        READY,
        resources.schedule(job={"image": "registry.example/miner:1"}),
        "ImageNotAllowed",
        (
            'image "registry.example/miner:1" is not allowed in this cluster: remove spec.job.image, or ask the '
            "installer of the operator to add it to its allowed images"
        ),
    ),
    "a range the wrong way round": (
        READY,
        resources.schedule(schedule="0 2 20-10 * *"),
        "InvalidSchedule",
        "20-10",
    ),
    "a time zone that does not exist": (
        READY,
        resources.schedule(timeZone="Europe/Atlantis"),
        "InvalidSchedule",
        "Europe/Atlantis",
    ),
}


def apply(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(items))


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two times as Kubernetes writes them."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def written(found: dict[str, Any], subresource: str | None = None) -> str:
    """Return when the object, or its subresource, was last written; it must have come with its managed fields."""
    entries = found["metadata"]["managedFields"]
    return str(max(entry["time"] for entry in entries if entry.get("subresource") == subresource))


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_that_cannot_run_says_why_within_a_second(kubectl: Kubectl, namespace: str, case: str) -> None:
    objects, schedule, reason, message = CASES[case]
    apply(kubectl, namespace, *objects)
    apply(kubectl, namespace, schedule)
    seen, _ = wait_for(
        lambda: kubectl.get("-n", namespace, "borgschedule", "db", "--show-managed-fields"),
        lambda found: condition(found, "Ready").get("reason") == reason,
        WAIT_SECONDS,
        case,
    )
    assert seconds_between(seen["metadata"]["creationTimestamp"], written(seen, "status")) <= PROMPT_SECONDS
    ready = condition(seen, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert message.replace("NS", namespace) in ready["message"]
    if len(message) > len("Europe/Atlantis"):
        assert ready["message"] == message.replace("NS", namespace)


HEALING: dict[str, tuple[Objects, dict[str, Any], dict[str, Any]]] = {
    "its repository": (resources.claims(), resources.schedule(), resources.repository()),
    "its claim": (
        [resources.claim("borg-repo"), resources.repository()],
        resources.schedule(),
        resources.claim("app-data"),
    ),
    "its script": (READY, resources.schedule(**HOOK), resources.script("wake")),
}


@pytest.mark.parametrize("case", HEALING)
def test_a_schedule_becomes_ready_as_soon_as_what_it_lacked_appears(
    kubectl: Kubectl, namespace: str, case: str
) -> None:
    objects, schedule, missing = HEALING[case]
    apply(kubectl, namespace, *objects, schedule)

    def look() -> dict[str, Any]:
        return kubectl.get("-n", namespace, "borgschedule", "db")

    wait_for(look, lambda found: condition(found, "Ready").get("status") == "False", WAIT_SECONDS, "not ready")
    apply(kubectl, namespace, missing)
    seen, _ = wait_for(look, lambda found: condition(found, "Ready").get("status") == "True", WAIT_SECONDS, "ready")
    appeared = kubectl.get("-n", namespace, missing["kind"], missing["metadata"]["name"])
    since = condition(seen, "Ready")["lastTransitionTime"]
    assert seconds_between(appeared["metadata"]["creationTimestamp"], since) <= PROMPT_SECONDS
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=60s", "borgschedule/db")
    assert kubectl.get("-n", namespace, "cronjob", "db")["spec"]["schedule"] == "0 0 1 1 *"
