"""A repository in numbers, as the newest runs on it found it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from borg_contract.reasons import Reason
from borg_contract.run import Phase
from borg_core.clock import CronSchedule
from borg_core.clock.hashed import resolve
from borg_core.clock.rhythm import derive_interval
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes, Verification
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType
from borg_core.readings.reading import Key, derive_seconds, derive_truth
from borg_core.runs.status.run_status import is_own_listing
from borg_core.verification.checks import CHECKS, DRILLS, CronJobKind

Outcome = tuple[str, bool]
"""When a run ended that used a repository, and whether it gave up waiting for the lock."""


@dataclass(frozen=True, slots=True)
class RepositoryReading:
    """Times in seconds since 1970, sizes in bytes; None: not known."""

    namespace: str
    name: str
    place: str
    """`local` or `ssh`."""
    claim: str
    """The claim of a local repository, else empty."""
    ready: bool | None
    schedules: int
    archives: int | None
    original_size: int | None
    deduplicated_size: int | None
    last_backup: float | None
    last_compact: float | None
    append_only: bool | None
    """None while no run has compacted."""
    missing: bool
    replaced: bool
    rolled_back: bool
    clock_disagrees: bool
    verified: bool | None
    """None while no check or drill has come to its end."""
    damaged: bool
    last_check: float | None
    """When the newest one ended; before the first one, when they were asked for. None: they are not."""
    check_interval: float | None
    last_drill: float | None
    drill_interval: float | None
    coverage: int | None
    restore_rate: int | None
    locked_since: float | None
    """When the first of the runs gave up that found it locked and were followed by none that did not."""
    lock_timeouts: int
    """How many of the runs that are kept gave up waiting for its lock."""

    @property
    def locked(self) -> bool:
        return self.locked_since is not None


def derive_repository_reading(
    repository: BorgRepository, outcomes: Mapping[Key, tuple[Outcome, ...]]
) -> RepositoryReading:
    """Return the repository's numbers; `outcomes` as `collect_outcomes` gives them."""
    metadata, local, status = repository.metadata, repository.spec.local, repository.status
    known = outcomes.get(metadata.key, ())
    return RepositoryReading(
        namespace=metadata.namespace,
        name=metadata.name,
        place="local" if local else "ssh",
        claim=(local.volume.claim_name or "") if local else "",
        ready=derive_truth(status.conditions, ConditionType.READY),
        schedules=status.schedules or 0,
        archives=status.archives,
        original_size=status.original_size,
        deduplicated_size=status.deduplicated_size,
        last_backup=derive_seconds(status.last_backup_time),
        last_compact=derive_seconds(status.last_compact_time),
        append_only=derive_truth(status.conditions, ConditionType.APPEND_ONLY)
        or (False if status.last_compact_time else None),
        missing=bool(derive_truth(status.conditions, ConditionType.MISSING)),
        replaced=bool(derive_truth(status.conditions, ConditionType.REPLACED)),
        rolled_back=bool(derive_truth(status.conditions, ConditionType.ROLLED_BACK)),
        clock_disagrees=bool(derive_truth(status.conditions, ConditionType.CLOCK_DISAGREES)),
        verified=derive_truth(status.conditions, ConditionType.VERIFIED),
        damaged=status.damage is not None,
        last_check=_newest(repository, CHECKS, status.last_check_time, status.checks_since),
        check_interval=_interval(repository, CHECKS),
        last_drill=_newest(repository, DRILLS, status.last_drill_time, status.drills_since),
        drill_interval=_interval(repository, DRILLS),
        coverage=status.coverage,
        restore_rate=status.restore_rate,
        locked_since=derive_seconds(_locked_since(known) or status.lock.time) if status.lock else None,
        lock_timeouts=sum(locked for _, locked in known),
    )


def _times(repository: BorgRepository, kind: CronJobKind) -> CheckTimes | DrillTimes | None:
    asked = repository.spec.verification or Verification()
    return asked.check if kind is CHECKS else asked.drill


def _interval(repository: BorgRepository, kind: CronJobKind) -> float | None:
    times = _times(repository, kind)
    if times is None:
        return None
    namespace, name = repository.metadata.key
    read = CronSchedule.try_parse(resolve(times.schedule, namespace, kind.name(name)), times.time_zone)
    return derive_interval(read.rule) if read else None


def _newest(repository: BorgRepository, kind: CronJobKind, ended: str | None, since: str | None) -> float | None:
    """Return the last time at which nobody had to wait for one: its end, or when such were asked for, or again."""
    if _times(repository, kind) is None:
        return None
    return derive_seconds(max(filter(None, (ended, since)), default=None))


def collect_outcomes(runs: Iterable[BorgRun]) -> dict[Key, tuple[Outcome, ...]]:
    """Return, by the repository's (namespace, name), how the runs that used it and have ended went: oldest first."""
    found: defaultdict[Key, list[Outcome]] = defaultdict(list)
    for run in runs:
        if run.finished:
            for result in run.status.repositories:
                if result.phase is not Phase.SKIPPED and not is_own_listing(run):
                    outcome = (run.status.completion_time or "", result.reason == Reason.LOCKED)
                    found[run.metadata.namespace, result.name].append(outcome)
    return {key: tuple(sorted(outcomes)) for key, outcomes in found.items()}


def _locked_since(outcomes: tuple[Outcome, ...]) -> str | None:
    since = None
    for time, locked in outcomes:
        since = (since or time) if locked else None
    return since
