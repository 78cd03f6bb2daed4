"""What a client sent becomes the spec of a BorgSchedule, or a merge patch of one; what cannot be taken is refused."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from borg_api.edge.errors import InvalidValueError, NoSuchObjectError, quote, sentence
from borg_api.picture.picture import View
from borg_api.picture.records import derive_id
from borg_api.picture.timetable import DEFAULT_ZONE
from borg_api.resources.schedules.request import SPEC_FIELDS, WITHIN, NewSchedule, Parameters, ScheduleFields
from borg_contract.archive_name import find_template_problems
from borg_core.clock import CronError, CronSchedule
from borg_core.clock.hashed import is_day_hashed, resolve
from borg_core.clock.rhythm import find_never
from borg_core.kinds.parts.base import NameRef, SecretKeyRef
from borg_core.kinds.parts.hooks import Hook, HookParameter, ParameterValueSource
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import BorgScheduleSpec
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.policies.workload import find_parameter_problems

_SPEC = {
    "cron_expression": "schedule",
    "timezone": "timeZone",
    "description": "description",
    "archive_name_template": "archiveNameTemplate",
    "run_repository_scripts": "runRepositoryHooks",
}
_PRUNE = {"run_prune_after": "enabled", **SPEC_FIELDS}
_CLEARABLE = {"description", "archive_name_template", WITHIN}
"""What null takes away, so that the default holds; null in another field leaves it as it is."""
_INTERVAL = re.compile(r"[1-9][0-9]*[Hdwmy]")
_TARGETS = ("repository", "repository_id", "repository_ids")
_HOOKS = {"pre": "preBackup", "post": "postBackup"}


def derive_spec(fields: NewSchedule, view: View) -> dict[str, Any]:
    """Return the spec of a new schedule. Raises what `derive_patch` does."""
    patch = derive_patch(fields, view, None)
    if "repositoryRefs" not in patch:
        raise _no_target()
    spec = {key: value for key, value in patch.items() if value is not None}
    if "prune" in spec:
        spec["prune"] = {key: value for key, value in spec["prune"].items() if value is not None}
    return {"timeZone": DEFAULT_ZONE, **spec}


def derive_patch(fields: ScheduleFields, view: View, current: BorgScheduleSpec | None) -> dict[str, Any]:
    """Return the merge patch of the spec that does what was asked; empty when that is nothing.

    `current`: the spec to be changed, None for a new schedule. Raises NoSuchObjectError for an id that does not exist,
    InvalidValueError for a value that cannot be taken.
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
        spec["repositoryRefs"] = _targets(given, view, current)
    hooks = dict(_hooks(fields.given, view, current))
    if hooks:
        spec["hooks"] = hooks
    _check_times(spec, current)
    _check_archives(spec, current)
    return spec


def _check_title(title: str) -> None:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in title):
        raise InvalidValueError("The name is one line without control characters.", "/name")


def _targets(given: dict[str, Any], view: View, current: BorgScheduleSpec | None) -> list[dict[str, str]]:
    """Return the references in the order path, id, ids; each repository once.

    One that the schedule has already need not exist: what a client has read it may send back.
    """
    kept = [ref.name for ref in current.repository_refs] if current else []
    kept_by_id = {derive_id(REPOSITORIES.kind, view.namespace, name): name for name in kept}
    names: list[str] = []
    ids = [("repository_id", given["repository_id"])] if "repository_id" in given else []
    ids += [("repository_ids", item) for item in given.get("repository_ids", ())]
    for field, item in ids:
        repository = view.repositories.find(item)
        if repository is None and item not in kept_by_id:
            raise NoSuchObjectError(f"There is no repository with the id {item} ({field}).")
        names.append(repository.metadata.name if repository else kept_by_id[item])
    if "repository" in given:
        names.insert(0, _repository_at(given["repository"], view, names or kept, kept))
    if not names:
        raise _no_target()
    return [{"name": name} for name in dict.fromkeys(names)]


def _no_target() -> InvalidValueError:
    return InvalidValueError("Name at least one repository to back up into.", "/repository_ids")


def _repository_at(place: str, view: View, meant: list[str], kept: list[str]) -> str:
    """Return the repository there; of several, the first of those `meant` by what else is known."""
    found = [repository.metadata.name for repository in view.repositories_at(place)]
    if len(found) > 1:
        chosen = next((name for name in meant if name in found), None)
        if chosen is None:
            raise InvalidValueError(f"{quote(place)} is the location of {', '.join(found)}: send an id.", "/repository")
        return chosen
    if not found and place not in kept:
        raise no_such_place(place)
    return found[0] if found else place


