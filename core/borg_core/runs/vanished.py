"""Archives that were gone when the next one of their schedule was made; and the runs by which that is told.

Nothing else remembers them: these runs are kept, however many come after.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from borg_contract.archive_name import without_times
from borg_contract.result import NO_ROOM, RepositoryResult
from borg_contract.run import Operation, Phase
from borg_core.kinds.run import BorgRun, BorgRunStatus

Account = tuple[BorgRun, RepositoryResult | None]
"""A run of a schedule that has ended, and what it says of one repository; None: it died, and nobody knows."""


@dataclass(frozen=True)
class Vanished:
    """The archive of one run was gone when another one made its own."""

    archive: str
    missed: BorgRun
    found_by: BorgRun


@dataclass(frozen=True)
class Trail:
    """`last`: the run whose archive the next one is to find, None where that may rightly be gone."""

    vanished: tuple[Vanished, ...] = ()
    last: BorgRun | None = None


def follow(accounts: Iterable[Account]) -> Trail:
    """Return what the runs of one schedule, the oldest first, tell of one repository."""
    vanished: list[Vanished] = []
    last: tuple[BorgRun, RepositoryResult] | None = None
    for run, result in accounts:
        if run.spec.operation is Operation.PRUNE:
            # It may take the newest one, too: by `keepWithin` alone, say.
            if result is None or result.prune is None or result.prune.deleted:
                last = None
        elif result is not None and result.archive:
            if last and _is_gone(last[1], result):
                vanished.append(Vanished(last[1].archive or "", last[0], run))
            last = (run, result)
    return Trail(tuple(vanished), last[0] if last else None)


def find_told(run: BorgRun, name: str) -> RepositoryResult | None:
    """Return what the run says of that repository."""
    return next((result for result in run.status.repositories if result.name == name), None)


def may_have_pruned(run: BorgRun, result: RepositoryResult | None, *, prunes: bool = False) -> bool:
    """Tell whether it began, may have come to prune, and does not say whether it did. `result`: see `Account`.

    One that came to its end, and names other repositories alone, had nothing to do with this one. `prunes`: whether
    backups of its schedule do. One that told totals has come to its end, and says all of it: what was pruned outlives
    them in a result that is cut.
    """
    if not (run.finished and run.status.start_time) or (result and result.prune):
        return False
    if result is None and _names_all(run.status):
        return False
    if run.spec.operation is Operation.BACKUP and prunes:
        return result is None or bool((result.archive or result.phase.succeeded) and result.totals is None)
    return run.spec.operation is Operation.PRUNE


def _names_all(status: BorgRunStatus) -> bool:
    """Tell whether it names each repository that it was to use."""
    came_to_its_end = status.phase is not None and status.phase.succeeded
    return came_to_its_end and bool(status.repositories) and NO_ROOM not in (status.message or "")


def derive_told(runs: Sequence[BorgRun]) -> frozenset[str]:
    """Return the uids of those runs of a schedule by which a vanished archive is told, or can be.

    `runs` have ended, the oldest first. They are few: of each repository the last one with an archive, and two where
    one has vanished.
    """
    names = {result.name for run in runs for result in run.status.repositories if result.archive}
    needed: set[str] = set()
    for name in names:
        trail = follow(_accounts(runs, name))
        found = [trail.last] if trail.last else []
        if trail.vanished:
            found += [trail.vanished[-1].missed, trail.vanished[-1].found_by]
        needed |= {run.metadata.uid for run in found}
    return frozenset(needed)


def _accounts(runs: Iterable[BorgRun], name: str) -> Iterator[Account]:
    for run in runs:
        told = find_told(run, name)
        if told.phase is not Phase.SKIPPED if told else may_have_pruned(run, None):
            yield run, told


def _is_gone(before: RepositoryResult, after: RepositoryResult) -> bool:
    """Tell whether the archive of `before` was not there when the next one was made.

    `previous` is the newest of what was there, so it would be no older than that archive. Both times are borg's own,
    of one list: no clock that jumps, and no two that differ, make a difference.
    """
    previous = after.previous
    if previous is None or before.archive_time is None:
        return False
    if before.repository_id is None or before.repository_id != after.repository_id:
        return False
    if previous.name == before.archive or without_times(before.archive or "") != without_times(after.archive or ""):
        return False  # of another template: nobody looked for such names
    return previous.time < before.archive_time
