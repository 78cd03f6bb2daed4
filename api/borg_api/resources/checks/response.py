"""Regular checks, and what keeps a repository busy, in Borg UI's shapes."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.picture.records import RunRecord, derive_id
from borg_api.picture.timetable import DEFAULT_ZONE, whole_now
from borg_api.resources.runs.response import STATUSES, derive_run_id, run_status
from borg_contract.run import Operation
from borg_core.clock import CronSchedule
from borg_core.clock.hashed import try_resolve
from borg_core.formats import format_time
from borg_core.kinds.parts.timing import parse_age
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.verification.checks import CHECKS, DRILLS, CronJobKind
from borg_core.workload.plan import derive_location


class Times(TypedDict):
    """When a repository is checked."""

    check_cron_expression: str | None
    check_schedule_enabled: bool
    check_timezone: str
    timezone: str
    last_scheduled_check: Annotated[str | None, Field(description="When the newest check ended, regular or not.")]
    next_scheduled_check: str | None
    check_max_duration: Annotated[int | None, Field(description="Seconds; null: a check takes as long as it takes.")]
    check_extra_flags: str | None
    notify_on_check_success: bool
    notify_on_check_failure: bool


@answer
class CheckSchedule(Times):
    repository_id: int
    repository_name: str
    repository_path: str
    enabled: bool
    last_check_result: Annotated[str | None, Field(examples=["completed", "failed"])]


@answer
class CheckedRepository(Times):
    id: int
    name: str


@answer
class CheckScheduleWritten(TypedDict):
    success: bool
    repository: CheckedRepository


class Drills(TypedDict):
    """When a repository's archives are restored on trial, and what that has shown."""

    restore_check_cron_expression: str | None
    restore_check_schedule_enabled: bool
    restore_check_timezone: str
    timezone: str
    last_restore_check: Annotated[str | None, Field(description="When the newest drill ended, regular or not.")]
    last_restore_check_result: Annotated[str | None, Field(examples=["completed", "failed"])]
    last_scheduled_restore_check: Annotated[str | None, Field(description="The same as last_restore_check.")]
    next_scheduled_restore_check: str | None
    restore_check_paths: Annotated[list[str], Field(description="Empty: a drill chooses what it restores itself.")]
    restore_check_full_archive: bool
    restore_check_canary_enabled: bool
    restore_check_mode: Annotated[str, Field(examples=["full_archive"])]
    notify_on_restore_check_success: bool
    notify_on_restore_check_failure: bool
    last_archive: Annotated[str | None, Field(description="The archive that was drilled last, and as it should be.")]
    coverage_percent: Annotated[int | None, Field(description="Of the newest archives' files, what was drilled.")]
    restore_rate: Annotated[int | None, Field(description="Bytes per second of the last drill.")]
    estimated_restore_time: Annotated[str | None, Field(description="Of all of these archives.", examples=["2h5m"])]
    last_verified: Annotated[str | None, Field(description="When a check or drill last found all as it should be.")]


@answer
class DrillSchedule(Drills):
    repository_id: int
    repository_name: str
    repository_path: str
    enabled: bool


@answer
class DrilledRepository(Drills):
    id: int
    name: str


@answer
class DrillScheduleWritten(TypedDict):
    success: bool
    repository: DrilledRepository


@answer
class RunningJob(TypedDict):
    id: int
    status: str
    progress: float
    progress_message: str | None
    started_at: str | None


@answer
class RunningJobs(TypedDict):
    has_running_jobs: bool
    check_job: RunningJob | None
    compact_job: RunningJob | None
    prune_job: RunningJob | None
    restore_check_job: RunningJob | None


def render_schedule(repository: BorgRepository) -> CheckSchedule:
    times, result = _render_times(repository), repository.status.last_check_result
    return {
        "repository_id": _id_of(repository),
        "repository_name": repository.metadata.name,
        "repository_path": derive_location(repository),
        "enabled": times["check_schedule_enabled"],
        "last_check_result": STATUSES[result] if result else None,
        **times,
    }


