"""From what a client sends to a merge patch of a BorgSchedule's spec; what cannot be taken is refused here."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from borg_api.mirror import Shelf
from borg_api.problem import Problem, refused, sentence
from borg_api.schedule.request import Parameters, ScheduleFields, SecretParameter
from borg_contract.archive_name import find_template_problems
from borg_core.clock import CronError, CronSchedule
from borg_core.kinds.base import NameRef, SecretKeyRef
from borg_core.kinds.hooks import Hook, HookParameter, ParameterValueSource
from borg_core.kinds.schedule import BorgScheduleSpec
from borg_core.kinds.script import BorgScript
from borg_core.policies.problems import derive_parameter_problems
from borg_core.workload.run_plan import derive_location

DEFAULT_ZONE = "UTC"

_SPEC = {
    "cron_expression": "schedule",
    "timezone": "timeZone",
    "description": "description",
    "archive_name_template": "archiveNameTemplate",
    "run_repository_scripts": "runRepositoryHooks",
}
_PRUNE = {
    "run_prune_after": "enabled",
    "prune_keep_within": "keepWithin",
    "prune_keep_hourly": "keepHourly",
    "prune_keep_daily": "keepDaily",
    "prune_keep_weekly": "keepWeekly",
    "prune_keep_monthly": "keepMonthly",
    "prune_keep_quarterly": "keepQuarterly",
    "prune_keep_yearly": "keepYearly",
}
_CLEARABLE = {"description", "archive_name_template", "prune_keep_within"}
"""What null takes away, so that the default holds; null in another field leaves it as it is."""
_INTERVAL = re.compile(r"[1-9][0-9]*[Hdwmy]")
_TARGETS = ("repository", "repository_id", "repository_ids")
_HOOKS = {"pre": "preBackup", "post": "postBackup"}


def _check_title(title: str) -> None:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in title):
        raise refused("The name is one line without control characters.", "/name")


def derive_spec_patch(fields: ScheduleFields, shelf: Shelf, namespace: str, current: BorgScheduleSpec | None) -> Any:
    """Return the merge patch of the spec that does what was asked; empty when that is nothing.

    `current`: the spec to be changed, None for a new schedule. Raises Problem: 404 for an id that does not exist, 400
    for a value that cannot be taken.
    """
    given = {name: value for name, value in fields.given.items() if value is not None or name in _CLEARABLE}
    spec: dict[str, Any] = {_SPEC[name]: given[name] for name in given.keys() & _SPEC.keys()}
    if "name" in given:
        _check_title(given["name"])
        spec["title"] = given["name"]
    if "enabled" in given:
        spec["suspend"] = not given["enabled"]
    if "timezone" in fields.given and fields.timezone is None:
        spec["timeZone"] = DEFAULT_ZONE
    prune = {_PRUNE[name]: given[name] for name in given.keys() & _PRUNE.keys()}
    if prune:
        spec["prune"] = prune
    if "run_compact_after" in given:
        spec["compact"] = {"enabled": given["run_compact_after"]}
    if given.keys() & set(_TARGETS):
        spec["repositoryRefs"] = _targets(given, shelf, namespace)
    hooks = dict(_hooks(fields, shelf, namespace, current))
    if hooks:
        spec["hooks"] = hooks
    _check_times(spec, current)
    _check_archives(spec, current)
    return spec


def _targets(given: dict[str, Any], shelf: Shelf, namespace: str) -> list[dict[str, str]]:
    """Return the references in the order path, id, ids; each repository once."""
    names: list[str] = []
    if "repository" in given:
        names.append(_repository_at(given["repository"], shelf, namespace))
    ids = [("/repository_id", given["repository_id"])] if "repository_id" in given else []
    ids += [(f"/repository_ids/{index}", item) for index, item in enumerate(given.get("repository_ids", ()))]
    for pointer, item in ids:
        repository = shelf.repositories.find(namespace, item)
        if repository is None:
            raise Problem(404, f"There is no repository with the id {item} ({pointer[1:].partition('/')[0]}).")
        names.append(repository.metadata.name)
    if not names:
        raise refused("Name at least one repository to back up into.", "/repository_ids")
    return [{"name": name} for name in dict.fromkeys(names)]


def _repository_at(place: str, shelf: Shelf, namespace: str) -> str:
    for repository in shelf.repositories.in_order(namespace):
        if place in (derive_location(repository), repository.metadata.name):
            return repository.metadata.name
    raise Problem(404, f'There is no repository "{place[:200]}": send its location, its name, or its id.')


def _hooks(
    fields: ScheduleFields, shelf: Shelf, namespace: str, current: BorgScheduleSpec | None
) -> Iterator[tuple[str, Any]]:
    given = fields.given
    for when, hook_name in _HOOKS.items():
        id_field, parameters_field = f"{when}_backup_script_id", f"{when}_backup_script_parameters"
        before: Hook | None = getattr(current.hooks, f"{when}_backup") if current else None
        if id_field in given and given[id_field] is None:
            if before:
                yield hook_name, None
            continue
        if id_field not in given and (before is None or parameters_field not in given):
            continue  # parameters of no script
        if id_field in given:
            script = shelf.scripts.find(namespace, given[id_field])
            if script is None:
                raise Problem(404, f"There is no script with the id {given[id_field]} ({id_field}).")
        else:
            assert before  # noqa: S101 - as looked at above
            script = shelf.scripts.get(namespace, before.script_ref.name)
            if script is None:
                raise Problem(404, f'The script "{before.script_ref.name}" of the schedule does not exist any more.')
        yield hook_name, _hook(script, given, parameters_field, before).model_dump(by_alias=True, exclude_none=True)


def _hook(script: BorgScript, given: dict[str, Any], parameters_field: str, before: Hook | None) -> Hook:
    """Return the hook. Parameters that the script does not take are dropped: a client may send those of another."""
    name = script.metadata.name
    if parameters_field in given:
        sent: Parameters = given[parameters_field] or {}
        declared = {parameter.name for parameter in script.spec.parameters}
        parameters = tuple(_parameters({key: value for key, value in sent.items() if key in declared}))
    else:
        parameters = before.parameters if before and before.script_ref.name == name else ()
    hook = Hook(script_ref=NameRef(name=name), parameters=parameters)
    for message in derive_parameter_problems(hook, script):
        raise refused(sentence(message), f"/{parameters_field}")
    return hook


def _parameters(values: Parameters) -> Iterator[HookParameter]:
    for name, value in values.items():
        if isinstance(value, SecretParameter):
            ref = SecretKeyRef(name=value.secret_key_ref.name, key=value.secret_key_ref.key)
            yield HookParameter(name=name, value_from=ParameterValueSource(secret_key_ref=ref))
        else:
            yield HookParameter(name=name, value=value)


def _check_times(spec: dict[str, Any], current: BorgScheduleSpec | None) -> None:
    if not spec.keys() & {"schedule", "timeZone"}:
        return
    expression = spec.get("schedule") or (current.schedule if current else "")
    for zone, pointer in (("Etc/UTC", "/cron_expression"), (spec.get("timeZone"), "/timezone")):
        try:
            if zone:
                CronSchedule.parse(expression, zone)
        except CronError as error:
            raise refused(sentence(str(error)), pointer) from error


def _check_archives(spec: dict[str, Any], current: BorgScheduleSpec | None) -> None:
    if not spec.keys() & {"prune", "archiveNameTemplate"}:
        return
    asked = spec.get("prune", {})
    within = asked.get("keepWithin")
    if within and not _INTERVAL.fullmatch(within):
        raise refused("Write a number above 0 and H, d, w, m or y, for example 7d.", "/prune_keep_within")
    before = current or BorgScheduleSpec(schedule="", repository_refs=())
    changes = {key: value for key, value in asked.items() if value is not None}
    if "keepWithin" in asked:
        changes["keepWithin"] = within or ""
    prune = before.prune.model_validate({**before.prune.model_dump(by_alias=True), **changes})
    template = spec.get("archiveNameTemplate", before.archive_name_template)
    template = template or BorgScheduleSpec.model_fields["archive_name_template"].default
    for message in find_template_problems(template, prune=prune.enabled):
        raise refused(f'The archive_name_template "{template}" {message}.', "/archive_name_template")
    keeps = [value for name, value in prune if name.startswith("keep_")]
    if prune.enabled and not any(keeps):
        raise refused(
            "Prune would delete every archive: keep at least one, or set prune_keep_within.", "/run_prune_after"
        )
