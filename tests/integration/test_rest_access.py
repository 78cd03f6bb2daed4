"""Who may do what over REST: RBAC's answer for every role and every endpoint, before anything else is looked at."""

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from integration import resources
from integration.cluster import make_archive
from support.cluster import REPOSITORY, Kubectl, fresh_namespace
from support.rest import Rest, make_account, problem
from support.waiting import wait_for

ACCOUNTS_KEYS = {
    "local": str(REPOSITORY / "dev" / ".state" / "pki" / "accounts.key"),
    "kind": "/etc/kubernetes/pki/sa.key",
}
"""Where in its node a cluster of `make up` has what it signs tokens with, by the driver."""


@dataclass(frozen=True)
class Endpoint:
    """`least`: the role that may use it, besides the admin, or beside all; `asks`: what RBAC calls that."""

    method: str
    path: str
    least: str
    asks: str
    body: Any = None
    good: tuple[int, ...] = (200,)


NEW = {"name": "made by ROLE", "cron_expression": "0 2 * * *", "repository": "main"}
BACK = {"repository": "main", "archive": "nightly-1", "paths": [], "destination": "data"}
CHECKS = {"cron_expression": "0 0 1 1 *"}
ENDPOINTS = (
    Endpoint("GET", "/api/schedule/", "viewer", "list borgschedules"),
    Endpoint("GET", "/api/schedule/target", "viewer", "list borgschedules"),
    Endpoint("GET", "/api/schedule/upcoming-jobs", "viewer", "list borgschedules"),
    Endpoint("GET", "/api/schedule/cron-presets", "viewer", "list borgschedules"),
    Endpoint("POST", "/api/schedule/validate-cron", "viewer", "list borgschedules", {"minute": "0"}),
    Endpoint("GET", "/api/schedule/target/runs", "viewer", "list borgruns"),
    Endpoint("GET", "/api/repositories/", "viewer", "list borgrepositories"),
    Endpoint("GET", "/api/scripts", "viewer", "list borgscripts"),
    Endpoint("GET", "/api/backup/jobs", "viewer", "list borgruns"),
    Endpoint("GET", "/api/backup/status/target-run", "viewer", "list borgruns"),
    Endpoint("GET", "/api/backup/logs/target-run/stream", "viewer", "get pods/log"),
    Endpoint("POST", "/api/schedule/target/run-now", "operator", "create borgruns", good=(200, 409)),
    Endpoint("POST", "/api/backup/cancel/target-run", "operator", "patch borgruns", good=(200, 400)),
    Endpoint("POST", "/api/activity/check/target-run/cancel", "operator", "patch borgruns", good=(200, 400)),
    Endpoint("GET", "/api/repositories/main/archives", "viewer", "list borgarchives"),
    Endpoint("GET", "/api/archives/nightly-1/info?repository=main", "viewer", "list borgarchives"),
    Endpoint("GET", "/api/restore/jobs", "viewer", "list borgrestores"),
    Endpoint("GET", "/api/restore/status/target-restore", "viewer", "list borgrestores"),
    Endpoint("GET", "/api/repositories/main/check-schedule", "viewer", "list borgrepositories"),
    Endpoint("GET", "/api/repositories/main/restore-check-schedule", "viewer", "list borgrepositories"),
    Endpoint("GET", "/api/repositories/main/running-jobs", "viewer", "list borgruns"),
    Endpoint("GET", "/api/activity/recent", "viewer", "list borgruns"),
    Endpoint("POST", "/api/repositories/main/check", "operator", "create borgruns", good=(200, 409)),
    Endpoint("POST", "/api/repositories/main/restore-check", "operator", "create borgruns", good=(200, 409)),
    Endpoint("POST", "/api/restore/preview", "restorer", "create borgrestores", BACK),
    Endpoint("POST", "/api/restore/start", "restorer", "create borgrestores", BACK, good=(200, 409)),
    Endpoint("POST", "/api/restore/cancel/target-restore", "restorer", "patch borgrestores", good=(200, 400)),
    Endpoint("POST", "/api/activity/restore/target-restore/cancel", "restorer", "patch borgrestores", good=(200, 400)),
    Endpoint("PUT", "/api/repositories/main/check-schedule", "admin", "patch borgrepositories", CHECKS),
    Endpoint("PUT", "/api/repositories/main/restore-check-schedule", "admin", "patch borgrepositories", CHECKS),
    Endpoint("POST", "/api/schedule/", "admin", "create borgschedules", NEW),
    Endpoint("PUT", "/api/schedule/target", "admin", "update borgschedules", {"description": "edited"}),
    Endpoint("POST", "/api/schedule/target/toggle", "admin", "patch borgschedules"),
    Endpoint("POST", "/api/schedule/target/duplicate", "admin", "create borgschedules"),
    Endpoint("DELETE", "/api/schedule/victim-of-ROLE", "admin", "delete borgschedules"),
)
ROLES = ("nobody", "viewer", "operator", "restorer", "admin")
MAY = {
    "viewer": ("viewer", "operator", "restorer", "admin"),
    "operator": ("operator", "admin"),
    "restorer": ("restorer", "admin"),
    "admin": ("admin",),
}
"""Who may use what takes a role at least."""
STRANGERS = ("none", "basic", "malformed", "expired", "of a deleted account", "of another namespace")
OPEN = ("/livez", "/readyz", "/metrics", "/docs", "/docs-assets/swagger-ui-bundle.js", "/openapi.json")


