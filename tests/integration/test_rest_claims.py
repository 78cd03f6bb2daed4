"""GET /api/claims on a real API server: what there is, as far as the token may see it."""

from typing import Any

from integration import resources
from integration.cluster import Kubectl
from integration.test_operator_conditions import WAIT_SECONDS, apply
from support.rest import Rest, find_facade, make_account, problem
from support.waiting import wait_for


def test_a_viewer_sees_claims_with_their_schedules_and_a_stranger_sees_none(kubectl: Kubectl, namespace: str) -> None:
    apply(
        kubectl,
        namespace,
        *resources.claims(),
        resources.claim("nobodys"),
        resources.repository(),
        resources.schedule(),
    )
    kubectl("-n", namespace, "annotate", "pvc", "nobodys", "borgoperator.io/ignore=true")
    viewer = Rest(find_facade(), namespace, make_account(kubectl, namespace, "viewer", "borg-viewer"))

    def look() -> dict[str, Any]:
        answer: Any = viewer.look("/api/claims")
        return {item["name"]: item for item in answer["claims"]} if answer else {}

    found, _ = wait_for(
        look,
        lambda seen: seen.get("app-data", {}).get("protected") is True,
        WAIT_SECONDS,
        "that the claim is protected",
    )
    assert [cover["name"] for cover in found["app-data"]["schedules"]] == ["db"]
    assert (found["nobodys"]["protected"], found["nobodys"]["ignored"]) == (False, True)
    assert found["borg-repo"]["repository"] == "main"

    kubectl("-n", namespace, "patch", "bsched", "db", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    wait_for(look, lambda seen: not seen["app-data"]["protected"], WAIT_SECONDS, "that it is no more")
    assert look()["app-data"]["uncovered_since"]

    first = viewer.get("/api/claims?limit=2")
    rest = viewer.get("/api/claims", params={"limit": 2, "continue": first["continue"]})
    assert [item["name"] for item in (*first["claims"], *rest["claims"])] == sorted(found)

    stranger = Rest(find_facade(), namespace, make_account(kubectl, namespace, "stranger", None))
    assert "persistentvolumeclaims" in problem(stranger("GET", "/api/claims"), 403)
