"""BorgRepository: where archives go, how they are protected, and what is backed up into them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from borg_contract.archives.ids import DEFAULT_LIMIT
from borg_contract.schema import Rule, Schema
from borg_core.kinds.archive import ArchiveLimit, RepositoryListing
from borg_core.kinds.parts.base import GROUP, UNSEEN, VERSION, Conditions, Metadata, Model, ObservedGeneration, Time
from borg_core.kinds.parts.exclude import Exclude
from borg_core.kinds.parts.hooks import Hooks
from borg_core.kinds.parts.targets import (
    IS_WRITTEN_TO,
    Encryption,
    LastRun,
    LocalTarget,
    RepositoryIdentity,
    RepositoryLock,
    SshTarget,
    derive_place,
)
from borg_core.kinds.parts.verification import Verification, VerificationStatus
from borg_core.kinds.parts.volumes import MinFiles, Sources, Volume, references_of_sources, references_of_volumes
from borg_core.kinds.status import ConditionType, is_true
from borg_core.registry import Column, Definition, Kind, Reference


class BorgRepositorySpec(Model):
    local: Annotated[
        LocalTarget | None,
        Schema(
            "The repository is a folder in a volume that the backup pods mount. Back up to another machine "
            "as well (`ssh`): a volume of the same cluster does not survive the loss of the cluster.",
            *IS_WRITTEN_TO,
        ),
    ] = None
    ssh: Annotated[
        SshTarget | None,
        Schema(
            "The repository is on a server that is reached over SSH and has borg installed (the same major "
            "and minor version is best: 1.4)."
        ),
    ] = None
    encryption: Annotated[
        Encryption, Schema("How the archives are protected. Borg fixes this when it creates the repository.")
    ] = Encryption()
    initialize: Annotated[
        bool,
        Schema(
            "Create the repository on the first run when it does not exist (default true). Set it to false where it "
            "is there already, so that a wrong place is an error, not a new and empty repository. One that a run has "
            "once found is never made anew by itself: see `status.identity`."
        ),
    ] = True
    sources: Annotated[
        Sources,
        Schema(
            "What is backed up into this repository by every schedule that names no sources of its own. Each "
            "source is a volume, mounted read-only at `/sources/<name>`, the path that archives show.",
        ),
    ] = ()
    exclude: Exclude = ()
    min_files: MinFiles = None
    compression: Annotated[
        str,
        Schema(
            "As in `borg create --compression`: `none`, `lz4` (fast), `zstd[,1-22]`, `zlib[,0-9]`, "
            "`lzma[,0-9]`, `auto,C` (try whether it is worth it), `obfuscate,SPEC,C` (hide sizes). Default "
            "`zstd,3`.",
            Rule(
                "self.matches(r'^(obfuscate,([1-6]|11[0-9]|12[0-3]),)?(auto,)?(none|lz4|zstd(,([1-9]|1[0-9]|2[0-2]))?|(zlib|lzma)(,[0-9])?)$')",
                "give none, lz4, zstd[,1-22], zlib[,0-9] or lzma[,0-9], with auto, or obfuscate,LEVEL, in "
                "front if wanted; for example zstd,3 or auto,zstd,10",
            ),
            minLength=1,
            maxLength=64,
        ),
    ] = "zstd,3"
    upload_rate_limit_ki_b: Annotated[
        int,
        Schema(
            "At most so many KiB (1,024 bytes) per second are sent to a repository over SSH; 0 (default) is no limit.",
            format="int32",
            minimum=0,
        ),
    ] = 0
    hooks: Annotated[
        Hooks | None,
        Schema(
            "Scripts around the backup into this repository alone. They run only for schedules with "
            "`runRepositoryHooks: true`."
        ),
    ] = None
    cache: Annotated[
        Volume | None,
        Schema(
            "Where borg keeps its cache of this repository between runs, so that unchanged files are "
            "recognised without reading them. Default: an emptyDir, which costs time (the cache is rebuilt "
            "at each run) but no correctness.",
        ),
    ] = None
    archive_limit: ArchiveLimit = DEFAULT_LIMIT
    verification: Annotated[
        Verification | None, Schema("What is done to learn early that archives can no longer be read.")
    ] = None


class BorgRepositoryStatus(VerificationStatus):
    """Sizes in bytes, of the whole repository, as the newest run on it found them."""

    conditions: Conditions = ()
    observed_generation: ObservedGeneration = None
    last_backup_time: Annotated[Time | None, Schema("When the newest archive by this operator was finished.")] = None
    archives: Annotated[
        int | None,
        Schema("How many archives are in the repository, counted after the newest run.", format="int64", minimum=0),
    ] = None
    original_size: Annotated[
        int | None, Schema("Bytes of all archives together as if each were extracted.", format="int64", minimum=0)
    ] = None
    deduplicated_size: Annotated[
        int | None,
        Schema(
            "Bytes that the archives really take in the repository, compressed and deduplicated.",
            format="int64",
            minimum=0,
        ),
    ] = None
    size: Annotated[str | None, Schema("deduplicatedSize rounded for people, for example `1.2Gi`.", maxLength=32)] = (
        None
    )
    listing: Annotated[RepositoryListing | None, Schema("How far its archives are known as BorgArchives.")] = None
    identity: Annotated[
        RepositoryIdentity | None,
        Schema(
            "Which borg repository it is. A run that finds another one there fails, and the condition `Replaced` says "
            "so, until you accept that one with the annotation `borgoperator.io/repository-id: ID`. One that is gone "
            "is not made anew (condition `Missing`) before you say that it is lost, with the annotation "
            "`borgoperator.io/lost-repository-id: ID`, in which ID is its own, of before."
        ),
    ] = None
    lock: Annotated[
        RepositoryLock | None,
        Schema(
            "Who held the repository's lock when a run could not have it; gone as soon as a run has "
            "succeeded. If you know that nobody works on the repository, a BorgRun with `operation: "
            "BreakLock` removes the lock."
        ),
    ] = None
    last_run: Annotated[
        LastRun | None,
        Schema("The run by which the condition `Ready` goes: it holds until a later one ends, kept or not."),
    ] = None
    last_compact_time: Annotated[
        Time | None, Schema("When a run last compacted it; never where it is append-only.")
    ] = None
    schedules: Annotated[
        int | None, Schema("How many BorgSchedules in the namespace use this repository.", format="int32", minimum=0)
    ] = None


class BorgRepository(Model):
    kind: Literal["BorgRepository"] = "BorgRepository"
    metadata: Metadata
    spec: Annotated[
        BorgRepositorySpec,
        Schema(
            "What this repository is. Exactly one of `local` and `ssh` says where.",
            Rule(
                "has(self.local) != has(self.ssh)",
                "give exactly one of local (a folder in a volume) and ssh (a server with borg)",
            ),
            Rule(
                "has(self.encryption) && (self.encryption.mode == 'none' || has(self.encryption.passphraseSecretRef))",
                "give encryption.passphraseSecretRef, a Secret in this namespace with the repository's "
                "passphrase, or set encryption.mode to none for a repository that anyone with its files can "
                "read",
                ".encryption",
            ),
        ),
    ]
    status: Annotated[
        BorgRepositoryStatus,
        Schema(
            "What the operator found; written by it alone. Sizes are of the whole repository.",
            default=UNSEEN,
        ),
    ] = BorgRepositoryStatus()


PLACE = "place"
"""Index of repositories: where they are."""

IDENTITY = "identity"
"""Index of repositories: by borg's own id, once a run has told it."""


