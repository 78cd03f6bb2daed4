"""How it went: of schedules their runs, of repositories their space, of what runs how long it usually takes."""

from collections.abc import Iterable, Sequence
from statistics import median

from borg_api.page.show.charts import Point
from borg_api.page.show.words import State, of_phase
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_contract.run import Operation, Phase
from borg_core.formats import parse_time
from borg_core.kinds.schedule import SCHEDULES

_ENOUGH = 100
"""The newest of so many runs tell how long one takes."""


def backups_of(view: View, schedule: str) -> list[RunRecord]:
    """Return the backups of a schedule that are kept, oldest first."""
    return [run for run in view.runs_of(schedule) if run.operation is Operation.BACKUP]


def states_of(runs: Iterable[RunRecord]) -> list[State]:
    return [of_phase(run.phase) for run in runs]


def usual_seconds(view: View, run: RunRecord) -> float | None:
    """Return how long runs like this one took that succeeded, None where there was none."""
    if run.subject.kind != SCHEDULES.kind:
        before = [other for other in view.runs_on(run.subject.name) if other.operation is run.operation]
    else:
        before = [other for other in view.runs_of(run.subject.name) if other.operation is run.operation]
    took = [
        (parse_time(other.completed) - parse_time(other.started)).total_seconds()
        for other in before[-_ENOUGH:]
        if other.phase.succeeded and other.started and other.completed
    ]
    return median(took) if took else None


def space_of(runs: Iterable[RunRecord], repository: str) -> list[tuple[Point, int]]:
    """Return how many bytes a repository took when runs ended, oldest first, and in how many archives."""
    found = [
        (Point(parse_time(run.completed), item.totals.deduplicated_size), item.totals.archives)
        for run in runs
        if run.completed
        for item in run.repositories
        if item.totals and item.name == repository
    ]
    return sorted(found, key=lambda point: point[0].at)


def failed_last(runs: Sequence[RunRecord]) -> RunRecord | None:
    """Return the newest run that came to an end of its own, if it failed."""
    no_ends = (Phase.SKIPPED, Phase.CANCELLED)
    ended = next((run for run in reversed(runs) if run.finished and run.phase not in no_ends), None)
    return ended if ended and ended.phase is Phase.FAILED else None
