"""Archives in Borg UI's shape: as `borg list` and `borg info` tell of them, as far as the cluster knows."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, derive_id
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.repositories.info import Encryption, RepositoryOfInfo, render_identity
from borg_api.resources.runs.response import derive_run_id, triggered_by
from borg_contract.ownership import parse_undo_comment
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
    run = _run_of(record, view)
    return {
        "id": record.id,
        "archive": record.archive,
        "name": record.archive,
        "resource": record.name,
        "start": record.time,
        "time": record.time,
        "triggered_by": _trigger_of(record, run),
        "backup_job_id": derive_run_id(run) if run else None,
        "scheduled_job_id": derive_id(SCHEDULES.kind, view.namespace, record.schedule) if record.schedule else None,
        "sources": list(record.sources),
        "original_size": record.original_size,
        "deduplicated_size": record.deduplicated_size,
        "nfiles": record.files,
        "comment": record.comment,
    }


def render_info(record: ArchiveRecord, repository: BorgRepository, view: View) -> Info:
    result = _result_of(record, view)
    return {
        "id": record.id,
        "name": record.archive,
        "start": record.time,
        "end": None,
        "duration": result.seconds if result else None,
        "stats": {
            "original_size": record.original_size,
            "compressed_size": result.compressed_size if result else None,
            "deduplicated_size": record.deduplicated_size,
            "nfiles": record.files,
        },
        "comment": record.comment or "",
        "command_line": [],
        "hostname": None,
        "username": None,
        "chunker_params": None,
        "repository": render_identity(repository),
        "encryption": {"mode": repository.spec.encryption.mode.value},
        "archive": render_archive(record, view),
    }


def _trigger_of(record: ArchiveRecord, run: RunRecord | None) -> str | None:
    """Return who began what made it. Somebody asked for a restore; Borg UI's client takes null for a schedule."""
    if run is None and parse_undo_comment(record.comment or ""):
        return "manual"
    return triggered_by(run) if run else None


def _run_of(record: ArchiveRecord, view: View) -> RunRecord | None:
    return view.runs.get(record.run) if record.run else None


def _result_of(record: ArchiveRecord, view: View) -> RepositoryResult | None:
    """Return what the run that made it told of it."""
    run = _run_of(record, view)
    made = (record.repository, record.archive)
    return next((item for item in (run.repositories if run else ()) if (item.name, item.archive) == made), None)