def references_of_repository(repository: BorgRepository) -> Iterator[Reference]:
    for hook in repository.spec.hooks.given if repository.spec.hooks else ():
        yield Reference("BorgScript", repository.metadata.namespace, hook.script_ref.name)
    spec = repository.spec
    mounted = (spec.local.volume if spec.local else None, spec.cache)
    yield from references_of_volumes(repository.metadata.namespace, mounted)
    yield from references_of_sources(repository.metadata.namespace, spec.sources)


def groups_of_repository(repository: BorgRepository) -> Iterator[tuple[str, str]]:
    if place := derive_place(repository.spec.local, repository.spec.ssh):
        yield PLACE, place
    if (identity := repository.status.identity) and identity.id:
        yield IDENTITY, identity.id


def shown_of_repository(repository: BorgRepository) -> object:
    """Return what runs of schedules go by: see `borg_core.workload.identity`; they prune nothing of what is damaged."""
    identity, damage = repository.status.identity, repository.status.damage
    replaced = is_true(ConditionType.REPLACED, repository.status.conditions)
    return (identity.id, identity.place, identity.lost, replaced) if identity else None, damage


REPOSITORIES = Kind(
    "BorgRepository",
    GROUP,
    VERSION,
    "borgrepositories",
    BorgRepository.model_validate,
    references_of_repository,
    groups_of_repository,
    shown=shown_of_repository,
    definition=Definition(
        model=BorgRepository,
        short_name="brepo",
        schema=Schema(
            "A Borg repository: where archives go, how they are protected, and what is backed up into "
            "them. Deleting this resource deletes no archive.",
            Rule(
                "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
                "the name becomes a folder and part of volume names: at most 63 characters, lower-case "
                "letters, digits and '-' only (no '.')",
                ".metadata.name",
            ),
            Rule(
                "!has(oldSelf.status) || !has(oldSelf.status.lastBackupTime) || "
                "self.spec.encryption.mode == oldSelf.spec.encryption.mode",
                "Borg fixes the encryption mode when it creates a repository, and this one already holds "
                "backups: make a new BorgRepository with the other mode and point the schedules at it",
                ".spec.encryption.mode",
            ),
        ),
        columns=(
            Column(
                "Last Backup",
                ".status.lastBackupTime",
                type="date",
                description="How long ago the newest archive was made by this operator.",
            ),
            Column(
                "Archives", ".status.archives", type="integer", description="How many archives are in the repository."
            ),
            Column(
                "Size",
                ".status.size",
                description="What the archives take in the repository, compressed and deduplicated.",
            ),
            Column("Schedules", ".status.schedules", type="integer", description="How many BorgSchedules use it."),
            Column(
                "Ready",
                '.status.conditions[?(@.type=="Ready")].status',
                description="Whether backups into this repository can run.",
            ),
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why, in one word."),
            Column("Age", ".metadata.creationTimestamp", type="date"),
            Column("Last Check", ".status.lastCheckTime", type="date", wide=True),
            Column("Last Drill", ".status.lastDrillTime", type="date", wide=True),
            Column(
                "Verified",
                '.status.conditions[?(@.type=="Verified")].status',
                description="Whether the newest check and the newest drill went well.",
                wide=True,
            ),
            Column("Encryption", ".spec.encryption.mode", wide=True),
            Column(
                "Claim",
                ".spec.local.volume.persistentVolumeClaim.claimName",
                description="The claim that holds a local repository.",
                wide=True,
            ),
            Column("URL", ".spec.ssh.url", description="Where a repository reached over SSH is.", wide=True),
            Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        ),
    ),
)
