"""Runs and restores as items of Borg UI's activity list."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, derive_id
from borg_api.picture.restoring import RestoreRecord
from borg_api.resources.restores.response import STATUSES, archive_of, derive_restore_id
from borg_api.resources.runs.response import derive_run_id, explain_run, has_logs, run_status, triggered_by
from borg_contract.run import Operation
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES

RESTORE = "restore"
TYPES = {
    Operation.BACKUP: "backup",
    Operation.PRUNE: "prune",
    Operation.COMPACT: "compact",
    Operation.CHECK: "check",
    Operation.DRILL: "restore_check",
    Operation.LIST: "list",
    Operation.BREAK_LOCK: "break_lock",
}
"""What runs are called here; those of a restore are parts of it, and none of their own."""


@answer
class RestoreCheck(TypedDict):
    archives: Annotated[list[str], Field(description="Those of which a part was as it should be.")]
    files: int
    bytes: int
    coverage_percent: Annotated[int | None, Field(description="Of these archives' files, those drilled as they are.")]
    restore_rate: Annotated[int | None, Field(description="Bytes per second.")]


@answer
class Activity(TypedDict):
    activity_key: Annotated[str, Field(description="Type and id, unique among all.")]
    id: int
    type: Annotated[str, Field(examples=sorted([*TYPES.values(), RESTORE]))]
    status: str
    created_at: str
    started_at: str | None
    completed_at: str | None
    error_message: str | None
    repository: Annotated[str | None, Field(description="The repository's name; of several, all.")]
    repository_id: Annotated[int | None, Field(description="null where there are several.")]
    repository_path: str | None
    triggered_by: Annotated[str, Field(examples=["schedule", "manual"])]
    schedule_id: int | None
    schedule_name: str | None
    archive_name: str | None
    package_name: str | None
    log_file_path: str | None
    has_logs: Annotated[bool, Field(description="Whether there is, or was, a log.")]
    run_id: Annotated[int | None, Field(description="/api/backup/logs/{run_id}/stream has it.")]
    restore_check: Annotated[RestoreCheck | None, Field(description="What a drill restored on trial; of others null.")]


def render_run(run: RunRecord, view: View, *, with_titles: bool) -> Activity:
    """Return the item of a run. `with_titles`: schedules are called by their titles, else by their resources' names."""
    name, schedule = _schedule_of(run, view, with_titles=with_titles)
    number, type_ = derive_run_id(run), TYPES[run.operation]
    names = view.targets_of(run)
    return {
        "activity_key": f"{type_}-{number}",
        "id": number,
        "type": type_,
        "status": run_status(run),
        "created_at": run.created,
        "started_at": run.started,
        "completed_at": run.completed,
        "error_message": explain_run(run),
        **_render_repositories(names, view),
        "triggered_by": triggered_by(run),
        "schedule_id": schedule,
        "schedule_name": name,
        "archive_name": next((item.archive for item in run.repositories if item.archive), None),
        "package_name": None,
        "log_file_path": None,
        "has_logs": has_logs(run),
        "run_id": number,
        "restore_check": _render_drill(run),
    }


def render_restore(restore: RestoreRecord, view: View) -> Activity:
    status, number = restore.resource.status, derive_restore_id(restore)
    run = view.runs.get(status.run_name or "")
    return {
        "activity_key": f"{RESTORE}-{number}",
        "id": number,
        "type": RESTORE,
        "status": STATUSES[restore.phase],
        "created_at": restore.resource.metadata.creation_timestamp,
        "started_at": status.start_time,
        "completed_at": status.completion_time,
        "error_message": status.message or None,
        **_render_repositories([restore.resource.spec.repository_ref.name], view),
        "triggered_by": "manual",
        "schedule_id": None,
        "schedule_name": None,
        "archive_name": archive_of(restore),
        "package_name": None,
        "log_file_path": None,
        "has_logs": run is not None and has_logs(run),
        "run_id": derive_run_id(run) if run else None,
        "restore_check": None,
    }


def _render_drill(run: RunRecord) -> RestoreCheck | None:
    told = next((item.drill for item in run.repositories if item.drill), None)
    if told is None:
        return None
    files = sum(archive.files for archive in told.archives)
    return {
        "archives": [archive.archive for archive in told.archives],
        "files": told.files,
        "bytes": told.bytes,
        "coverage_percent": 100 * sum(archive.covered for archive in told.archives) // files if files else None,
        "restore_rate": round(told.bytes / told.seconds) if told.seconds > 0 else None,
    }


class _Repositories(TypedDict):
    repository: str | None
    repository_id: int | None
    repository_path: str | None


def _render_repositories(names: list[str], view: View) -> _Repositories:
    return {
        "repository": ", ".join(names) or None,
        "repository_id": derive_id(REPOSITORIES.kind, view.namespace, names[0]) if len(names) == 1 else None,
        "repository_path": ", ".join(view.locate(name) for name in names) or None,
    }


def _schedule_of(run: RunRecord, view: View, *, with_titles: bool) -> tuple[str | None, int | None]:
    if run.subject.kind != SCHEDULES.kind:
        return None, None
    schedule = view.schedules.get(run.subject.name) if with_titles else None
    return schedule.resource.title if schedule else run.subject.name, derive_id(*run.subject)
