"""What a resource says about itself: conditions as metav1.Condition has them, and the smallest patch to say it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from borg_core.formats import format_time
from borg_core.kinds.parts.base import Condition, Model

MESSAGE_LIMIT = 32768


class ConditionType(StrEnum):
    """Ready and Stalled as KEP-1623 and kstatus read them; the others are ours."""

    READY = "Ready"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    LAST_RUN_SUCCEEDED = "LastRunSucceeded"
    SUCCEEDED = "Succeeded"
    CHECKS_SCHEDULED = "ChecksScheduled"
    DRILLS_SCHEDULED = "DrillsScheduled"
    VERIFIED = "Verified"
    DAMAGED = "Damaged"
    ALIASED = "Aliased"
    APPEND_ONLY = "AppendOnly"
    MISSING = "Missing"
    REPLACED = "Replaced"
    ROLLED_BACK = "RolledBack"
    ARCHIVES_LISTED = "ArchivesListed"
    CLOCK_DISAGREES = "ClockDisagrees"
    CLAIMS_SELECTED = "ClaimsSelected"


@dataclass(frozen=True)
class Finding:
    """What a condition is to say; `status` None means: not known."""

    type: str
    status: bool | None
    reason: str
    message: str


def derive_conditions(
    findings: Iterable[Finding], observed: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions for `findings`, each with its earlier transition time where the status did not change."""
    earlier = {condition.type: condition for condition in observed}
    return tuple(_condition(finding, earlier.get(finding.type), generation, now) for finding in findings)


def has_changed(type_: str, before: Iterable[Condition], after: Iterable[Condition]) -> bool:
    """Tell whether the condition of `type_` has another status or reason after than before."""

    def state(conditions: Iterable[Condition]) -> tuple[str, str] | None:
        return next(((c.status, c.reason) for c in conditions if c.type == type_), None)

    return state(before) != state(after)


def is_true(type_: str, conditions: Iterable[Condition]) -> bool:
    """Tell whether the condition of `type_` is among them, and is True."""
    return any(condition.type == type_ and condition.status == "True" for condition in conditions)


def derive_status_patch(before: Model, after: Model) -> dict[str, Any]:
    """Return the fields of `after` that differ from `before`, None for those that go; empty when they are the same.

    A JSON merge patch: of an object in it, too, the API server keeps what the patch does not name. Lists are whole.
    """
    return _difference(_dump(before), _dump(after))


def _difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    for key, value in changed.items():
        if isinstance(value, dict) and isinstance(before := old.get(key), dict):
            changed[key] = _difference(before, value)
    return changed | dict.fromkeys(old.keys() - new.keys())


def _condition(finding: Finding, earlier: Condition | None, generation: int, now: datetime) -> Condition:
    status = {True: "True", False: "False", None: "Unknown"}[finding.status]
    since = earlier.last_transition_time if earlier and earlier.status == status else format_time(now)
    return Condition(
        type=finding.type,
        status=status,
        reason=finding.reason,
        message=finding.message[:MESSAGE_LIMIT],
        last_transition_time=since,
        observed_generation=generation,
    )


def _dump(status: Model) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
