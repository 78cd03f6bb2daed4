"""The plan: all that one run needs to know, in the order in which it is done."""

from dataclasses import dataclass, field

from borg_contract.archives.ids import DEFAULT_LIMIT
from borg_contract.archives.plan import ListingPlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.proof import CheckPlan, DrillPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation

ACCEPTED_ID_ANNOTATION = "borgoperator.io/repository-id"
"""On a BorgRepository, by a person: the borg repository of this id is the right one now, whatever was there before."""

LOST_ID_ANNOTATION = "borgoperator.io/lost-repository-id"
"""On a BorgRepository, by a person: the borg repository of this id is lost, and a new one may be begun in its place."""

SHOWN_DIGITS = 16
"""So many digits of an id tell two repositories apart for people."""


@dataclass(frozen=True)
class SecretFile:
    """One key of a Secret, mounted (as optional) at `path`; `name` and `key` are for the message when it is absent."""

    path: str
    name: str
    key: str


@dataclass(frozen=True)
class HookPlan:
    """A BorgScript with its parameters resolved; secret ones by file, so that no value is in the plan."""

    script: str
    content: str
    timeout_seconds: int
    parameters: dict[str, str] = field(default_factory=dict)
    secret_parameters: dict[str, SecretFile] = field(default_factory=dict)


@dataclass(frozen=True)
class HooksPlan:
    pre_backup: HookPlan | None = None
    post_backup: HookPlan | None = None


@dataclass(frozen=True)
class StreamPlan:
    """A command in a container beside `borg`, which writes what borg archives, or reads what borg has archived.

    `name`: of its folder, see `borg_contract.pod.stream_folder`. `program`: for people. `secrets`: what of Secrets its
    environment holds, by the variables' names: the runner says which is missing, and conceals all.
    """

    name: str
    program: str
    secrets: dict[str, SecretFile] = field(default_factory=dict)


@dataclass(frozen=True)
class SourcePlan:
    """What the archive has at `/sources/<name>`.

    A volume there, of which the paths below its root are backed up; or with `dump` the one file of `paths`, which is
    what that command writes.
    """

    name: str
    paths: tuple[str, ...] = (".",)
    dump: StreamPlan | None = None


@dataclass(frozen=True)
class SshPlan:
    private_key: SecretFile
    known_hosts: SecretFile


@dataclass(frozen=True)
class RepositoryPlan:
    """One repository of the run. `location` is what borg is given: an absolute path or an ssh:// URL."""

    name: str
    location: str
    encryption: str
    sources: tuple[SourcePlan, ...] = ()
    """What is backed up into it; empty for work on the repository alone."""
    passphrase: SecretFile | None = None
    ssh: SshPlan | None = None
    remote_path: str = ""
    initialize: bool = True
    """Whether it is created when it does not exist and none is known."""
    repository_ids: tuple[str, ...] = ()
    """Borg's ids of which it has to have one: first that of before, then one that a person accepts. Empty: none is
    known."""
    place: str = ""
    """What tells this place from others; for the result, which says by it where the run has been."""
    is_doubted: bool = False
    """Whether the last run found another one there: even a backup over SSH asks first, then."""
    unjudged_runs: tuple[str, ...] = ()
    """Backups of the schedule that ended before they had looked whether all is in the archive that they made here, or
    could not mark it; see `borg_contract.ownership.name_run`."""
    exclude: tuple[str, ...] = ()
    compression: str = ""
    upload_rate_limit_kib: int = 0
    min_files: int | None = None
    """How many files an archive must hold; 0: it may well be empty; None: that was not said."""
    hooks: HooksPlan | None = None
    archive_limit: int = DEFAULT_LIMIT
    """How many of its archives, the newest, the cluster is to know."""
    damage: str = ""
    """What is known to be damaged: until a check passes, nothing is pruned or compacted. Empty: nothing is known."""
    check: CheckPlan | None = None
    """How far a check goes; None: to its end, without reading all data."""


@dataclass(frozen=True)
class RunPlan:
    """All that one run needs to know, in the order in which it is done."""

    namespace: str
    operation: Operation
    repositories: tuple[RepositoryPlan, ...]
    schedule: str = ""
    """The schedule whose archives these are; empty for a run of a repository alone, which can neither Backup nor
    Prune."""
    cluster: str = ""
    """Which cluster this is, for the comment of archives; empty where the operator does not know."""
    archive_name_template: str = "{job_name}-{now}"
    hooks: HooksPlan | None = None
    prune: Retention | None = None
    local_time: str = ""
    """By whose days, weeks and months `prune` counts: a rule as POSIX has it in TZ, which needs no file of the image.
    Empty: UTC's."""
    compact_threshold: int | None = None
    """Percent of a segment that must be unused for `borg compact` to rewrite it; None: no compact."""
    lock_wait_seconds: int = 1800
    dead_holders: tuple[str, ...] = ()
    """Holders (`borg_contract.pod.lock_holder`) proven dead: their locks may be broken."""
    listing: ListingPlan | None = None
    """For List: which archives of the one repository of the plan are to be told. None: they are only counted."""
    drill: DrillPlan | None = None
    """For a Drill: what to restore."""
    restore: RestorePlan | None = None
    """For Preview and Restore: what to bring back from the one repository of the plan."""
    stream: StreamPlan | None = None
    """The same, where it is brought back into a command, not into a volume."""

    @property
    def streams(self) -> dict[str, StreamPlan]:
        """The commands in containers beside the runner's that the run uses, each once, by name."""
        return {stream.name: stream for repository in self.repositories for stream in self.streams_of(repository)}

    def streams_of(self, repository: RepositoryPlan) -> list[StreamPlan]:
        """Return those of them that the work on one of the repositories needs."""
        if self.operation is Operation.BACKUP:
            return [source.dump for source in repository.sources if source.dump is not None]
        return [self.stream] if self.stream is not None and self.operation is Operation.RESTORE else []
