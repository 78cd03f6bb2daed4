"""Restores in numbers, by the claim that they restore into: there may be any number of BorgRestores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.restore_status import RestorePhase
from borg_core.readings.reading import Key, derive_seconds

_ENDED = (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS, RestorePhase.FAILED)
"""One that was cancelled tells nothing of whether it would have gone well."""


@dataclass(frozen=True, slots=True)
class RestoreReading:
    """Times in seconds since 1970; None: there is none."""

    namespace: str
    claim: str
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
    """Yield the numbers of each claim into which there are restores; previews alone are none."""
    by_claim: dict[Key, list[BorgRestore]] = {}
    for restore in restores:
        if restore.spec.approve or not restore.spec.preview:
            by_claim.setdefault((restore.metadata.namespace, restore.claim_name), []).append(restore)
    for (namespace, claim), found in by_claim.items():
        ended = [restore for restore in found if restore.status.phase in _ENDED]
        newest = max(ended, key=lambda restore: restore.status.completion_time or "", default=None)
        held = [since for restore in found if (since := derive_seconds(restore.status.held_since)) is not None]
        yield RestoreReading(
            namespace=namespace,
            claim=claim,
            active=sum(restore.status.phase in (RestorePhase.PENDING, RestorePhase.RUNNING) for restore in found),
            last=derive_seconds(newest.status.completion_time) if newest else None,
            failed=newest.status.phase is RestorePhase.FAILED if newest else None,
            held_since=min(held, default=None),
            stopped=sum(
                not workload.restored for restore in found if restore.finished for workload in restore.status.scaled
            ),
        )
