"""The answers as types, for the OpenAPI document. What is sent is rendered elsewhere; tests hold it against these."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from borg_api import problem
from borg_api.schedule.request import Parameters

_DAILY = "2024-01-16T02:00:00Z"


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fault(Answer):
    pointer: str = Field(description="A JSON pointer into the body, or the name of a query parameter.")
    reason: str


class ProblemAnswer(Answer):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    errors: list[Fault] = Field(default=[], description="The fields that are wrong.")


class Job(Answer):
    id: int
    name: str
    cron_expression: str
    timezone: str
    repository: str | None = Field(description="The location of the only target; null when there are several.")
    repository_id: int | None
    repository_ids: list[int]
    enabled: bool
    last_run: str | None
    next_run: str | None
    created_at: str
    updated_at: str
    description: str | None
    archive_name_template: str
    run_repository_scripts: bool
    pre_backup_script_id: int | None
    post_backup_script_id: int | None
    pre_backup_script_parameters: Parameters | None
    post_backup_script_parameters: Parameters | None
    run_prune_after: bool
    run_compact_after: bool
    prune_keep_within: str | None
    prune_keep_hourly: int
    prune_keep_daily: int
    prune_keep_weekly: int
    prune_keep_monthly: int
    prune_keep_quarterly: int
    prune_keep_yearly: int
    last_prune: str | None
    last_compact: str | None


class JobDetail(Job):
    next_runs: list[str] = Field(examples=[[_DAILY]])


class JobList(Answer):
    success: bool
    jobs: list[Job]
    continue_: str | None = Field(default=None, alias="continue", description="Only with `limit`.")


class JobAnswer(Answer):
    success: bool
    job: JobDetail


class Written(JobAnswer):
    message: str


class Done(Answer):
    success: bool
    message: str


class Toggled(Done):
    enabled: bool


class Started(Answer):
    job_id: int = Field(description="Of the run.")
    status: str = Field(examples=["pending"])
    message: str


class UpcomingJob(Answer):
    id: int
    type: str = Field(examples=["schedule"])
    name: str
    repository: str | None
    repository_id: int | None
    repository_ids: list[int]
    next_run: str = Field(examples=[_DAILY])
    cron_expression: str
    timezone: str


class UpcomingJobs(Answer):
    success: bool
    upcoming_jobs: list[UpcomingJob]
    hours_ahead: int
    continue_: str | None = Field(default=None, alias="continue", description="Only with `limit` or `all`.")


class Health(Answer):
    status: str
    age_seconds: int = Field(default=0, description="For how long what is shown may have been out of date.")


class Preset(Answer):
    name: str
    expression: str
    description: str


class Presets(Answer):
    success: bool
    presets: list[Preset]


class Preview(Answer):
    """With success: timezone, next_runs, description and warnings; without: error."""

    success: bool
    cron_expression: str
    timezone: str | None = None
    next_runs: list[str] = []
    description: str | None = None
    warnings: list[str] = []
    error: str | None = None


class RunRepository(Answer):
    name: str
    path: str
    status: str
    archive_name: str | None
    original_size: int | None
    compressed_size: int | None
    deduplicated_size: int | None
    nfiles: int | None
    warnings: list[str]
    error_message: str | None


class Progress(Answer):
    current_file: str
    progress_percent: float
    backup_speed: float
    total_expected_size: int
    estimated_time_remaining: int
    nfiles: int
    original_size: int
    compressed_size: int
    deduplicated_size: int


class Run(Answer):
    """Sizes in bytes, summed over the repositories."""

    id: int
    name: str
    operation: str
    repository: str | None
    repositories: list[RunRepository]
    status: str = Field(examples=["pending", "running", "completed", "completed_with_warnings", "failed", "cancelled"])
    created_at: str
    started_at: str | None
    completed_at: str | None
    archive_name: str | None
    original_size: int
    compressed_size: int
    deduplicated_size: int
    nfiles: int
    error_message: str | None
    scheduled_job_id: int
    triggered_by: str = Field(examples=["schedule", "manual"])
    progress: float
    progress_details: Progress
    has_logs: bool
    maintenance_status: str | None
    execution_mode: str


class RunList(Answer):
    success: bool
    runs: list[Run]
    continue_: str | None = Field(default=None, alias="continue", description="Only with `limit`.")


class BackupJobs(Answer):
    jobs: list[Run]
    continue_: str | None = Field(default=None, alias="continue", description="Only with `limit`.")


class LogLine(Answer):
    line_number: int
    content: str


class LogLines(Answer):
    job_id: int
    status: str
    lines: list[LogLine]
    total_lines: int
    has_more: bool


class Cancelled(Answer):
    message: str
    process_terminated: bool


class Repository(Answer):
    id: int
    name: str
    path: str
    encryption: str
    compression: str
    repository_type: str
    remote_path: str | None
    source_directories: list[str]
    exclude_patterns: list[str]
    upload_ratelimit_kib: int | None
    mode: str
    borg_version: int
    last_backup: str | None
    archive_count: int
    total_size: str | None = Field(examples=["1.23 GB"])
    original_size: int | None
    deduplicated_size: int | None
    created_at: str
    has_running_maintenance: bool
    has_schedule: bool
    schedule_enabled: bool
    schedule_name: str | None
    schedule_timezone: str | None
    next_run: str | None


class Repositories(Answer):
    success: bool
    repositories: list[Repository]
    continue_: str | None = Field(default=None, alias="continue", description="Only with `limit`.")


class ScriptParameter(Answer):
    name: str
    type: str = Field(examples=["text", "password"])
    required: bool
    default: str
    description: str


class Script(Answer):
    id: int
    name: str
    description: str | None
    timeout: int = Field(description="Seconds.")
    parameters: list[ScriptParameter] | None
    category: str
    run_on: str
    created_at: str


_WORDS = {
    400: "A value is refused.",
    401: "The token is missing, malformed or expired.",
    403: "RBAC does not allow it: the detail names verb and resource.",
    404: "There is nothing of that id.",
    409: "A conflict of the moment.",
    412: "The schedule was changed since it was read.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    422: "A field has the wrong type, or is missing.",
    429: "The API server is busy: see Retry-After.",
    503: "The API server is away: see Retry-After.",
}
_ALWAYS = (400, 401, 403, 422, 429, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of these statuses, for the `responses` of an operation."""
    content = {problem.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {status: {"description": _WORDS[status], "content": content} for status in sorted(set(statuses))}


def links(place: str, *operations: str) -> dict[str, Any]:
    """Return OpenAPI links: the id at `place` of an answer is what these operations take as `job_id`."""
    return {name: {"operationId": name, "parameters": {"job_id": f"$response.body#{place}"}} for name in operations}


def answers(
    model: Any, *more: int, conditional: bool = False, leads_to: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return what an operation may answer, for its `responses`."""
    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "As the ETag of If-None-Match says."}}
    good: dict[str, Any] = {"model": model, "description": "Done.", **({"links": leads_to} if leads_to else {})}
    return {200: good, **(unchanged if conditional else {}), **problems(*_ALWAYS, *more)}
