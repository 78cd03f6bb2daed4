"""What a pod is to do, whoever asks for it: a schedule, a repository, a run by hand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from borg_contract.archives.plan import ListingPlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.proof import DrillPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation
from borg_core.kinds.parts.containers.stream import StreamCommand
from borg_core.kinds.parts.hooks import Hook, Hooks
from borg_core.kinds.parts.job import JobOptions
from borg_core.kinds.parts.verification import DrillApp
from borg_core.kinds.parts.volumes import Copy, Source, VolumeSource
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.script import BorgScript
from borg_core.native.claim import ObservedClaim

STREAM_TARGET = "target"
"""The name of the stream into which is restored."""


@dataclass(frozen=True)
class Target:
    """A repository, and for a backup what goes into it and the scripts around its own part.

    Each of the `sources` has a volume: claims that are chosen by labels have been.
    """

    repository: BorgRepository
    sources: tuple[Source, ...] = ()
    hooks: Hooks | None = None
    unjudged_runs: tuple[str, ...] = ()
    """See `borg_contract.plan.RepositoryPlan`."""
    selects: bool = False
    """Whether sources are chosen by labels: then there may be none at the moment."""
    same: tuple[BorgRepository, ...] = ()
    """Others of the namespace that are one borg repository with it: what is damaged by one name, is so by each."""

    @property
    def names(self) -> tuple[BorgRepository, ...]:
        """All BorgRepositories that are this borg repository, as far as is known."""
        return (self.repository, *self.same)


@dataclass(frozen=True)
class Mount:
    """A volume at an absolute path of the pod, besides those of the targets; `writable` where an owner asks for it."""

    volume: VolumeSource
    path: str
    writable: bool = False


@dataclass(frozen=True)
class Workload:
    """All references are resolved; what is missing in the namespace is not in here: `policies` say that.

    `schedule`: whose archives are written or pruned, empty for work on repositories alone. `deadline_seconds`: how long
    it may take, None for ever.
    """

    namespace: str
    operation: Operation
    targets: tuple[Target, ...]
    schedule: str = ""
    time_zone: str = ""
    """In which days, weeks and months begin and end for `prune`; empty for UTC."""
    archive_name_template: str = "{job_name}-{now}"
    hooks: Hooks | None = None
    scripts: Mapping[str, BorgScript] = field(default_factory=dict)
    claims: Mapping[str, ObservedClaim] = field(default_factory=dict)
    """Those that are there, by name: what copies of them have to be like."""
    prune: Retention | None = None
    compact_threshold: int | None = None
    dead_holders: tuple[str, ...] = ()
    listing: ListingPlan | None = None
    """For List: which archives are to be told."""
    mounts: tuple[Mount, ...] = ()
    in_slices: bool = False
    """Whether a check may go on another time, where the repository says so."""
    drill: DrillPlan | None = None
    app: DrillApp | None = None
    """What tries the files that the drill restored, in a container of its own."""
    restore: RestorePlan | None = None
    stream: StreamCommand | None = None
    """For Preview and Restore: what is given the one file that is brought back."""
    capabilities: tuple[str, ...] = ()
    """What a root pod is allowed besides reading and writing every file."""
    gives_groups: bool = True
    """Whether Kubernetes may give the volumes that are written to the pod's group, where the owner does not say so."""
    scratch_bytes: int | None = None
    """How much the pod may write into its scratch folder; None: as much as the node has."""
    options: JobOptions = field(default_factory=JobOptions)
    deadline_seconds: int | None = None

    @property
    def streams(self) -> dict[str, StreamCommand]:
        """The commands beside the runner, by the names of their streams."""
        targets = self.targets if self.operation is Operation.BACKUP else ()
        sources = (source for target in targets for source in target.sources)
        dumps: dict[str, StreamCommand] = {source.name: source.dump for source in sources if source.dump}
        if self.stream and self.gives_to_command:
            return {STREAM_TARGET: self.stream}
        return dumps

    @property
    def images(self) -> frozenset[str]:
        """Which images its owner asks for, and the installer has to allow."""
        app = self.app.image if self.app else None
        asked = (self.options.image, app, *(command.image for command in self.streams.values()))
        return frozenset(image for image in asked if image)

    @property
    def gives_to_command(self) -> bool:
        """Whether a command is given what is brought back: what that does twice, only its owner knows."""
        return self.stream is not None and self.operation is Operation.RESTORE

    @property
    def copied(self) -> tuple[Source, ...]:
        """The sources of which the pod gets copies: only a backup reads them."""
        if self.operation is not Operation.BACKUP:
            return ()
        return tuple(source for target in self.targets for source in target.sources if source.is_copied)

    @property
    def reads_snapshots(self) -> bool:
        """Whether a copy is made from a VolumeSnapshot, which the operator takes before the Job begins."""
        return any(source.copy_ is Copy.SNAPSHOT for source in self.copied)

    @property
    def has_group(self) -> bool:
        """Whether the pod has a group of its own, unless its owner gives it none: volumes that it may write get it.

        A copy may be written: its files would be given away too, and archives would show another group and other
        modes than the claim has.
        """
        return self.gives_groups and not self.copied

    @property
    def all_hooks(self) -> Iterator[Hook]:
        """Every hook that a pod may run."""
        for hooks in (self.hooks, *(target.hooks for target in self.targets)):
            yield from hooks.given if hooks else ()
