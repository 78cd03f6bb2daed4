"""A schedule together with all that it refers to: what policies look at, and what a workload is made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from borg_contract.ownership import name_run
from borg_contract.run import Operation
from borg_core.claims.selection import Selection, find_named, select_sources, selects
from borg_core.kinds.parts.volumes import Source
from borg_core.kinds.repository import REPOSITORIES, BorgRepository, groups_of_repository
from borg_core.kinds.restore import RESTORES, BorgRestore
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import OWN_ARCHIVE_NAMES, SCHEDULES, TITLE, BorgSchedule
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.native.claim import CLAIMS, IN_NAMESPACE, ObservedClaim
from borg_core.registry import Reference
from borg_core.view import View
from borg_core.workload.mounts import derive_claims, derive_written
from borg_core.workload.owner import Owner
from borg_core.workload.workload import Target, Workload

_MOST_UNJUDGED = 10


@dataclass(frozen=True)
class Bundle:
    """`repositories` and `scripts` by name; a reference without an entry is missing in the namespace."""

    schedule: BorgSchedule
    repositories: dict[str, BorgRepository] = field(default_factory=dict)
    scripts: dict[str, BorgScript] = field(default_factory=dict)
    claims: Mapping[str, ObservedClaim] = field(default_factory=dict)
    """The PersistentVolumeClaims of the namespace by name, as far as the schedule needs them and they exist."""
    neighbours: tuple[BorgSchedule, ...] = ()
    """Other schedules that write into one of its repositories and whose archive names are made another way."""
    namesakes: tuple[BorgSchedule, ...] = ()
    """Other schedules of the namespace that are called the same by people."""
    restores: tuple[BorgRestore, ...] = ()
    """Restores at work on a claim that it backs up."""
    runs: tuple[BorgRun, ...] = ()
    """Those of the schedule that are kept."""
    candidates: tuple[ObservedClaim, ...] = ()
    """All claims of the namespace, where a source chooses by labels."""
    same: Mapping[str, tuple[BorgRepository, ...]] = field(default_factory=dict)
    """By the name of a repository, others that are one borg repository with it."""
    left: tuple[Target, ...] = ()
    """Repositories to which it refers no more, and that its CronJob may go on to use as long as that is held."""

    @property
    def targets(self) -> tuple[BorgRepository, ...]:
        """The repositories that exist, in the order of the schedule."""
        names = (ref.name for ref in self.schedule.spec.repository_refs)
        return tuple(self.repositories[name] for name in names if name in self.repositories)

    def wanted_in(self, repository: BorgRepository) -> tuple[Source, ...]:
        """Return what is to go into `repository`, as it is written: the schedule's own sources replace its own."""
        return self.schedule.spec.sources or repository.spec.sources

    @cached_property
    def selections(self) -> dict[str, Selection]:
        """What becomes of that, by the repository's name."""
        wanted = {target.metadata.name: self.wanted_in(target) for target in self.targets}
        named = find_named(source for sources in wanted.values() for source in sources)
        written = derive_written(self.targets)
        return {
            name: select_sources(sources, self.candidates, named=named, written=written)
            for name, sources in wanted.items()
        }

    @property
    def selects(self) -> bool:
        """Whether any of its sources chooses claims by labels."""
        return any(selects(self.wanted_in(target)) for target in self.targets)

    @property
    def owner(self) -> Owner:
        metadata = self.schedule.metadata
        return Owner.of(SCHEDULES, *metadata.key, metadata.uid)

    def workload(self, operation: Operation = Operation.BACKUP, dead_holders: tuple[str, ...] = ()) -> Workload:
        """Return what a run of the schedule does, with the repositories and scripts that exist."""
        spec = self.schedule.spec
        return Workload(
            namespace=self.schedule.metadata.namespace,
            operation=operation,
            schedule=self.schedule.metadata.name,
            time_zone=spec.time_zone,
            targets=tuple(
                Target(
                    repository,
                    self.selections[repository.metadata.name].sources,
                    repository.spec.hooks if spec.run_repository_hooks else None,
                    _find_unjudged(self.runs, repository.metadata.name),
                    selects(self.wanted_in(repository)),
                    self.same.get(repository.metadata.name, ()),
                )
                for repository in self.targets
            ),
            archive_name_template=spec.archive_name_template,
            hooks=spec.hooks,
            scripts=self.scripts,
            claims=self.claims,
            prune=spec.prune.retention if spec.prune.enabled or operation is Operation.PRUNE else None,
            compact_threshold=spec.compact.threshold
            if spec.compact.enabled or operation is Operation.COMPACT
            else None,
            dead_holders=dead_holders,
            options=spec.job,
            deadline_seconds=spec.active_deadline_seconds,
        )


