"""Repositories and scripts, which a client chooses from."""

from datetime import datetime
from typing import Any

from borg_api.identifiers import derive_id
from borg_api.mirror import Shelf
from borg_api.records import ScheduleRecord
from borg_api.schedule.listing import Listing, Rendered
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.timestamps import format_time
from borg_core.workload.run_plan import derive_location

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_STEP = 1024


def render_repositories(
    shelf: Shelf, namespace: str, repositories: list[BorgRepository], listing: Listing, now: datetime
) -> list[dict[str, Any]]:
    """Return them in Borg UI's shape, with the schedule that goes with each: an enabled one if there is any."""
    schedules: dict[str, ScheduleRecord] = {}
    for record in shelf.schedules.in_order(namespace):
        for ref in record.resource.spec.repository_refs:
            known = schedules.get(ref.name)
            if known is None or (known.resource.spec.suspend and not record.resource.spec.suspend):
                schedules[ref.name] = record
    rendered = {name: listing.render(shelf, record, now) for name, record in schedules.items()}
    return [_render_repository(item, rendered.get(item.metadata.name)) for item in repositories]


def render_script(script: BorgScript) -> dict[str, Any]:
    spec, metadata = script.spec, script.metadata
    return {
        "id": derive_id(SCRIPTS.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "description": spec.description or None,
        "timeout": spec.timeout_seconds,
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type.value.lower(),
                "required": parameter.required,
                "default": parameter.default or "",
                "description": parameter.description,
            }
            for parameter in spec.parameters
        ]
        or None,
        "category": "custom",
        "run_on": "always",
        "created_at": metadata.creation_timestamp,
    }


def _render_repository(repository: BorgRepository, rendered: Rendered | None) -> dict[str, Any]:
    spec, status, metadata = repository.spec, repository.status, repository.metadata
    schedule = rendered.record.resource if rendered else None
    runs = rendered.runs if rendered and schedule and not schedule.spec.suspend else ()
    return {
        "id": derive_id(REPOSITORIES.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "path": derive_location(repository),
        "encryption": spec.encryption.mode.value,
        "compression": spec.compression,
        "repository_type": "ssh" if spec.ssh else "local",
        "remote_path": (spec.ssh.remote_path or None) if spec.ssh else None,
        "source_directories": [f"/sources/{source.name}" for source in spec.sources],
        "exclude_patterns": list(spec.exclude),
        "upload_ratelimit_kib": spec.upload_rate_limit_ki_b or None,
        "mode": "full",
        "borg_version": 1,
        "last_backup": status.last_backup_time,
        "archive_count": status.archives or 0,
        "total_size": _size(status.deduplicated_size) if status.deduplicated_size is not None else None,
        "original_size": status.original_size,
        "deduplicated_size": status.deduplicated_size,
        "created_at": metadata.creation_timestamp,
        "has_running_maintenance": False,
        "has_schedule": schedule is not None,
        "schedule_enabled": bool(schedule and not schedule.spec.suspend),
        "schedule_name": schedule.title if schedule else None,
        "schedule_timezone": schedule.spec.time_zone if schedule else None,
        "next_run": format_time(runs[0]) if runs else None,
    }


def _size(size: int) -> str:
    """Return bytes as Borg UI writes them: two digits, steps of 1024."""
    value, unit = float(size), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    return f"{value:.2f} {_UNITS[unit]}"