@pytest.fixture(scope="module")
def callers(rest: Rest, kubectl: Kubectl) -> dict[str, Rest]:
    """Give a caller of each role, in a namespace with a schedule and a run to act on."""
    rest.create("target")
    for role in ROLES:
        rest.create(f"victim of {role}")
    run = resources.run("target-run", "target", operation="Check")
    for item in (run, resources.restore("target-restore")):
        kubectl("-n", rest.namespace, "create", "-f", "-", stdin=json.dumps(item))
    make_archive(kubectl, rest.namespace, "main-1")
    path = "/api/restore/status/target-restore"
    wait_for(lambda: rest("GET", path).status_code, lambda status: status == 200, 5, "the facade sees the restore")
    tokens = {
        role: make_account(kubectl, rest.namespace, f"the-{role}", None if role == "nobody" else f"borg-{role}")
        for role in ROLES
    }
    return {role: Rest(rest.url, rest.namespace, token) for role, token in tokens.items()}


@pytest.fixture(scope="module")
def strangers(rest: Rest, kubectl: Kubectl) -> Iterator[dict[str, dict[str, str]]]:
    """Give the headers of those whom nobody knows, or not here; of an expired token only where one can be signed."""
    with fresh_namespace(kubectl) as elsewhere:
        deleted = make_account(kubectl, rest.namespace, "deleted", "borg-admin")
        kubectl("-n", rest.namespace, "delete", "serviceaccount", "deleted")
        other = make_account(kubectl, elsewhere, "admin-elsewhere", "borg-admin")
        yield {
            "none": {"Authorization": ""},
            "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
            "malformed": {"Authorization": "Bearer not a token"},
            "of a deleted account": {"Authorization": f"Bearer {deleted}"},
            "of another namespace": {"Authorization": f"Bearer {other}"},
            **({"expired": {"Authorization": f"Bearer {old}"}} if (old := expired(other)) else {}),
        }


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_is_for(callers: dict[str, Rest], endpoint: Endpoint, role: str) -> None:
    caller = callers[role]
    path = endpoint.path.replace("ROLE", role)
    body = (
        {**endpoint.body, **({"name": f"made by {role}"} if "name" in endpoint.body else {})} if endpoint.body else None
    )
    answer = caller(endpoint.method, path, body)
    if role in MAY[endpoint.least]:
        assert answer.status_code in endpoint.good, answer.text
    else:
        assert f'You may not {endpoint.asks} in namespace "{caller.namespace}".' == problem(answer, 403)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_learn_nothing(
    rest: Rest, strangers: dict[str, dict[str, str]], endpoint: Endpoint, stranger: str
) -> None:
    if stranger not in strangers:
        pytest.skip("only a cluster of `make up` lends its key to sign an expired token with")
    answer = rest(endpoint.method, endpoint.path, endpoint.body, headers=strangers[stranger])
    if stranger == "of another namespace":
        assert endpoint.asks in problem(answer, 403)
    else:
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_401_and_403_come_before_404_and_422(rest: Rest, callers: dict[str, Rest]) -> None:
    for path, body in (("/api/schedule/no-such", {}), ("/api/schedule/target", {"enabled": "maybe"})):
        problem(callers["viewer"]("PUT", path, body), 403)
        problem(rest("PUT", path, body, headers={"Authorization": ""}), 401)
    broken = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    problem(callers["viewer"]("POST", "/api/schedule/", **broken), 403)


def test_borg_uis_header_is_taken_too_and_goes_first(rest: Rest, callers: dict[str, Rest]) -> None:
    token = callers["viewer"].token
    borg_ui = {"Authorization": "", "X-Borg-Authorization": f"Bearer {token}"}
    assert rest("GET", "/api/schedule/", headers=borg_ui).status_code == 200
    both = {"X-Borg-Authorization": f"Bearer {token}"}  # beside the admin's Authorization
    problem(rest("POST", "/api/schedule/", NEW, headers=both), 403)


def test_writes_are_the_callers_own(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("signed")
    managed = kubectl.get("-n", rest.namespace, "bsched", "signed", "--show-managed-fields")["metadata"][
        "managedFields"
    ]
    assert "borg-api" in [entry["manager"] for entry in managed]
    # The facade's own account cannot write: only the admin's token, of which the audit log tells, can have done it.
    account = "--as=system:serviceaccount:borg-system:borg-operator-api"
    for verb in ("create", "update", "patch", "delete"):
        asked = kubectl("-n", rest.namespace, "auth", "can-i", verb, "borgschedules", account, check=False)
        assert asked.stdout.strip() == "no"
    assert kubectl("auth", "can-i", "get", "secrets", account, "-A", check=False).stdout.strip() == "no"
    assert job["name"] == "signed"


@pytest.mark.parametrize("path", OPEN)
def test_health_metrics_and_documents_need_no_token(rest: Rest, path: str) -> None:
    assert rest("GET", path, headers={"Authorization": ""}).status_code == 200


def expired(token: str) -> str | None:
    """Return the token as it would be after its time, signed by the cluster's own key; None where nobody lends it."""
    driver = (REPOSITORY / "dev" / ".state" / "driver").read_text().strip()
    if driver not in ACCOUNTS_KEYS:
        return None
    inside = [str(REPOSITORY / "dev" / "drivers" / driver), "run", "cat", ACCOUNTS_KEYS[driver]]
    key = subprocess.run(inside, capture_output=True, check=True).stdout
    header, claims, _ = token.split(".")
    now = int(time.time())
    aged = {**json.loads(_decoded(claims)), "iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
    signed = f"{header}.{_encoded(json.dumps(aged).encode())}"
    with tempfile.NamedTemporaryFile() as file:
        file.write(key)
        file.flush()
        command = ["openssl", "dgst", "-sha256", "-sign", file.name]
        signature = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{_encoded(signature)}"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
