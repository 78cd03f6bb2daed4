"""Restores in numbers, by the claim that they restore into: there may be any number of BorgRestores.

Of those into commands each is by itself: nothing tells that two mean the same database.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.restore_status import RestorePhase
from borg_core.readings.reading import derive_seconds

_ENDED = (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS, RestorePhase.FAILED)
"""One that was cancelled tells nothing of whether it would have gone well."""


@dataclass(frozen=True, slots=True)
class RestoreReading:
    """Times in seconds since 1970; None: there is none."""

    namespace: str
    claim: str
    restore: str
    """The BorgRestore's name, of one into a command."""
    active: int
    last: float | None
    """When the newest ended that was not cancelled."""
    failed: bool | None
    """Whether that failed."""
    held_since: float | None
    """Since when schedules that back the claim up have waited."""
    stopped: int
    """How many workloads that were scaled down have not been scaled back though their restore has ended."""


def derive_restore_readings(restores: Iterable[BorgRestore]) -> Iterator[RestoreReading]:
    """Yield the numbers of each claim into which there are restores, or of a command; previews alone are none."""
    by_target: dict[tuple[str, str, str], list[BorgRestore]] = {}
    for restore in restores:
        if restore.spec.approve or not restore.spec.preview:
            metadata, claim = restore.metadata, restore.claim_name
            target = (metadata.namespace, claim, "" if claim else metadata.name)
            by_target.setdefault(target, []).append(restore)
    for (namespace, claim, name), found in by_target.items():
        ended = [restore for restore in found if restore.status.phase in _ENDED]
        newest = max(ended, key=lambda restore: restore.status.completion_time or "", default=None)
        held = [since for restore in found if (since := derive_seconds(restore.status.held_since)) is not None]
        yield RestoreReading(
            namespace=namespace,
            claim=claim,
            restore=name,
            active=sum(restore.status.phase in (RestorePhase.PENDING, RestorePhase.RUNNING) for restore in found),
            last=derive_seconds(newest.status.completion_time) if newest else None,
            failed=newest.status.phase is RestorePhase.FAILED if newest else None,
            held_since=min(held, default=None),
            stopped=sum(
                not workload.restored for restore in found if restore.finished for workload in restore.status.scaled
            ),
        )
