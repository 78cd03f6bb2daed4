"""Runs as the contract's backup jobs; sizes in bytes."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, derive_id
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase
from borg_core.kinds.run import RUNS, Trigger
from borg_core.kinds.schedule import SCHEDULES

STATUSES = {
    Phase.PENDING: "pending",
    Phase.RUNNING: "running",
    Phase.COMPLETED: "completed",
    Phase.COMPLETED_WITH_WARNINGS: "completed_with_warnings",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
    Phase.SKIPPED: "cancelled",
}


@answer
class RunRepository(TypedDict):
    name: str
    path: str
    status: str
    archive_name: str | None
    original_size: int | None
    compressed_size: int | None
    deduplicated_size: int | None
    nfiles: int | None
    warnings: list[str]
    reason: Annotated[
        str | None,
        Field(description="Why it failed, or why its archive may not be what it seems (SourceEmpty, SourceShrank)."),
    ]
    unused_excludes: list[str]
    append_only: bool | None
    error_message: str | None


class Sizes(TypedDict):
    """Summed over the repositories of a run."""

    original_size: int
    compressed_size: int
    deduplicated_size: int
    nfiles: int


@answer
class Progress(Sizes):
    current_file: str
    progress_percent: float
    backup_speed: float
    total_expected_size: int
    estimated_time_remaining: int


@answer
class Run(Sizes):
    """Sizes in bytes, summed over the repositories."""

    id: int
    name: str
    operation: str
    repository: str | None
    repositories: list[RunRepository]
    status: Annotated[
        str, Field(examples=["pending", "running", "completed", "completed_with_warnings", "failed", "cancelled"])
    ]
    created_at: str
    started_at: str | None
    completed_at: str | None
    archive_name: str | None
    reason: Annotated[str | None, Field(description="Why it waits or ended as it did, in one word.")]
    error_message: Annotated[str | None, Field(description="What there is to say: what it waits for, what failed.")]
    scheduled_job_id: Annotated[int | None, Field(description="null for a run of a repository without a schedule.")]
    triggered_by: Annotated[str, Field(examples=["schedule", "manual"])]
    progress: float
    progress_details: Progress
    has_logs: bool
    maintenance_status: str | None
    execution_mode: str


@answer
class RunList(Paged):
    success: bool
    runs: list[Run]


@answer
class BackupJobs(Paged):
    jobs: list[Run]


@answer
class LogLine(TypedDict):
    line_number: int
    content: str


@answer
class LogLines(TypedDict):
    job_id: int
    status: str
    lines: list[LogLine]
    total_lines: int
    has_more: bool


@answer
class Cancelled(TypedDict):
    message: str
    process_terminated: bool


def derive_run_id(run: RunRecord) -> int:
    return derive_id(RUNS.kind, run.namespace, run.name)


def run_status(run: RunRecord) -> str:
    return STATUSES[run.phase]


def triggered_by(run: RunRecord) -> str:
    return "schedule" if run.trigger is Trigger.SCHEDULED else "manual"


def has_logs(run: RunRecord) -> bool:
    """Whether its container has begun, so that there is, or was, a log."""
    return run.started is not None and run.phase is not Phase.PENDING


def locations_of(run: RunRecord, view: View) -> dict[str, str]:
    """Return the location of each repository of the run by its name: before it tells, those that it is to work on."""
    return {name: view.locate(name) for name in view.targets_of(run)}


def render_run(run: RunRecord, view: View) -> Run:
    locations = locations_of(run, view)
    sizes = _sum_sizes(run.repositories)
    percent = 100 if run.finished else 0
    return {
        "id": derive_run_id(run),
        "name": run.name,
        "operation": run.operation.value,
        "repository": ", ".join(locations.values()) or None,
        "repositories": _render_repositories(run, locations),
        "status": run_status(run),
        "created_at": run.created,
        "started_at": run.started,
        "completed_at": run.completed,
        "archive_name": next((item.archive for item in run.repositories if item.archive), None),
        **sizes,
        "reason": run.reason,
        "error_message": explain_run(run),
        "scheduled_job_id": derive_id(*run.subject) if run.subject.kind == SCHEDULES.kind else None,
        "triggered_by": triggered_by(run),
        "progress": percent,
        "progress_details": {
            "current_file": "",
            "progress_percent": percent,
            "backup_speed": 0.0,
            "total_expected_size": 0,
            "estimated_time_remaining": 0,
            **sizes,
        },
        "has_logs": has_logs(run),
        "maintenance_status": None,
        "execution_mode": "local",
    }


def explain_run(run: RunRecord) -> str | None:
    """Return what the run says, and a line for each repository that failed of which it does not tell why."""
    said = [run.message] if run.message else []
    failed = [f"{item.name}: {item.error}" for item in run.repositories if item.error and item.error not in run.message]
    return "\n".join(said + failed) or None


def _sum_sizes(repositories: tuple[RepositoryResult, ...]) -> Sizes:
    return {
        "original_size": sum(item.original_size or 0 for item in repositories),
        "compressed_size": sum(item.compressed_size or 0 for item in repositories),
        "deduplicated_size": sum(item.deduplicated_size or 0 for item in repositories),
        "nfiles": sum(item.files or 0 for item in repositories),
    }


def _render_repositories(run: RunRecord, locations: dict[str, str]) -> list[RunRepository]:
    done = {item.name: item for item in run.repositories}
    return [_render_repository(run, name, location, done.get(name)) for name, location in locations.items()]


def _render_repository(run: RunRecord, name: str, location: str, item: RepositoryResult | None) -> RunRepository:
    return {
        "name": name,
        "path": location,
        "status": STATUSES[item.phase] if item else run_status(run),
        "archive_name": item.archive if item else None,
        "original_size": item.original_size if item else None,
        "compressed_size": item.compressed_size if item else None,
        "deduplicated_size": item.deduplicated_size if item else None,
        "nfiles": item.files if item else None,
        "warnings": list(item.warnings) if item else [],
        "reason": item.reason if item else None,
        "unused_excludes": list(item.unused_excludes) if item else [],
        "append_only": item.compact.append_only if item and item.compact else None,
        "error_message": item.error if item else None,
    }
