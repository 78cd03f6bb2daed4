"""What a pod is to do, whoever asks for it: a schedule, a repository, a run by hand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from borg_contract.archives.plan import ListingPlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.proof import DrillPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation
from borg_core.kinds.parts.hooks import Hook, Hooks
from borg_core.kinds.parts.job import JobOptions
from borg_core.kinds.parts.verification import DrillApp
from borg_core.kinds.parts.volumes import Source, VolumeSource
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.script import BorgScript


@dataclass(frozen=True)
class Target:
    """A repository, and for a backup what goes into it and the scripts around its own part."""

    repository: BorgRepository
    sources: tuple[Source, ...] = ()
    hooks: Hooks | None = None
    unjudged_runs: tuple[str, ...] = ()
    """See `borg_contract.plan.RepositoryPlan`."""


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
    capabilities: tuple[str, ...] = ()
    """What a root pod is allowed besides reading and writing every file."""
    gives_groups: bool = True
    """Whether Kubernetes may give the volumes that are written to the pod's group, where the owner does not say so."""
    scratch_bytes: int | None = None
    """How much the pod may write into its scratch folder; None: as much as the node has."""
    options: JobOptions = field(default_factory=JobOptions)
    deadline_seconds: int | None = None

    @property
    def all_hooks(self) -> Iterator[Hook]:
        """Every hook that a pod may run."""
        for hooks in (self.hooks, *(target.hooks for target in self.targets)):
            yield from hooks.given if hooks else ()
