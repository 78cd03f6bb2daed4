"""BorgRepository: where archives go, how they are protected, and what is backed up into them."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

from borg_core.kinds.base import GROUP, VERSION, Condition, Metadata, Model, SecretKeyRef
from borg_core.kinds.hooks import Hooks
from borg_core.registry import Kind, Reference


class PersistentVolumeClaimSource(Model):
    claim_name: str
    read_only: bool | None = None


class VolumeSource(Model):
    """A core/v1 volume source: exactly one of its fields is given (the CRD says so)."""

    persistent_volume_claim: PersistentVolumeClaimSource | None = None
    host_path: dict[str, Any] | None = None
    nfs: dict[str, Any] | None = None
    csi: dict[str, Any] | None = None

    @property
    def claim_name(self) -> str | None:
        return self.persistent_volume_claim.claim_name if self.persistent_volume_claim else None


class LocalTarget(Model):
    volume: VolumeSource
    path: str = ""


class SshTarget(Model):
    url: str
    private_key_secret_ref: SecretKeyRef
    known_hosts_secret_ref: SecretKeyRef
    remote_path: str = ""


class EncryptionMode(StrEnum):
    """Modes of `borg init` that keep the key in the repository, where every pod finds it."""

    NONE = "none"
    AUTHENTICATED = "authenticated"
    AUTHENTICATED_BLAKE2 = "authenticated-blake2"
    REPOKEY = "repokey"
    REPOKEY_BLAKE2 = "repokey-blake2"


class Encryption(Model):
    mode: EncryptionMode = EncryptionMode.REPOKEY_BLAKE2
    passphrase_secret_ref: SecretKeyRef | None = None


class Source(Model):
    name: str
    volume: VolumeSource
    paths: tuple[str, ...] = (".",)


class BorgRepositorySpec(Model):
    local: LocalTarget | None = None
    ssh: SshTarget | None = None
    encryption: Encryption = Encryption()
    initialize: bool = True
    sources: tuple[Source, ...] = ()
    exclude: tuple[str, ...] = ()
    compression: str = "zstd,3"
    upload_rate_limit_ki_b: int = 0
    hooks: Hooks | None = None
    cache: VolumeSource | None = None


class RepositoryLock(Model):
    """Who held the repository's lock when a run could not have it."""

    holder: str = ""
    run_name: str = ""
    time: str = ""


class BorgRepositoryStatus(Model):
    """Sizes in bytes, of the whole repository, as the newest run on it found them; `size` is for people ("1.2Gi")."""

    conditions: tuple[Condition, ...] = ()
    observed_generation: int | None = None
    last_backup_time: str | None = None
    archives: int | None = None
    original_size: int | None = None
    deduplicated_size: int | None = None
    size: str | None = None
    lock: RepositoryLock | None = None
    schedules: int | None = None


class BorgRepository(Model):
    kind: Literal["BorgRepository"] = "BorgRepository"
    metadata: Metadata
    spec: BorgRepositorySpec
    status: BorgRepositoryStatus = BorgRepositoryStatus()


def references_of_repository(repository: BorgRepository) -> Iterator[Reference]:
    for hook in repository.spec.hooks.given if repository.spec.hooks else ():
        yield Reference("BorgScript", repository.metadata.namespace, hook.script_ref.name)


REPOSITORIES = Kind(
    "BorgRepository",
    GROUP,
    VERSION,
    "borgrepositories",
    BorgRepository.model_validate,
    references_of_repository,
)