def gather_bundle(view: View, schedule: BorgSchedule) -> Bundle:
    """Return the schedule with all that it refers to and that exists."""
    namespace = schedule.metadata.namespace
    repositories: dict[str, BorgRepository] = {}
    for ref in schedule.spec.repository_refs:
        if repository := view.get(REPOSITORIES, namespace, ref.name):
            repositories[ref.name] = repository
    plain = Bundle(schedule, repositories)
    if plain.selects:
        candidates = tuple(view.grouped(CLAIMS, IN_NAMESPACE, namespace, ""))
        plain = Bundle(schedule, repositories, candidates=candidates)
    workload = plain.workload()
    scripts: dict[str, BorgScript] = {}
    for hook in workload.all_hooks:
        if script := view.get(SCRIPTS, namespace, hook.script_ref.name):
            scripts[hook.script_ref.name] = script
    return Bundle(
        schedule,
        repositories,
        scripts,
        gather_claims(view, workload),
        _neighbours(view, schedule),
        _namesakes(view, schedule),
        gather_restores(view, namespace, derive_claims(workload)[1]),
        tuple(view.referring_to(RUNS, Reference(SCHEDULES.kind, *schedule.metadata.key))),
        plain.candidates,
        {name: gather_same(view, repository) for name, repository in repositories.items()},
    )


def gather_targets(view: View, namespace: str, names: Iterable[str]) -> tuple[Target, ...]:
    """Return those of the repositories that exist, as far as their damage is asked for."""
    found = (view.get(REPOSITORIES, namespace, name) for name in sorted(names))
    return tuple(Target(repository, same=gather_same(view, repository)) for repository in found if repository)


def gather_same(view: View, repository: BorgRepository) -> tuple[BorgRepository, ...]:
    """Return the others of the namespace that are one borg repository with it: in one place, or of one id."""
    namespace, own = repository.metadata.key
    found = {
        other.metadata.name: other
        for index, value in groups_of_repository(repository)
        for other in view.grouped(REPOSITORIES, index, namespace, value)
    }
    return tuple(found[name] for name in sorted(found) if name != own)


def find_oldest(view: View, repository: Reference) -> BorgSchedule | None:
    """Return the oldest schedule that writes into the repository: as its pods run, others can use it as well."""
    schedules = view.referring_to(SCHEDULES, repository)
    return min(schedules, key=lambda schedule: schedule.metadata.creation_timestamp, default=None)


def gather_claims(view: View, workload: Workload) -> dict[str, ObservedClaim]:
    """Return those claims of the workload that exist, by name."""
    written, read = derive_claims(workload)
    found = {name: view.get(CLAIMS, workload.namespace, name) for name in sorted({*written, *read})}
    return {name: claim for name, claim in found.items() if claim}


def gather_restores(view: View, namespace: str, claims: Iterable[str]) -> tuple[BorgRestore, ...]:
    """Return the restores that are at work, or about to be, on one of these claims."""
    found = {
        restore.metadata.name: restore
        for claim in claims
        for restore in view.referring_to(RESTORES, Reference(CLAIMS.kind, namespace, claim))
        if restore.holds and restore.claim_name == claim
    }
    return tuple(found[name] for name in sorted(found))


def _find_unjudged(runs: Iterable[BorgRun], repository: str) -> tuple[str, ...]:
    """Return the newest backups that began and may not have looked at their archive, each as `name_run` says it.

    Few: runs that die night after night are not to fill the plan, and each run that prunes marks what it finds.
    """

    def is_unjudged(run: BorgRun) -> bool:
        told = next((result for result in run.status.repositories if result.name == repository), None)
        began = run.status.start_time is not None and run.spec.operation is Operation.BACKUP
        if not (run.finished and began and run.status.phase):
            return False
        return told.unjudged if told else not run.status.phase.succeeded

    found = sorted((run for run in runs if is_unjudged(run)), key=lambda run: run.status.completion_time or "")
    return tuple(name_run(run.metadata.name, run.status.job_uid or "") for run in found[-_MOST_UNJUDGED:])


def _namesakes(view: View, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
    found = view.grouped(SCHEDULES, TITLE, schedule.metadata.namespace, schedule.title)
    return _without(schedule, found)


def _neighbours(view: View, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
    """Return the schedules whose archives might look like this one's: none as a rule, however many there are."""
    namespace = schedule.metadata.namespace
    found: dict[str, BorgSchedule] = {}
    for ref in schedule.spec.repository_refs:
        if schedule.names_archives_itself:
            others = view.referring_to(SCHEDULES, Reference(REPOSITORIES.kind, namespace, ref.name))
        else:
            others = view.grouped(SCHEDULES, OWN_ARCHIVE_NAMES, namespace, ref.name)
        found |= {other.metadata.name: other for other in others}
    return _without(schedule, found.values())


def _without(schedule: BorgSchedule, found: Iterable[BorgSchedule]) -> tuple[BorgSchedule, ...]:
    return tuple(other for other in found if other.metadata.name != schedule.metadata.name)
