"""What there is to restore, and what is restored, as the facade keeps it."""

from dataclasses import dataclass
from hashlib import sha256

from borg_api.picture.records import project
from borg_cluster.index import Order
from borg_core import labels
from borg_core.kinds.archive import ARCHIVES, BorgArchive, references_of_archive
from borg_core.kinds.restore import RESTORES, BorgRestore, BorgRestoreSpec, RestorePhase
from borg_core.registry import Body, Kind

ASKED = "asked"
"""Index of restores: what they are to do."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """An archive, and the object that stands for it."""

    resource: BorgArchive

    @property
    def name(self) -> str:
        """The object's."""
        return self.resource.metadata.name

    @property
    def repository(self) -> str:
        return self.resource.spec.repository_ref.name

    @property
    def order(self) -> Order:
        """Its place in lists: the one that was begun first comes first."""
        metadata = self.resource.metadata
        return self.resource.spec.time, metadata.namespace, metadata.name

    def is_called(self, reference: str) -> bool:
        """Whether that is its name, borg's id of it, or the name of the object."""
        spec = self.resource.spec
        return reference in (spec.archive, spec.id, self.name)


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
    lambda body: ArchiveRecord(BorgArchive.model_validate(body)),
    references=lambda record: references_of_archive(record.resource),
)
RESTORE_RECORDS: Kind[RestoreRecord] = project(RESTORES, parse_restore, groups=lambda record: ((ASKED, record.asked),))
