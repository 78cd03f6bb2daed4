"""Schedules as the contract shows them: every key always there, null where there is nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord, derive_id
from borg_api.resources.schedules.request import WITHIN, Parameters, Rules, SecretKey, SecretParameter
from borg_contract.retention import DEFAULTS, Retention
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.parts.hooks import Hook, HookParameter
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS, ParameterType
from borg_core.kinds.status import ConditionType
from borg_core.workload.plan import derive_location

_DAILY = "2024-01-16T02:00:00Z"
Effective = Annotated[
    str, Field(description="What the CronJob gets: with a value in place of each `H`.", examples=["0 2 * * *"])
]
Location = Annotated[str | None, Field(description="The location of the only target; null when there are several.")]

Notices = Annotated[
    list[str],
    Field(
        description="What needs somebody: why it cannot run, which claims are left out, how the last run failed. Empty "
        "where all is well, and until the operator has seen it.",
    ),
]
_NOTICES = (ConditionType.READY, ConditionType.CLAIMS_SELECTED, ConditionType.LAST_RUN_SUCCEEDED)
"""Conditions that are False where somebody is needed, what is worst first."""


class Targets(TypedDict):
    """What a schedule backs up into."""

    repository: Location
    repository_id: int | None
    repository_ids: list[int]


@answer
class Job(Targets, Rules):
    id: int
    name: str
    cron_expression: str
    effective_cron_expression: Effective
    timezone: str
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
    last_prune: str | None
    last_compact: str | None
    notices: Notices


@answer
class JobDetail(Job):
    next_runs: Annotated[list[str], Field(examples=[[_DAILY]])]


@answer
class JobList(Paged):
    success: bool
    jobs: list[Job]


@answer
class JobAnswer(TypedDict):
    success: bool
    job: JobDetail


@answer
class Written(TypedDict):
    success: bool
    message: str
    job: JobDetail


@answer
class Done(TypedDict):
    success: bool
    message: str


@answer
class Toggled(Done):
    enabled: bool


@answer
class Started(TypedDict):
    job_id: Annotated[int, Field(description="Of the run.")]
    status: Annotated[str, Field(examples=["pending"])]
    message: str


@answer
class UpcomingJob(Targets):
    id: int
    type: Annotated[str, Field(examples=["schedule"])]
    name: str
    next_run: Annotated[str, Field(examples=[_DAILY])]
    cron_expression: str
    effective_cron_expression: Effective
    timezone: str


_PagedUpcoming = TypedDict(
    "_PagedUpcoming",
    {"continue": NotRequired[Annotated[str | None, Field(description="Only with `limit` or `all`.")]]},
)


@answer
class UpcomingJobs(_PagedUpcoming):
    success: bool
    upcoming_jobs: list[UpcomingJob]
    hours_ahead: int


def render_job(record: ScheduleRecord, view: View, next_run: datetime | None) -> Job:
    """Return a schedule as lists show it."""
    spec, status, metadata = record.resource.spec, record.resource.status, record.resource.metadata
    namespace = metadata.namespace
    pre, post = spec.hooks.pre_backup, spec.hooks.post_backup
    return {
        "id": derive_id(SCHEDULES.kind, namespace, metadata.name),
        "name": record.resource.title,
        "cron_expression": spec.schedule,
        "effective_cron_expression": record.resource.effective_schedule,
        "timezone": spec.time_zone,
        **render_targets(record, view),
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
        "pre_backup_script_parameters": _parameters(pre, view),
        "post_backup_script_parameters": _parameters(post, view),
        "run_prune_after": spec.prune.enabled,
        "run_compact_after": spec.compact.enabled,
        **render_rules(spec.prune),
        "last_prune": status.last_prune_time,
        "last_compact": status.last_compact_time,
        "notices": _find_notices(status.conditions),
    }


def render_targets(record: ScheduleRecord, view: View) -> Targets:
    names = [ref.name for ref in record.resource.spec.repository_refs]
    ids = [derive_id(REPOSITORIES.kind, record.namespace, name) for name in names]
    if len(names) != 1:
        return {"repository": None, "repository_id": None, "repository_ids": ids}
    repository = view.repositories.get(names[0])
    # One that does not exist (yet) is called by its name.
    location = derive_location(repository) if repository else names[0]
    return {"repository": location, "repository_id": ids[0], "repository_ids": ids}


def render_rules(retention: Retention) -> Rules:
    """Return the rules as answers show them: null for no interval, 0 for no archive of a kind."""
    rules = {f"prune_{name}": getattr(retention, name) for name in DEFAULTS}
    return cast("Rules", {**rules, WITHIN: rules[WITHIN] or None})


def render_upcoming(job: Job, next_run: datetime) -> UpcomingJob:
    """Return a run of a schedule that lists show as `job`."""
    return {
        "id": job["id"],
        "type": "schedule",
        "name": job["name"],
        "repository": job["repository"],
        "repository_id": job["repository_id"],
        "repository_ids": job["repository_ids"],
        "next_run": format_time(next_run),
        "cron_expression": job["cron_expression"],
        "effective_cron_expression": job["effective_cron_expression"],
        "timezone": job["timezone"],
    }


def _find_notices(conditions: Sequence[Condition]) -> list[str]:
    told = {condition.type: condition.message for condition in conditions if condition.status == "False"}
    return list(dict.fromkeys(told[type_] for type_ in _NOTICES if type_ in told))


def _script_id(namespace: str, hook: Hook | None) -> int | None:
    return derive_id(SCRIPTS.kind, namespace, hook.script_ref.name) if hook else None


def _parameters(hook: Hook | None, view: View) -> Parameters | None:
    """Return the values; of a Password, where it stands, and nothing of one that stands here in plain text."""
    if hook is None:
        return None
    script = view.scripts.get(hook.script_ref.name)
    declared = script.spec.parameters if script else ()
    passwords = {parameter.name for parameter in declared if parameter.type is ParameterType.PASSWORD}
    return {
        parameter.name: _value(parameter)
        for parameter in hook.parameters
        if parameter.value_from or parameter.name not in passwords
    }


def _value(parameter: HookParameter) -> str | SecretParameter:
    if parameter.value_from is None:
        return parameter.value or ""
    ref = parameter.value_from.secret_key_ref
    return SecretParameter(secretKeyRef=SecretKey(name=ref.name, key=ref.key))
