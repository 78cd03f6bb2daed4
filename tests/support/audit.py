"""The API server's audit log: who did what. The local cluster keeps one; elsewhere these tests cannot be made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cluster import REPOSITORY

OPERATOR = "system:serviceaccount:borg-system:borg-operator"
FACADE = "system:serviceaccount:borg-system:borg-operator-api"
READS = frozenset({"get", "list", "watch"})

_LOG = REPOSITORY / "dev" / ".state" / "log" / "audit.log"


@dataclass(frozen=True)
class Write:
    verb: str
    resource: str
    subresource: str
    name: str
    time: str


def audit_log() -> Path:
    """Return the log's path; skips the test where there is none."""
    if not _LOG.exists():
        pytest.skip("this cluster shows no audit log (the local one of `make up` does)")
    return _LOG


def operator_writes(namespace: str | None, since: int = 0) -> Iterator[Write]:
    """Yield what the operator wrote in a namespace, None for any, from byte `since` of the log on."""
    for event in _events(audit_log(), OPERATOR, since):
        target = event.get("objectRef", {})
        if namespace in (None, target.get("namespace")) and event["verb"] not in READS:
            yield Write(
                verb=event["verb"],
                resource=target["resource"],
                subresource=target.get("subresource", ""),
                name=target.get("name", ""),
                time=event["requestReceivedTimestamp"],
            )


def requests_of(user: str) -> Iterator[dict[str, Any]]:
    """Yield every request for a resource that a user of ours made, reads included, since the cluster began."""
    rotated = sorted(audit_log().parent.glob("audit-*.log"))
    for log in [*rotated, audit_log()]:
        yield from (event for event in _events(log, user) if "objectRef" in event)


def _events(path: Path, user: str, since: int = 0) -> Iterator[dict[str, Any]]:
    with path.open("rb") as log:
        log.seek(since)
        for line in log:
            if user.encode() in line:
                event = json.loads(line)
                if event["user"]["username"] == user:
                    yield event
