"""What keeps a workload from running, in words that say how to mend it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from borg_contract.reasons import Reason


class Severity(Enum):
    """What a problem means for a CronJob that already runs."""

    WAITING = "something is missing and may yet appear; the CronJob stays as it last was valid"
    HELD = "it goes on by itself; until then the CronJob is suspended, and makes up for what it missed"
    INVALID = "the spec must be changed; the CronJob stays as it last was valid"
    FORBIDDEN = "the installer does not allow it; the CronJob is suspended"


@dataclass(frozen=True)
class Problem:
    """`message` is a sentence that names what is wrong and what to do."""

    reason: Reason
    message: str
    severity: Severity = Severity.INVALID


def is_waiting(problems: Iterable[Problem]) -> bool:
    """Tell whether all that is wrong may become good by itself."""
    return all(problem.severity in (Severity.WAITING, Severity.HELD) for problem in problems)
