"""A PersistentVolumeClaim, as far as anybody backs it up or restores into it: there may be tens of thousands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from borg_core import labels
from borg_core.kinds.selectors.claim import ANY_CLAIM
from borg_core.registry import Body, Kind, Reference

_NONE: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class ObservedClaim:
    """Of what changes only what somebody goes by: each change is news to those who use it, or choose it by labels."""

    namespace: str
    name: str
    uid: str
    created: str
    """RFC 3339 in UTC."""
    labels: Mapping[str, str]
    phase: str = ""
    """Pending, Bound, Lost; empty where nobody has looked at it yet."""
    is_block: bool = False
    """Whether it is a device, which has no files."""
    deleting: bool = False
    ignored: bool = False
    """Whether somebody says that it is not meant to be backed up."""
    restore_uid: str = ""
    """Which BorgRestore made it."""


def parse_claim(body: Body) -> ObservedClaim:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    marks, notes = metadata.get("labels") or _NONE, metadata.get("annotations") or _NONE
    return ObservedClaim(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata.get("creationTimestamp") or "",
        labels={intern(key): intern(value) for key, value in marks.items()} if marks else _NONE,
        phase=intern(status.get("phase") or ""),
        is_block=spec.get("volumeMode") == "Block",
        deleting="deletionTimestamp" in metadata,
        ignored="true" in (marks.get(labels.IGNORE), notes.get(labels.IGNORE)),
        restore_uid=notes.get(labels.RESTORE_UID, ""),
    )


IN_NAMESPACE = "in namespace"
"""Index of claims: all of a namespace."""


@lru_cache(maxsize=4096)
def _any_of(namespace: str) -> tuple[Reference, ...]:
    """Return what stands for any claim of the namespace: whoever chooses by labels is concerned by each."""
    return (Reference("PersistentVolumeClaim", namespace, ANY_CLAIM),)


def _groups(_: ObservedClaim) -> Iterator[tuple[str, str]]:
    yield IN_NAMESPACE, ""


CLAIMS = Kind(
    "PersistentVolumeClaim",
    "",
    "v1",
    "persistentvolumeclaims",
    parse_claim,
    groups=_groups,
    affects=lambda claim: _any_of(claim.namespace),
)
