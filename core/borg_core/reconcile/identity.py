"""Is it still the same repository? What runs saw of it, compared with what runs before them had seen.

Borg itself compares only where it has a cache of before.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from borg_contract.archive_name import without_times
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation
from borg_core import labels
from borg_core.formats import format_time
from borg_core.kinds.parts.targets import derive_place
from borg_core.kinds.repository import BorgRepository, RepositoryIdentity
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType, Finding

Done = Sequence[tuple[BorgRun, RepositoryResult]]
"""Runs that used a repository and have ended, the oldest first, each with what it says of the repository."""

_SHOWN = 16
"""So many digits of an id tell two repositories apart for people."""


def derive_identity(repository: BorgRepository, done: Done, now: datetime) -> RepositoryIdentity | None:
    """Return which borg repository it is: that which was first seen in its place, or which a person accepted."""
    known = repository.status.identity
    place = _place(repository)
    if known and known.place != place:
        # The edit is the consent: nothing is known of the new place.
        return RepositoryIdentity(place=place, since=format_time(now))
    found = _find_newest(repository, known, done)
    if found is None or (known and known.id and found[1] != repository.metadata.annotations.get(labels.REPOSITORY_ID)):
        return known
    return RepositoryIdentity(id=found[1], place=place, since=_since(repository, known))


def find_replacement(repository: BorgRepository, identity: RepositoryIdentity | None, done: Done) -> Iterator[Finding]:
    """Yield that another repository is in its place."""
    found = _find_newest(repository, identity, done)
    if identity is None or not identity.id or found is None or found[1] == identity.id:
        return
    run, id_ = found
    metadata = repository.metadata
    message = (
        f'BorgRun "{run.metadata.name}" found another borg repository there ({id_[:_SHOWN]}…) than runs before '
        f"({identity.id[:_SHOWN]}…), without the archives of before: find out who replaced it. If it is right so: "
        f"kubectl -n {metadata.namespace} annotate brepo {metadata.name} --overwrite {labels.REPOSITORY_ID}={id_}"
    )
    yield Finding(ConditionType.REPLACED.value, True, Reason.REPOSITORY_REPLACED.value, message)


def find_rollback(done: Done) -> Iterator[Finding]:
    """Yield that an archive was gone when the next one of its schedule was made.

    Told as long as that run is kept, so that deleting it acknowledges.
    """
    last: dict[str, tuple[BorgRun, RepositoryResult]] = {}
    gone = []
    for run, result in done:
        if run.spec.schedule_ref is None:
            continue
        schedule = run.spec.schedule_ref.name
        if run.spec.operation is Operation.PRUNE and (result.prune is None or result.prune.deleted):
            last.pop(schedule, None)  # it may take the newest one, too: by `keepWithin` alone, say
        elif result.archive:
            earlier = last.get(schedule)
            if earlier and _is_gone(earlier[1], result):
                gone.append((run, earlier[0], earlier[1].archive))
            last[schedule] = (run, result)
    if gone:
        later_run, earlier_run, archive = max(gone, key=lambda item: item[0].status.completion_time or "")
        message = (
            f'archive "{archive}" of BorgRun "{earlier_run.metadata.name}" was gone when BorgRun '
            f'"{later_run.metadata.name}" made its own: the repository is an older copy of itself, or somebody deleted '
            f'the archive. Find out who; delete BorgRun "{later_run.metadata.name}" when that is settled'
        )
        yield Finding(ConditionType.ROLLED_BACK.value, True, Reason.ARCHIVE_VANISHED.value, message)


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


def _find_newest(
    repository: BorgRepository, known: RepositoryIdentity | None, done: Done
) -> tuple[BorgRun, str] | None:
    """Return the newest run that told the id of what is in the place, and that id."""
    since = _since(repository, known)
    told = (
        (run, result.repository_id)
        for run, result in reversed(done)
        if result.repository_id and (run.status.start_time or "") > since
    )
    return next(told, None)


def _since(repository: BorgRepository, known: RepositoryIdentity | None) -> str:
    """Return when the place was named. Runs of before may tell of a BorgRepository of this name that was elsewhere."""
    return known.since if known else repository.metadata.creation_timestamp or ""


def _place(repository: BorgRepository) -> str:
    return derive_place(repository.spec.local, repository.spec.ssh) or "a volume of its own"
