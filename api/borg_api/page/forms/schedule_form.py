"""The form of a schedule: what it shows at first, and how what was entered becomes the body of a REST operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from borg_api.page.forms.numbers import read_number
from borg_api.page.frame.guard import Form
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord, derive_id
from borg_api.picture.timetable import DEFAULT_ZONE
from borg_api.resources.schedules.request import WITHIN
from borg_api.resources.schedules.response import Job
from borg_contract.retention import DEFAULTS
from borg_core.kinds.parts.hooks import Hook
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import BorgScheduleSpec
from borg_core.kinds.script import SCRIPTS, BorgScript, ParameterType

TEXTS = ("name", "cron_expression", "timezone", "description", "archive_name_template")
TICKS = ("enabled", "run_prune_after", "run_compact_after", "run_repository_scripts")
COUNTS = tuple(f"prune_{name}" for name in DEFAULTS if f"prune_{name}" != WITHIN)
HOOKS = ("pre", "post")
_RULES = {
    "keep_hourly": "Hours",
    "keep_daily": "Days",
    "keep_weekly": "Weeks",
    "keep_monthly": "Months",
    "keep_quarterly": "Quarters",
    "keep_yearly": "Years",
}
LABELS = {f"prune_{name}": words for name, words in _RULES.items()}


@dataclass(frozen=True)
class Choice:
    """A script around the backup, which may not exist any more; of no name where there is none.

    `values`: of its parameters, by their names; of a Password (secret, key).
    """

    name: str
    script: BorgScript | None
    values: Mapping[str, str | tuple[str, str]]
    empty: frozenset[str] = frozenset()
    """The parameters that were empty before, whatever their default: left so, they stay it."""

    @property
    def is_gone(self) -> bool:
        return bool(self.name) and self.script is None


@dataclass(frozen=True)
class Draft:
    """What stands in the form. `name`: of the schedule that is edited, empty for a new one. `faults`: by the field."""

    name: str
    fields: Mapping[str, Any]
    targets: Sequence[str]
    hooks: Mapping[str, Choice]
    etag: str = ""
    problem: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=lambda: LABELS)

    def text(self, name: str) -> str:
        """Return what stands in a field, empty for nothing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)

    def is_on(self, name: str) -> bool:
        return bool(self.fields.get(name))

    @property
    def counts(self) -> list[str]:
        return [name for name in COUNTS if name in self.labels]


def empty_draft(view: View) -> Draft:
    """Return the form of a new schedule: every night, into the only repository if there is one."""
    repositories = [item.metadata.name for item in view.repositories.in_order()]
    fields: dict[str, Any] = {
        "cron_expression": "H 2 * * *",
        "timezone": DEFAULT_ZONE,
        "archive_name_template": BorgScheduleSpec.model_fields["archive_name_template"].default,
        "enabled": True,
        "run_prune_after": True,
        "run_compact_after": True,
        **{f"prune_{name}": value for name, value in DEFAULTS.items()},
    }
    targets = repositories if len(repositories) == 1 else []
    return Draft("", fields, targets, {when: Choice("", None, {}) for when in HOOKS})


def draft_of(record: ScheduleRecord, job: Job, etag: str, view: View) -> Draft:
    """Return the form of a schedule as it is."""
    hooks = record.resource.spec.hooks
    chosen = {}
    for when in HOOKS:
        hook = getattr(hooks, f"{when}_backup")
        script = view.scripts.get(hook.script_ref.name) if hook else None
        sent: Mapping[str, Any] = job[f"{when}_backup_script_parameters"] or {}  # type: ignore[literal-required]
        values = {
            name: (value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]) if isinstance(value, dict) else value
            for name, value in sent.items()
        }
        chosen[when] = Choice(hook.script_ref.name if hook else "", script, values)
    return Draft(record.name, dict(job), [ref.name for ref in record.resource.spec.repository_refs], chosen, etag)


def read_draft(form: Form, name: str, view: View) -> Draft:
    """Return what was entered."""
    entered = dict(form)
    # Browsers end the lines of what is entered in a textarea as in mail.
    fields: dict[str, Any] = {
        key: entered.get(key, "").replace("\r\n", "\n").strip() for key in (*TEXTS, WITHIN, *COUNTS)
    }
    fields |= {key: key in entered for key in TICKS}
    record = view.schedules.get(name)
    spec = record.resource.spec.hooks if record else None
    before: dict[str, Hook | None] = {when: getattr(spec, f"{when}_backup", None) for when in HOOKS}
    hooks = {when: _read_choice(when, entered, view, before[when]) for when in HOOKS}
    targets = [value for key, value in form if key == "repository"]
    return Draft(name, fields, targets, hooks, entered.get("etag", ""))


def _read_choice(when: str, entered: Mapping[str, str], view: View, before: Hook | None) -> Choice:
    name = entered.get(f"{when}_script", "")
    script = view.scripts.get(name)
    values: dict[str, str | tuple[str, str]] = {}
    for parameter in script.spec.parameters if script else ():
        key = f"{when}.{parameter.name}"
        if parameter.type is ParameterType.PASSWORD:
            values[parameter.name] = (entered.get(f"{key}.secret", "").strip(), entered.get(f"{key}.key", "").strip())
        elif key in entered:  # else the form did not ask for it yet
            values[parameter.name] = entered[key]
    known = before.parameters if before and before.script_ref.name == name else ()
    return Choice(name, script, values, frozenset(item.name for item in known if item.value == ""))


def body_of(draft: Draft, namespace: str) -> dict[str, Any]:
    """Return the body of create and update that says what was entered; a number that is none goes as it was typed."""
    body: dict[str, Any] = {key: draft.fields[key] or None for key in TEXTS}
    body |= {key: draft.fields[key] for key in TICKS}
    body |= {key: read_number(draft.fields[key]) or 0 for key in COUNTS}
    body[WITHIN] = draft.fields[WITHIN] or None
    body["repository_ids"] = [derive_id(REPOSITORIES.kind, namespace, target) for target in draft.targets]
    for when, choice in draft.hooks.items():
        body[f"{when}_backup_script_id"] = derive_id(SCRIPTS.kind, namespace, choice.name) if choice.name else None
        if choice.script:
            body[f"{when}_backup_script_parameters"] = {
                name: {"secretKeyRef": {"name": value[0], "key": value[1]}} if isinstance(value, tuple) else value
                for name, value in choice.values.items()
                if value not in ("", ("", "")) or (value == "" and name in choice.empty)
            }
    return body
