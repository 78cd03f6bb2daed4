"""Titles: what people call a schedule, one each in a namespace."""

from collections.abc import Iterator

from borg_contract.reasons import Reason
from borg_core.policies.problem import Problem
from borg_core.workload.bundle import Bundle


def find_title_problems(bundle: Bundle) -> Iterator[Problem]:
    """Yield a problem if an older schedule of the namespace has the title: the oldest one keeps it."""
    own = bundle.schedule.metadata
    for other in bundle.namesakes:
        if (other.metadata.creation_timestamp, other.metadata.name) < (own.creation_timestamp, own.name):
            message = f'BorgSchedule "{other.metadata.name}" is called "{other.title}" already: choose another title'
            yield Problem(Reason.TITLE_TAKEN, message)
            return
