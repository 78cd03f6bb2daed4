"""What there is to restore, and what is restored, as the facade keeps it."""

from dataclasses import dataclass
from hashlib import sha256
from sys import intern

from borg_api.picture.records import project
from borg_cluster.index import Order
from borg_contract.ownership import OTHERS
from borg_core import labels
from borg_core.kinds.archive import ARCHIVES, MOST_SOURCES, BorgArchive
from borg_core.kinds.parts.base import Metadata
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.restore import RESTORES, BorgRestore, BorgRestoreSpec
from borg_core.kinds.restore_status import RestorePhase
from borg_core.registry import Body, Kind, Reference

ASKED = "asked"
"""Index of restores: what they are to do."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """What is shown of an archive, and no more: there may be tens of thousands.

    `name`, `uid`: of the object that stands for it. `schedule`, `run`: the names of those that made it, which may be
    gone. `sources`: () where they are not known; `is_cut`: there are more of them.
    """

    namespace: str
    name: str
    uid: str
    repository: str
    archive: str
    id: str
    time: str
    schedule: str | None
    run: str | None
    sources: tuple[str, ...]
    is_cut: bool
    original_size: int | None
    deduplicated_size: int | None
    files: int | None
    comment: str | None

    @property
    def order(self) -> Order:
        """Its place in lists: the one that was begun first comes first."""
        return self.time, self.namespace, self.name

    def is_called(self, reference: str) -> bool:
        """Whether that is its name, borg's id of it, or the name of the object."""
        return reference in (self.archive, self.id, self.name)


def parse_archive(body: Body) -> ArchiveRecord:
    archive = BorgArchive.model_validate(body)
    metadata, spec = archive.metadata, archive.spec
    return ArchiveRecord(
        namespace=intern(metadata.namespace),
        name=metadata.name,
        uid=metadata.uid,
        repository=intern(spec.repository_ref.name),
        archive=spec.archive,
        id=spec.id,
        time=spec.time,
        schedule=intern(spec.schedule_ref.name) if spec.schedule_ref else None,
        run=spec.run_ref.name if spec.run_ref else None,
        sources=tuple(map(intern, spec.sources)),
        is_cut=f"{OTHERS}:" in (spec.comment or "") or len(spec.sources) >= MOST_SOURCES,
        original_size=spec.original_size,
        deduplicated_size=spec.deduplicated_size,
        files=spec.files,
        comment=spec.comment,
    )


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """`asked`: a digest of what it is to do. `key`: that of the Idempotency-Key that it was asked for with."""

    resource: BorgRestore
    asked: str
    key: str | None

    @property
    def namespace(self) -> str:
        return self.resource.metadata.namespace

    @property
    def metadata(self) -> Metadata:
        return self.resource.metadata

    @property
    def name(self) -> str:
        return self.resource.metadata.name

    @property
    def uid(self) -> str:
        return self.resource.metadata.uid

    @property
    def version(self) -> int:
        return int(self.resource.metadata.resource_version)

    @property
    def phase(self) -> RestorePhase:
        return self.resource.status.phase or RestorePhase.PENDING

    @property
    def finished(self) -> bool:
        return self.resource.finished

    @property
    def destination(self) -> str:
        """The claim, and the folder in it; or the command that is given the file."""
        target = self.resource.spec.target
        if target.stream:
            return target.stream.command[0]
        folder = target.claim.path if target.claim else ""
        return "/".join(part for part in (self.resource.claim_name, folder) if part)

    @property
    def previews(self) -> bool:
        """Whether it changes nothing: it was made to show what would be done, and nobody has approved that."""
        return self.resource.spec.preview and not self.resource.spec.approve

    @property
    def order(self) -> Order:
        metadata = self.resource.metadata
        return metadata.creation_timestamp, metadata.namespace, metadata.name


def derive_asked(spec: BorgRestoreSpec) -> str:
    """Return a digest of what is to be restored, and where: a preview and the restore that it is of have the same."""
    return sha256(spec.model_dump_json(exclude={"preview", "approve", "cancel"}).encode()).hexdigest()


def parse_restore(body: Body) -> RestoreRecord:
    restore = BorgRestore.model_validate(body)
    return RestoreRecord(restore, derive_asked(restore.spec), restore.metadata.labels.get(labels.IDEMPOTENCY_KEY))


ARCHIVE_RECORDS: Kind[ArchiveRecord] = project(
    ARCHIVES,
    parse_archive,
    references=lambda record: (Reference(REPOSITORIES.kind, record.namespace, record.repository),),
)
RESTORE_RECORDS: Kind[RestoreRecord] = project(RESTORES, parse_restore, groups=lambda record: ((ASKED, record.asked),))