def render_checked(repository: BorgRepository) -> CheckedRepository:
    return {"id": _id_of(repository), "name": repository.metadata.name, **_render_times(repository)}


def render_drill_schedule(repository: BorgRepository) -> DrillSchedule:
    drills = _render_drills(repository)
    return {
        "repository_id": _id_of(repository),
        "repository_name": repository.metadata.name,
        "repository_path": derive_location(repository),
        "enabled": drills["restore_check_schedule_enabled"],
        **drills,
    }


def render_drilled(repository: BorgRepository) -> DrilledRepository:
    return {"id": _id_of(repository), "name": repository.metadata.name, **_render_drills(repository)}


def render_running(running: Mapping[Operation, RunRecord]) -> RunningJobs:
    """Return what keeps a repository busy, by what is done."""
    return {
        "has_running_jobs": bool(running),
        "check_job": _render_job(running.get(Operation.CHECK)),
        "compact_job": _render_job(running.get(Operation.COMPACT)),
        "prune_job": _render_job(running.get(Operation.PRUNE)),
        "restore_check_job": _render_job(running.get(Operation.DRILL)),
    }


def _render_times(repository: BorgRepository) -> Times:
    verification = repository.spec.verification
    check = verification.check if verification else None
    zone = check.time_zone if check else DEFAULT_ZONE
    return {
        "check_cron_expression": check.schedule if check else None,
        "check_schedule_enabled": check is not None,
        "check_timezone": zone,
        "timezone": zone,
        "last_scheduled_check": repository.status.last_check_time,
        "next_scheduled_check": _foretell(repository, CHECKS, check, repository.status.next_check_time),
        "check_max_duration": parse_age(check.max_duration) if check and check.max_duration else None,
        "check_extra_flags": None,
        "notify_on_check_success": False,
        "notify_on_check_failure": False,
    }


def _render_drills(repository: BorgRepository) -> Drills:
    verification, status = repository.spec.verification, repository.status
    times = verification.drill if verification else None
    zone = times.time_zone if times else DEFAULT_ZONE
    return {
        "restore_check_cron_expression": times.schedule if times else None,
        "restore_check_schedule_enabled": times is not None,
        "restore_check_timezone": zone,
        "timezone": zone,
        "last_restore_check": status.last_drill_time,
        "last_restore_check_result": STATUSES[status.last_drill_result] if status.last_drill_result else None,
        "last_scheduled_restore_check": status.last_drill_time,
        "next_scheduled_restore_check": _foretell(repository, DRILLS, times, status.next_drill_time),
        # Borg UI's client reads the length of the paths; of its modes this one needs no paths and no canary.
        "restore_check_paths": [],
        "restore_check_full_archive": True,
        "restore_check_canary_enabled": False,
        "restore_check_mode": "full_archive",
        "notify_on_restore_check_success": False,
        "notify_on_restore_check_failure": False,
        "last_archive": status.last_drill_archive,
        "coverage_percent": status.coverage,
        "restore_rate": status.restore_rate,
        "estimated_restore_time": status.estimated_restore_time,
        "last_verified": status.last_verified_time,
    }


def _foretell(
    repository: BorgRepository, kind: CronJobKind, times: CheckTimes | DrillTimes | None, promised: str | None
) -> str | None:
    """Return the next time: what the operator promised, and until it has seen this spec, what the spec says."""
    if times is None:
        return None
    metadata = repository.metadata
    if repository.status.observed_generation == metadata.generation:
        return promised
    line = try_resolve(times.schedule, metadata.namespace, kind.name(metadata.name))
    known = CronSchedule.try_parse(line, times.time_zone)
    due = known.next_after(whole_now()) if known else None
    return format_time(due) if due else None


def _render_job(run: RunRecord | None) -> RunningJob | None:
    if run is None:
        return None
    return {
        "id": derive_run_id(run),
        "status": run_status(run),
        "progress": 0,
        "progress_message": run.message or None,
        "started_at": run.started,
    }


def _id_of(repository: BorgRepository) -> int:
    return derive_id(REPOSITORIES.kind, repository.metadata.namespace, repository.metadata.name)
