"""Restores as Borg UI's restore jobs, and previews as text."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import derive_id
from borg_api.picture.restoring import RestoreRecord
from borg_api.resources.restores.preview import render_text
from borg_contract.restore.progress import Progress
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.run import RUNS

STATUSES = {
    RestorePhase.PENDING: "pending",
    RestorePhase.RUNNING: "running",
    RestorePhase.PREVIEWED: "previewed",
    RestorePhase.COMPLETED: "completed",
    RestorePhase.COMPLETED_WITH_WARNINGS: "completed_with_warnings",
    RestorePhase.FAILED: "failed",
    RestorePhase.CANCELLED: "cancelled",
}
_SUCCEEDED = (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS)
_MEGABYTE = 1_000_000
_READING_BACK = 99
"""Percent: all is there, and it is not over."""

StatusText = Annotated[str, Field(examples=sorted(STATUSES.values()))]


@answer
class Counts(TypedDict):
    """What a restore would do, in files, folders and links; `bytes`: what would be written."""

    create: int
    overwrite: int
    delete: int
    same: int
    keep: int
    bytes: int
    sample: list[str]
    digest: str


@answer
class RestoreProgressDetails(TypedDict):
    nfiles: int
    current_file: str
    progress_percent: float
    restore_speed: Annotated[float, Field(description="Megabytes (1,000,000 bytes) per second; 0: not known.")]
    estimated_time_remaining: Annotated[int, Field(description="Seconds; 0: not known.")]


@answer
class RestoreJob(TypedDict):
    id: int
    name: str
    repository: str
    repository_id: int
    archive: Annotated[str, Field(description="Empty: the newest that fits, and it has not been found.")]
    destination: Annotated[str, Field(description="The claim, and the folder in it; or the command that is given it.")]
    destination_type: Annotated[str, Field(examples=["claim", "new_claim", "stream"])]
    mode: str
    is_preview: Annotated[bool, Field(description="It changes nothing unless it is approved.")]
    status: StatusText
    created_at: str
    started_at: str | None
    completed_at: str | None
    progress: float
    progress_details: RestoreProgressDetails
    preview: Counts | None
    reason: Annotated[str | None, Field(description="Why it waits or ended as it did, in one word.")]
    error_message: Annotated[str | None, Field(description="What there is to say: what it waits for, what failed.")]
    warnings: list[str]
    undo_archive: Annotated[str | None, Field(description="Restoring it takes this one back.")]
    verified_files: int | None
    mismatches: int | None
    run_id: Annotated[int | None, Field(description="Its newest run: /api/backup/logs/{run_id}/stream has the log.")]
    logs: str | None


@answer
class RestoreJobs(Paged):
    jobs: list[RestoreJob]


@answer
class PreviewAnswer(TypedDict):
    """What the restore would do, once that is known."""

    preview: Annotated[str, Field(description="For people; while it is being made, what it waits for.")]
    job_id: Annotated[int, Field(description="What `start` takes as `preview_id`.")]
    status: StatusText
    previewed_at: Annotated[str | None, Field(description="Of when it is what the preview shows.")]
    counts: Counts | None


def derive_restore_id(restore: RestoreRecord) -> int:
    return derive_id(RESTORES.kind, restore.namespace, restore.name)


def archive_of(restore: RestoreRecord) -> str | None:
    """Return the name of the archive that is meant; None while nobody knows which is the newest that fits."""
    resolved = restore.resource.status.resolved
    return resolved.archive if resolved else restore.resource.spec.archive


def render_restore(restore: RestoreRecord, view: View, progress: Progress | None = None) -> RestoreJob:
    """Return it as answers show it. `progress`: of one that runs, as its log tells it."""
    spec, status = restore.resource.spec, restore.resource.status
    details = _render_progress(restore, progress)
    return {
        "id": derive_restore_id(restore),
        "name": restore.name,
        "repository": view.locate(spec.repository_ref.name),
        "repository_id": derive_id(REPOSITORIES.kind, restore.namespace, spec.repository_ref.name),
        "archive": archive_of(restore) or "",
        "destination": restore.destination,
        "destination_type": "stream" if spec.target.stream else "claim" if spec.target.claim else "new_claim",
        "mode": spec.mode.value,
        "is_preview": restore.previews,
        "status": STATUSES[restore.phase],
        "created_at": restore.resource.metadata.creation_timestamp,
        "started_at": status.start_time,
        "completed_at": status.completion_time,
        "progress": details["progress_percent"],
        "progress_details": details,
        "preview": render_counts(restore),
        "reason": status.reason,
        "error_message": status.message or None,
        "warnings": list(status.warnings),
        "undo_archive": status.undo_archive,
        "verified_files": status.verified.files if status.verified else None,
        "mismatches": status.verified.mismatches if status.verified else None,
        "run_id": derive_id(RUNS.kind, restore.namespace, status.run_name) if status.run_name else None,
        "logs": None,
    }


def render_preview(restore: RestoreRecord, shown_since: str) -> PreviewAnswer:
    counts = render_counts(restore)
    return {
        "preview": render_text(restore.resource.status.preview, restore.resource.status.resolved, restore.destination)
        if restore.resource.status.preview
        else _what_it_waits_for(restore),
        "job_id": derive_restore_id(restore),
        "status": STATUSES[restore.phase],
        "previewed_at": shown_since if counts else None,
        "counts": counts,
    }


def render_counts(restore: RestoreRecord) -> Counts | None:
    found = restore.resource.status.preview
    if found is None:
        return None
    return {
        "create": found.create,
        "overwrite": found.overwrite,
        "delete": found.delete,
        "same": found.same,
        "keep": found.keep,
        "bytes": found.bytes,
        "sample": list(found.sample),
        "digest": found.digest,
    }


def _what_it_waits_for(restore: RestoreRecord) -> str:
    said = restore.resource.status.message
    return said or "The preview is being made: ask again in some seconds."


def _render_progress(restore: RestoreRecord, progress: Progress | None) -> RestoreProgressDetails:
    done = restore.phase in _SUCCEEDED
    percent = (_READING_BACK if progress.reads_back else progress.percent) if progress else 100 if done else 0
    return {
        "nfiles": (progress.files or 0) if progress else restore.resource.status.files or 0,
        "current_file": progress.current if progress else "",
        "progress_percent": percent,
        "restore_speed": round(progress.bytes_per_second / _MEGABYTE, 2) if progress else 0.0,
        "estimated_time_remaining": (progress.seconds_left or 0) if progress else 0,
    }
