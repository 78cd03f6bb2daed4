"""What planning a repository asks of it and of what is around it, gathered from what is known of the cluster."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from borg_contract.run import Operation, Phase
from borg_core.claims.told import find_selected_in
from borg_core.kinds.archive import ARCHIVES, KnownArchive
from borg_core.kinds.parts.job import JobOptions
from borg_core.kinds.repository import IDENTITY, PLACE, REPOSITORIES, BorgRepository, groups_of_repository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.status import Finding
from borg_core.native.claim import ObservedClaim
from borg_core.registry import Reference
from borg_core.runs.vanished import find_told, may_have_pruned
from borg_core.view import View
from borg_core.workload.bundle import find_oldest, gather_claims, gather_same
from borg_core.workload.workload import Target, Workload


@dataclass(frozen=True)
class Surroundings:
    """What a repository's status counts: schedules that refer to it, and runs that used it, whoever asked for them."""

    schedules: int = 0
    names: tuple[str, ...] = ()
    """Of these schedules."""
    pruning: frozenset[str] = frozenset()
    """Those of them whose backups prune."""
    runs: tuple[BorgRun, ...] = ()
    died: tuple[BorgRun, ...] = ()
    """Runs of these schedules that may have pruned, and said nothing."""
    claims: Mapping[str, ObservedClaim] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    """Names of other BorgRepositories of the namespace that are in the same place."""
    twins: tuple[str, ...] = ()
    """Names of those that are elsewhere by their spec and yet one repository, by borg's id."""
    same: tuple[BorgRepository, ...] = ()
    """All of these."""
    archives: tuple[KnownArchive, ...] = ()
    busy: frozenset[str] = frozenset()
    """Schedules of which a run is at work."""
    options: JobOptions = field(default_factory=JobOptions)
    """How pods on the repository run: as those of the oldest schedule that writes into it, which can read it."""
    selected: tuple[Finding, ...] = ()
    """What its own sources choose by labels."""


def gather_surroundings(view: View, repository: BorgRepository) -> Surroundings:
    """Return what is around the repository."""
    subject = Reference(REPOSITORIES.kind, *repository.metadata.key)
    mounting = Workload(repository.metadata.namespace, Operation.CHECK, targets=(Target(repository),))
    schedules = view.referring_to(SCHEDULES, subject)
    oldest = find_oldest(view, subject)
    return Surroundings(
        schedules=len(schedules),
        names=tuple(schedule.metadata.name for schedule in schedules),
        pruning=frozenset(schedule.metadata.name for schedule in schedules if schedule.spec.prune.enabled),
        runs=tuple(view.referring_to(RUNS, subject)),
        died=tuple(_find_untold(view, schedules, repository.metadata.name)),
        claims=gather_claims(view, mounting),
        aliases=_sharing(view, repository, PLACE),
        twins=_sharing(view, repository, IDENTITY),
        same=gather_same(view, repository),
        archives=tuple(view.referring_to(ARCHIVES, subject)),
        busy=frozenset(_find_busy(view, schedules)),
        options=oldest.spec.job if oldest else JobOptions(),
        selected=tuple(find_selected_in(view, repository)),
    )


def _sharing(view: View, repository: BorgRepository, index: str) -> tuple[str, ...]:
    namespace, own = repository.metadata.namespace, repository.metadata.name
    found = (
        other.metadata.name
        for known, value in groups_of_repository(repository)
        if known == index
        for other in view.grouped(REPOSITORIES, index, namespace, value)
    )
    return tuple(name for name in found if name != own)


def _find_untold(view: View, schedules: Iterable[BorgSchedule], name: str) -> Iterator[BorgRun]:
    """Yield those that may have pruned here: recorded before any later backup, whose result they make uncertain."""
    for schedule in schedules:
        reference = Reference(SCHEDULES.kind, *schedule.metadata.key)
        for run in view.referring_to(RUNS, reference):
            if find_told(run, name) is None and may_have_pruned(run, None, prunes=schedule.spec.prune.enabled):
                yield run


def _find_busy(view: View, schedules: Iterable[BorgSchedule]) -> Iterator[str]:
    for schedule in schedules:
        reference = Reference(SCHEDULES.kind, *schedule.metadata.key)
        if any(run.status.phase is Phase.RUNNING for run in view.referring_to(RUNS, reference)):
            yield schedule.metadata.name
