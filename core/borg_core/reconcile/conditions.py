"""Conditions as metav1.Condition has them: a transition time that moves only when the status does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from borg_core.kinds.base import Condition
from borg_core.timestamps import format_time

MESSAGE_LIMIT = 32768


class ConditionType(StrEnum):
    """Ready and Stalled as KEP-1623 and kstatus read them; the others are ours."""

    READY = "Ready"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    LAST_RUN_SUCCEEDED = "LastRunSucceeded"
    SUCCEEDED = "Succeeded"


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


def changed(type_: str, before: Iterable[Condition], after: Iterable[Condition]) -> bool:
    """Tell whether the condition of `type_` has another status or reason after than before."""

    def state(conditions: Iterable[Condition]) -> tuple[str, str] | None:
        return next(((c.status, c.reason) for c in conditions if c.type == type_), None)

    return state(before) != state(after)


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
