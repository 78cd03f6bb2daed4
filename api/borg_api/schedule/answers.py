"""From resources to the contract's objects: every key always there, null where there is nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from borg_api.identifiers import derive_id
from borg_api.mirror import Shelf
from borg_api.records import ScheduleRecord
from borg_core.kinds.hooks import Hook
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS, ParameterType
from borg_core.timestamps import format_time
from borg_core.workload.run_plan import derive_location


def schedule_id(namespace: str, name: str) -> int:
    return derive_id(SCHEDULES.kind, namespace, name)


def render_targets(record: ScheduleRecord, shelf: Shelf) -> dict[str, Any]:
    """Return `repository`, `repository_id` and `repository_ids`."""
    namespace = record.namespace
    names = [ref.name for ref in record.resource.spec.repository_refs]
    ids = [derive_id(REPOSITORIES.kind, namespace, name) for name in names]
    if len(names) != 1:
        return {"repository": None, "repository_id": None, "repository_ids": ids}
    repository = shelf.repositories.get(namespace, names[0])
    # One that does not exist (yet) is called by its name.
    place = derive_location(repository) if repository else names[0]
    return {"repository": place, "repository_id": ids[0], "repository_ids": ids}


def render_job(record: ScheduleRecord, shelf: Shelf, next_run: datetime | None) -> dict[str, Any]:
    """Return a schedule as lists show it."""
    spec, status, metadata = record.resource.spec, record.resource.status, record.resource.metadata
    namespace = metadata.namespace
    pre, post = spec.hooks.pre_backup, spec.hooks.post_backup
    return {
        "id": schedule_id(namespace, metadata.name),
        "name": record.resource.title,
        "cron_expression": spec.schedule,
        "timezone": spec.time_zone,
        **render_targets(record, shelf),
        "enabled": not spec.suspend,
        "last_run": status.last_run_time,
        "next_run": format_time(next_run) if next_run and not spec.suspend else None,
        "created_at": metadata.creation_timestamp,
        "updated_at": record.updated,
        "description": spec.description or None,
        "archive_name_template": spec.archive_name_template,
        "run_repository_scripts": spec.run_repository_hooks,
        "pre_backup_script_id": _script_id(namespace, pre),
        "post_backup_script_id": _script_id(namespace, post),
        "pre_backup_script_parameters": _parameters(pre, shelf, namespace),
        "post_backup_script_parameters": _parameters(post, shelf, namespace),
        "run_prune_after": spec.prune.enabled,
        "run_compact_after": spec.compact.enabled,
        "prune_keep_within": spec.prune.keep_within or None,
        "prune_keep_hourly": spec.prune.keep_hourly,
        "prune_keep_daily": spec.prune.keep_daily,
        "prune_keep_weekly": spec.prune.keep_weekly,
        "prune_keep_monthly": spec.prune.keep_monthly,
        "prune_keep_quarterly": spec.prune.keep_quarterly,
        "prune_keep_yearly": spec.prune.keep_yearly,
        "last_prune": status.last_prune_time,
        "last_compact": status.last_compact_time,
    }


def render_upcoming(job: dict[str, Any]) -> dict[str, Any]:
    """Return an upcoming job, its next run left out, of a schedule as lists show it."""
    kept = ("id", "name", "repository", "repository_id", "repository_ids", "cron_expression", "timezone")
    return {"type": "schedule", **{key: job[key] for key in kept}}


def render_times(runs: Sequence[datetime]) -> list[str]:
    return [format_time(run) for run in runs]


def _script_id(namespace: str, hook: Hook | None) -> int | None:
    return derive_id(SCRIPTS.kind, namespace, hook.script_ref.name) if hook else None


def _parameters(hook: Hook | None, shelf: Shelf, namespace: str) -> dict[str, Any] | None:
    """Return the values; of a Password, where it stands, and nothing of one that stands here in plain text."""
    if hook is None:
        return None
    script = shelf.scripts.get(namespace, hook.script_ref.name)
    declared = script.spec.parameters if script else ()
    passwords = {parameter.name for parameter in declared if parameter.type is ParameterType.PASSWORD}
    return {
        parameter.name: {"secretKeyRef": parameter.value_from.secret_key_ref.model_dump()}
        if parameter.value_from
        else parameter.value or ""
        for parameter in hook.parameters
        if parameter.value_from or parameter.name not in passwords
    }
