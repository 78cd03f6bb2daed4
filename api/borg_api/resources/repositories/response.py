"""Repositories in Borg UI's shape, with the schedule that goes with each."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, ScheduleRecord, derive_id
from borg_api.resources.schedules.listing import Listing, Rendered
from borg_contract.run import Operation
from borg_core.formats import format_time
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.status import ConditionType
from borg_core.workload.plan import derive_location

_NOTICES = (
    ConditionType.MISSING,
    ConditionType.REPLACED,
    ConditionType.ROLLED_BACK,
    ConditionType.ALIASED,
    ConditionType.APPEND_ONLY,
    ConditionType.CLOCK_DISAGREES,
)
"""Conditions that hold only where there is something to tell."""

MAINTENANCE = (Operation.CHECK, Operation.DRILL, Operation.COMPACT, Operation.PRUNE)
"""What keeps a repository busy besides backups and restores."""

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_STEP = 1024


class ScheduleOfRepository(TypedDict):
    """The schedule that goes with a repository."""

    has_schedule: bool
    schedule_enabled: bool
    schedule_name: str | None
    schedule_timezone: str | None
    next_run: str | None


@answer
class Repository(ScheduleOfRepository):
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
    last_check: Annotated[str | None, Field(description="When the newest check ended.")]
    last_compact: str | None
    archive_count: int
    total_size: Annotated[str | None, Field(examples=["1.23 GB"])]
    original_size: int | None
    deduplicated_size: int | None
    created_at: str
    has_running_maintenance: bool
    repository_id: str | None
    append_only: bool | None
    notices: list[str]


@answer
class Repositories(Paged):
    success: bool
    repositories: list[Repository]


def find_schedules(view: View, listing: Listing, now: datetime) -> dict[str, Rendered]:
    """Return the schedule that goes with each repository, by the repository's name: an enabled one if there is any."""
    schedules: dict[str, ScheduleRecord] = {}
    for record in view.schedules.in_order():
        for ref in record.resource.spec.repository_refs:
            known = schedules.get(ref.name)
            if known is None or (known.resource.spec.suspend and not record.resource.spec.suspend):
                schedules[ref.name] = record
    return {name: listing.render(view, record, now) for name, record in schedules.items()}


def maintained_in(view: View) -> dict[str, dict[Operation, RunRecord]]:
    """Return the runs that wait or run in each repository and are no backup, by the repository's name."""
    found: defaultdict[str, dict[Operation, RunRecord]] = defaultdict(dict)
    for run in view.unfinished_runs():
        if run.operation in MAINTENANCE:
            for name in view.targets_of(run):
                found[name].setdefault(run.operation, run)
    return found


def render_repositories(
    repositories: Sequence[BorgRepository], schedules: Mapping[str, Rendered], maintained: Container[str] = ()
) -> list[Repository]:
    return [
        _render_repository(item, schedules.get(item.metadata.name), is_maintained=item.metadata.name in maintained)
        for item in repositories
    ]


def _render_repository(repository: BorgRepository, rendered: Rendered | None, *, is_maintained: bool) -> Repository:
    spec, status, metadata = repository.spec, repository.status, repository.metadata
    return {
        "id": derive_id(REPOSITORIES.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "path": derive_location(repository),
        "encryption": spec.encryption.mode.value,
        "compression": spec.compression,
        "repository_type": "ssh" if spec.ssh else "local",
        "remote_path": (spec.ssh.remote_path or None) if spec.ssh else None,
        "source_directories": [f"/sources/{source.name if source.volume else '*'}" for source in spec.sources],
        "exclude_patterns": list(spec.exclude),
        "upload_ratelimit_kib": spec.upload_rate_limit_ki_b or None,
        "mode": "full",
        "borg_version": 1,
        "last_backup": status.last_backup_time,
        "last_check": status.last_check_time,
        "last_compact": status.last_compact_time,
        "archive_count": status.archives or 0,
        "total_size": _format_size(status.deduplicated_size) if status.deduplicated_size is not None else None,
        "original_size": status.original_size,
        "deduplicated_size": status.deduplicated_size,
        "created_at": metadata.creation_timestamp,
        "has_running_maintenance": is_maintained,
        "repository_id": (status.identity.id or None) if status.identity else None,
        "append_only": _find_append_only(repository),
        "notices": [condition.message for condition in status.conditions if condition.type in _NOTICES],
        **_render_schedule(rendered),
    }


def _find_append_only(repository: BorgRepository) -> bool | None:
    """Return whether compacting gives nothing back, None while no run has compacted."""
    status = repository.status
    if any(condition.type == ConditionType.APPEND_ONLY for condition in status.conditions):
        return True
    return False if status.last_compact_time else None


def _render_schedule(rendered: Rendered | None) -> ScheduleOfRepository:
    schedule = rendered.record.resource if rendered else None
    return {
        "has_schedule": schedule is not None,
        "schedule_enabled": bool(schedule and not schedule.spec.suspend),
        "schedule_name": schedule.title if schedule else None,
        "schedule_timezone": schedule.spec.time_zone if schedule else None,
        "next_run": format_time(rendered.until) if rendered and rendered.upcoming else None,
    }


def _format_size(size: int) -> str:
    """Return bytes as Borg UI writes them: two digits, steps of 1024."""
    value, unit = float(size), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    return f"{value:.2f} {_UNITS[unit]}"
