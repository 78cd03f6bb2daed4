"""What a BorgRepository says about itself, from the newest runs on it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from borg_contract.pod import parse_lock_holder
from borg_contract.reasons import SUSPECT, Reason
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from borg_core.archives.plan import NOTHING, ArchivesPlan
from borg_core.formats import format_size, format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.parts.targets import LastRun, RepositoryIdentity, RepositoryLock
from borg_core.kinds.parts.verification import VerificationStatus
from borg_core.kinds.repository import BorgRepository, BorgRepositoryStatus
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType, Finding, derive_conditions
from borg_core.reconcile.status.blame import had_the_lock, speaks_against_it, tells_of_it
from borg_core.reconcile.status.identity import (
    Done,
    derive_identity,
    find_missing,
    find_replacement,
    find_rollback,
    select_begun,
    select_standing,
)
from borg_core.runs.status.moment import Moment, derive_latest, derive_moment
from borg_core.runs.status.run_status import is_own_listing
from borg_core.verification.status import NEVER, Timed, derive_verification, find_damaged, find_untold, find_verified

_ANOTHER_OR_NONE = frozenset({Reason.REPOSITORY_MISSING.value, Reason.REPOSITORY_REPLACED.value})
"""What a restore finds out about the repository, not about itself."""

_Told = tuple[str, BorgRun, RepositoryResult]
"""When a run ended, and what it told."""


@dataclass(frozen=True)
class RunsRead:
    """The `runs` that used a repository, whoever asked for them, as they are read once for all that follows from them.

    `ended`: those of them that have, with what they say of it, the oldest first. `told`: those of these that tell of
    the borg repository that it is, `identity`.
    """

    runs: tuple[BorgRun, ...]
    ended: Done
    identity: RepositoryIdentity | None
    told: Done


def derive_repository_status(
    repository: BorgRepository,
    schedules: int,
    read: RunsRead,
    *,
    died: Iterable[BorgRun] = (),
    others: Iterable[Finding] = (),
    archives: ArchivesPlan = NOTHING,
    names: Collection[str] = (),
    checks: Timed = NEVER,
    drills: Timed = NEVER,
    now: datetime,
) -> BorgRepositoryStatus:
    """Return the status; what runs that are no longer kept have left in it stays.

    `died`: runs that may have pruned, and said nothing. `others`: what there is to say beside how the newest run fared;
    `names`: of the schedules; `checks`, `drills`: their CronJobs.
    """
    before, runs, identity = repository.status, read.runs, read.identity
    told = [(run, result) for run, result in read.told if not _is_aside(run, result)]
    if identity and before.identity and identity.since != before.identity.since:
        before = BorgRepositoryStatus()  # all that was known is of another one
    latest = derive_latest(now)
    done = [(_derive_end(run, latest).time, run, result) for run, result in told]
    newest, last_run = _settle(before, _find_newest(done), done, now)
    # A lock is nobody's trouble any more where nothing uses the repository; no later run will tell that it is gone.
    is_used = schedules > 0 or checks.clock is not None or drills.clock is not None
    if newest and _locked(newest[2]) and not is_used:
        newest = None
    totals = next((result.totals for _, _, result in reversed(done) if result.totals), None)
    count = next((_count(result) for _, _, result in reversed(done) if _count(result) is not None), before.archives)
    known_id = identity.id if identity else ""
    backups = [time for time, _, result in done if result.archive and (result.repository_id or known_id) == known_id]
    # Damage is damage, by whatever it was found: by a restore, or by a listing that nobody asked for.
    witnesses = select_begun(repository, identity, read.ended)
    untold = select_begun(repository, identity, list(find_untold(repository.metadata.name, runs)))
    verifying = [*done, *((_derive_end(run, latest).time, run, result) for run, result in untold)]
    verifying.sort(key=lambda item: _derive_end(item[1], latest))
    verification = derive_verification(
        before,
        verifying,
        witnesses=[(_derive_end(run, latest).time, run, result) for run, result in witnesses],
        schedules=names,
        checks=checks,
        drills=drills,
        now=now,
    )
    verified = VerificationStatus(**verification)
    damaged = tuple(find_damaged(verified.damage))
    generation = repository.metadata.generation
    compacted = [item for item in done if item[2].compact]
    standing = select_standing(before, identity, told) if is_used else ()
    findings = [
        *([_finding(*newest[1:], (*standing, *damaged))] if newest else []),
        *(replace(found, type=ConditionType.READY.value, status=False) for found in damaged if not newest),
        *others,
        *damaged,
        *find_verified(repository, verified, verifying, before.conditions),
        *find_missing(repository, identity, told),
        *find_replacement(repository, identity, told),
        *([*find_rollback(told, died)] or [*([archives.vanished] if archives.vanished else [])]),
        *([archives.finding] if archives.finding else []),
        *(_find_append_only(*compacted[-1][1:]) if compacted else ()),
    ]
    conditions = derive_conditions(findings, repository.status.conditions, generation, now)
    conditions += tuple(standing)
    if not compacted:  # what the last one said still holds
        conditions += tuple(c for c in before.conditions if c.type == ConditionType.APPEND_ONLY)
    if not (newest or damaged):
        kept = (c for c in before.conditions if c.type == ConditionType.READY)
        conditions = (*(c for c in kept if is_used or c.reason != Reason.LOCKED.value), *conditions)
    lock = before.lock if is_used else None
    about_lock = next((item for item in reversed(done) if _locked(item[2]) or had_the_lock(item[2])), None)
    if about_lock and is_used:
        time, _, last = about_lock
        lock = _lock(last.locked_by or "", runs, time) if _locked(last) else None
    return BorgRepositoryStatus(
        conditions=conditions,
        observed_generation=generation,
        last_backup_time=max([*backups, *([before.last_backup_time] if before.last_backup_time else [])], default=None),
        archives=count,
        listing=archives.listing,
        original_size=totals.original_size if totals else before.original_size,
        deduplicated_size=totals.deduplicated_size if totals else before.deduplicated_size,
        size=format_size(totals.deduplicated_size) if totals else before.size,
        identity=identity,
        lock=lock,
        last_run=last_run,
        last_compact_time=max(
            (time for time, _, result in compacted if result.compact and not result.compact.append_only),
            default=before.last_compact_time,
        ),
        schedules=schedules,
        **verification,
    )


def read_runs(repository: BorgRepository, runs: tuple[BorgRun, ...], now: datetime) -> RunsRead:
    """Return which borg repository it is, and the runs that have ended and tell of it."""
    latest = derive_latest(now)
    ended = [
        (run, result)
        for run in sorted(runs, key=lambda run: _derive_end(run, latest))
        if run.finished
        for result in run.status.repositories
        if result.name == repository.metadata.name and result.phase is not Phase.SKIPPED
    ]
    seen = _select_of_the_repository(repository.status, ended, now)
    identity = derive_identity(repository, [item for item in seen if not _is_aside(*item)], now)
    return RunsRead(runs, ended, identity, select_begun(repository, identity, seen))


def _derive_end(run: BorgRun, latest: str) -> Moment:
    status = run.status
    return derive_moment(latest, status.completion_time or "", status.start_time, run.metadata.creation_timestamp)


def _select_of_the_repository(before: BorgRepositoryStatus, ended: Done, now: datetime) -> Done:
    """Return what is its affair, the oldest first: that an archive is not there, or a claim full, is the restore's.

    That a restore found the right repository is news only where it was gone before.
    """
    kept: list[tuple[BorgRun, RepositoryResult]] = []
    # Ready has another reason by now where a later run failed without getting there.
    said_gone = _reason_of_ready(before) in _ANOTHER_OR_NONE or any(
        c.type in (ConditionType.MISSING, ConditionType.REPLACED) and c.status == "True" for c in before.conditions
    )
    since, latest, gone = _since(before, now), derive_latest(now), False
    for run, result in ended:
        gone |= said_gone and _derive_end(run, latest).time > since
        is_news = result.reason in _ANOTHER_OR_NONE or (gone and result.phase.succeeded)
        if is_news or not run.spec.operation.needs_restore:
            kept.append((run, result))
        gone = result.reason in _ANOTHER_OR_NONE or (gone and not result.phase.succeeded)
    return kept


def _is_aside(run: BorgRun, result: RepositoryResult) -> bool:
    """Tell whether it is a listing of our own that failed, or found nothing: nobody asked, so it is no news."""
    return is_own_listing(run) and not (result.phase.succeeded and result.repository_id)


def _find_newest(done: Sequence[_Told]) -> _Told | None:
    """Return the run that tells whether the repository is ready: the newest that came to know it.

    One that broke locks has looked at nothing else: what it followed still holds, unless that was the lock.
    """
    unlock = None
    for told in reversed(done):
        result = told[2]
        if _is_unlock(told):
            unlock = unlock or told
        elif tells_of_it(result):
            return unlock if unlock and _locked(result) else told
    return None


def _settle(
    before: BorgRepositoryStatus, newest: _Told | None, done: Sequence[_Told], now: datetime
) -> tuple[_Told | None, LastRun | None]:
    """Return the run by which `Ready` goes, and what is kept of it: that of `before` until a later one ends.

    Without a run, what was said holds: its BorgRun is kept no more. What ended in the future, by a clock that was
    wrong, keeps nobody from being heard.
    """
    last, since = before.last_run, _since(before, now)
    if newest and newest[0] >= since:
        return newest, _render_last(newest)
    if same := next((told for told in done if _render_last(told) == last), None):
        if tells_of_it(same[2]) or _is_unlock(same):
            return same, last
        return newest, _render_last(newest) if newest else last  # an earlier version went by it
    if _reason_of_ready(before) == Reason.LOCKED:
        unlocked = next((told for told in reversed(done) if told[0] >= since and _is_unlock(told)), None)
        return unlocked, _render_last(unlocked) if unlocked else last
    return None, last


def _since(before: BorgRepositoryStatus, now: datetime) -> str:
    """Return when the run ended by which `Ready` goes; empty where that is to come."""
    return before.last_run.time if before.last_run and before.last_run.time <= format_time(now) else ""


def _reason_of_ready(before: BorgRepositoryStatus) -> str:
    return next((c.reason for c in before.conditions if c.type == ConditionType.READY), "")


def _render_last(told: _Told) -> LastRun:
    return LastRun(name=told[1].metadata.name, time=told[0])


def _is_unlock(told: _Told) -> bool:
    _, run, result = told
    return run.spec.operation is Operation.BREAK_LOCK and result.phase.succeeded


def _count(result: RepositoryResult) -> int | None:
    counted = result.listing or result.totals
    return counted.archives if counted else None


def _find_append_only(run: BorgRun, result: RepositoryResult) -> Iterator[Finding]:
    if result.compact and result.compact.append_only:
        message = (
            f'BorgRun "{run.metadata.name}" compacted, and nothing was given back: the repository or its server is '
            "append-only. Archives that prune deleted still take their space, and its disk fills, until somebody "
            "compacts it there"
        )
        yield Finding(ConditionType.APPEND_ONLY.value, True, Reason.APPEND_ONLY.value, message)


def _lock(holder: str, runs: Iterable[BorgRun], time: str) -> RepositoryLock:
    pod = parse_lock_holder(holder)
    holding = (run.metadata.name for run in runs if pod and run.status.job_uid == pod.job_uid)
    return RepositoryLock(holder=holder, run_name=next(holding, ""), time=time)


def _locked(result: RepositoryResult) -> bool:
    return result.reason == Reason.LOCKED.value


def _finding(run: BorgRun, result: RepositoryResult, standing: Sequence[Condition | Finding]) -> Finding:
    """Return whether it is ready: by the newest run, unless something is `standing` that an earlier good one hides."""
    name = run.metadata.name
    if speaks_against_it(result):
        reason = result.reason or Reason.RUN_FAILED.value
        return Finding(ConditionType.READY.value, False, reason, f'BorgRun "{name}": {result.error or "failed"}')
    if standing:
        return Finding(ConditionType.READY.value, False, standing[0].reason, standing[0].message)
    # A run's warnings are its own affair, but for those that say that its archive may not be what it seems.
    said = f", but {result.warnings[0]}" if result.reason in SUSPECT and result.warnings else ""
    message = f'BorgRun "{name}" succeeded{said}'
    if result.phase is Phase.FAILED:
        message = f'BorgRun "{name}" had the repository, and failed for another reason: {result.reason}'
    return Finding(ConditionType.READY.value, True, Reason.LAST_RUN_SUCCEEDED.value, message)