def no_such_place(place: str) -> NoSuchObjectError:
    return NoSuchObjectError(f'There is no repository "{place[:200]}": send its location, its name, or its id.')


def _hooks(given: dict[str, Any], view: View, current: BorgScheduleSpec | None) -> Iterator[tuple[str, Any]]:
    for when, hook_name in _HOOKS.items():
        id_field, parameters_field = f"{when}_backup_script_id", f"{when}_backup_script_parameters"
        before: Hook | None = getattr(current.hooks, f"{when}_backup") if current else None
        if id_field in given and given[id_field] is None:
            if before:
                yield hook_name, None
            continue
        if id_field in given:
            script = view.scripts.find(given[id_field])
            if script is None and before and given[id_field] == _script_id(before, view):
                continue  # what a client has read it may send back, though the script does not exist any more
            if script is None:
                raise NoSuchObjectError(f"There is no script with the id {given[id_field]} ({id_field}).")
        elif before is None or parameters_field not in given:
            continue  # parameters of no script
        else:
            script = view.scripts.get(before.script_ref.name)
            if script is None:
                raise NoSuchObjectError(
                    f'The script "{before.script_ref.name}" of the schedule does not exist any more.'
                )
        yield hook_name, _hook(script, given, parameters_field, before).model_dump(by_alias=True, exclude_none=True)


def _script_id(hook: Hook, view: View) -> int:
    return derive_id(SCRIPTS.kind, view.namespace, hook.script_ref.name)


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
    for message in find_parameter_problems(hook, script):
        raise InvalidValueError(sentence(message), f"/{parameters_field}")
    return hook


def _parameters(values: Parameters) -> Iterator[HookParameter]:
    for name, value in values.items():
        if isinstance(value, str):
            yield HookParameter(name=name, value=value)
        else:
            ref = SecretKeyRef(name=value["secretKeyRef"]["name"], key=value["secretKeyRef"]["key"])
            yield HookParameter(name=name, value_from=ParameterValueSource(secret_key_ref=ref))


def _check_times(spec: dict[str, Any], current: BorgScheduleSpec | None) -> None:
    if not spec.keys() & {"schedule", "timeZone"}:
        return
    expression = spec.get("schedule") or (current.schedule if current else "")
    zone = spec.get("timeZone") or (current.time_zone if current else DEFAULT_ZONE)
    check_times(expression, zone, zone_is_new="timeZone" in spec)


def check_times(expression: str, zone: str, *, zone_is_new: bool) -> None:
    """Raise InvalidValueError for what a CronJob would refuse, or never run by.

    A zone that was there before, nobody has asked for.
    """
    plain = None
    try:
        plain = resolve(expression, "", "")  # what each H will become is not known yet, but it is taken as well
        times = CronSchedule.parse(plain, zone)
    except CronError as error:
        is_of_zone = plain is not None and CronSchedule.try_parse(plain) is not None
        if is_of_zone and not zone_is_new:
            return
        raise InvalidValueError(sentence(str(error)), "/timezone" if is_of_zone else "/cron_expression") from error
    if not is_day_hashed(expression) and (message := find_never(times)):
        raise InvalidValueError(sentence(message), "/cron_expression")


def _check_archives(spec: dict[str, Any], current: BorgScheduleSpec | None) -> None:
    if not spec.keys() & {"prune", "archiveNameTemplate"}:
        return
    asked = spec.get("prune", {})
    within = asked.get("keepWithin")
    if within and not _INTERVAL.fullmatch(within):
        raise InvalidValueError("Write a number above 0 and H, d, w, m or y, for example 7d.", "/prune_keep_within")
    before = current or BorgScheduleSpec(schedule="", repository_refs=())
    changes = {key: value for key, value in asked.items() if value is not None}
    if "keepWithin" in asked:
        changes["keepWithin"] = within or ""
    prune = before.prune.model_validate({**before.prune.model_dump(by_alias=True), **changes})
    template = spec.get("archiveNameTemplate", before.archive_name_template)
    template = template or BorgScheduleSpec.model_fields["archive_name_template"].default
    for message in find_template_problems(template, prune=prune.enabled):
        raise InvalidValueError(f'The archive_name_template "{template}" {message}.', "/archive_name_template")
    if prune.enabled and not prune.rules:
        raise InvalidValueError(
            "Prune would delete every archive: keep at least one, or set prune_keep_within.", "/run_prune_after"
        )
