"""Whether a CronJob takes the times."""

from collections.abc import Iterator

from borg_contract.reasons import Reason
from borg_core.clock import CronError, CronSchedule
from borg_core.policies.problem import Problem


def find_time_problems(expression: str, time_zone: str) -> Iterator[Problem]:
    try:
        CronSchedule.parse(expression, time_zone)
    except CronError as error:
        yield Problem(Reason.INVALID_SCHEDULE, str(error))
