"""Archives in Borg UI's shape: as `borg list` and `borg info` tell of them, as far as the cluster knows."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, derive_id
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.runs.response import derive_run_id, triggered_by
from borg_contract.result import RepositoryResult
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.schedule import SCHEDULES
from borg_core.workload.plan import derive_location


@answer
class RepositoryOfArchives(TypedDict):
    id: int
    name: str
    path: str


@answer
class Archive(TypedDict):
    """Sizes in bytes. What nobody has told is null."""

    id: Annotated[str, Field(description="Borg's own id.")]
    archive: str
    name: str
    resource: Annotated[str, Field(description="The name of the BorgArchive.")]
    start: str
    time: str
    triggered_by: Annotated[str | None, Field(examples=["schedule", "manual"])]
    backup_job_id: Annotated[int | None, Field(description="The run that made it, while that is kept.")]
    scheduled_job_id: Annotated[int | None, Field(description="The schedule that made it, which may be gone.")]
    sources: list[str]
    original_size: int | None
    deduplicated_size: int | None
    nfiles: int | None
    comment: str | None


@answer
class Archives(Paged):
    success: bool
    archives: list[Archive]
    repository: RepositoryOfArchives


@answer
class Stats(TypedDict):
    original_size: int | None
    compressed_size: int | None
    deduplicated_size: int | None
    nfiles: int | None


@answer
class RepositoryOfInfo(TypedDict):
    id: Annotated[str | None, Field(description="Borg's own id.")]
    location: str
    last_modified: str | None


@answer
class Encryption(TypedDict):
    mode: str


@answer
class Info(TypedDict):
    id: str
    name: str
    start: str
    end: str | None
    duration: Annotated[float | None, Field(description="Seconds; known while the run that made it is kept.")]
    stats: Stats
    comment: str
    command_line: Annotated[list[str], Field(description="Empty: the cluster does not know it.")]
    hostname: str | None
    username: str | None
    chunker_params: list[int | str] | None
    repository: RepositoryOfInfo
    encryption: Encryption
    archive: Archive


@answer
class ArchiveInfo(TypedDict):
    info: Info


def render_repository(repository: BorgRepository) -> RepositoryOfArchives:
    metadata = repository.metadata
    return {
        "id": derive_id(REPOSITORIES.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "path": derive_location(repository),
    }


def render_archive(record: ArchiveRecord, view: View) -> Archive:
    spec, run = record.resource.spec, _run_of(record, view)
    schedule = spec.schedule_ref.name if spec.schedule_ref else None
    return {
        "id": spec.id,
        "archive": spec.archive,
        "name": spec.archive,
        "resource": record.name,
        "start": spec.time,
        "time": spec.time,
        "triggered_by": triggered_by(run) if run else None,
        "backup_job_id": derive_run_id(run) if run else None,
        "scheduled_job_id": derive_id(SCHEDULES.kind, view.namespace, schedule) if schedule else None,
        "sources": list(spec.sources),
        "original_size": spec.original_size,
        "deduplicated_size": spec.deduplicated_size,
        "nfiles": spec.files,
        "comment": spec.comment,
    }


def render_info(record: ArchiveRecord, repository: BorgRepository, view: View) -> Info:
    spec, result = record.resource.spec, _result_of(record, view)
    identity = repository.status.identity
    return {
        "id": spec.id,
        "name": spec.archive,
        "start": spec.time,
        "end": None,
        "duration": result.seconds if result else None,
        "stats": {
            "original_size": spec.original_size,
            "compressed_size": result.compressed_size if result else None,
            "deduplicated_size": spec.deduplicated_size,
            "nfiles": spec.files,
        },
        "comment": spec.comment or "",
        "command_line": [],
        "hostname": None,
        "username": None,
        "chunker_params": None,
        "repository": {
            "id": (identity.id or None) if identity else None,
            "location": derive_location(repository),
            "last_modified": repository.status.last_backup_time,
        },
        "encryption": {"mode": repository.spec.encryption.mode.value},
        "archive": render_archive(record, view),
    }


def _run_of(record: ArchiveRecord, view: View) -> RunRecord | None:
    ref = record.resource.spec.run_ref
    return view.runs.get(ref.name) if ref else None


def _result_of(record: ArchiveRecord, view: View) -> RepositoryResult | None:
    """Return what the run that made it told of it."""
    run, archive = _run_of(record, view), record.resource.spec.archive
    results = run.repositories if run else ()
    return next((item for item in results if (item.name, item.archive) == (record.repository, archive)), None)
