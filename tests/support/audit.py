"""The API server's audit log: who wrote what. The local cluster keeps one; elsewhere these tests cannot be made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cluster import REPOSITORY

OPERATOR = "system:serviceaccount:borg-system:borg-operator"
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


def operator_writes(namespace: str, since: int = 0) -> Iterator[Write]:
    """Yield what the operator wrote in a namespace, from byte `since` of the log on. Reads are not in the log."""
    with audit_log().open("rb") as log:
        log.seek(since)
        for line in log:
            if namespace.encode() not in line:
                continue
            event = json.loads(line)
            target = event.get("objectRef", {})
            if event["user"]["username"] == OPERATOR and target.get("namespace") == namespace:
                yield Write(
                    verb=event["verb"],
                    resource=target["resource"],
                    subresource=target.get("subresource", ""),
                    name=target.get("name", ""),
                    time=event["requestReceivedTimestamp"],
                )
