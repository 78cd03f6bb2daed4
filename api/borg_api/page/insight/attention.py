"""What needs somebody, worst first: what is wrong, and what to do about it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from borg_api.page.insight.history import backups_of, failed_last
from borg_api.page.insight.matter import Level, Matter
from borg_api.page.insight.repositories import find_matters_of
from borg_api.page.show.times import span
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, ScheduleRecord
from borg_api.picture.restoring import RestoreRecord
from borg_api.picture.timetable import COUNT, Timetable
from borg_api.resources.runs.response import explain_run
from borg_contract.reasons import Reason
from borg_contract.run import Phase
from borg_core.formats import parse_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.status import ConditionType

_SLACK = timedelta(hours=2)
"""So much later than its time a backup may end before anybody is told."""
_RECENT = timedelta(days=7)
_ANSWER = timedelta(minutes=2)
"""So long the operator may take to see what was saved."""
_UNKNOWN_GAP = timedelta(days=1)
_DO_IT = "Do what the message says, then run it now."
_BEGINS = timedelta(minutes=5)
"""So long a run may take to begin before anybody is told why it does not."""
_ORDINARY = (
    None,
    Reason.WAITING_FOR_RUN.value,
    Reason.WAITING_FOR_LOCK.value,
    Reason.WAITING_FOR_COPY.value,
    Reason.WAITING_FOR_RESTORE.value,
)
"""Why a run waits that begins by itself."""


def find_matters(view: View, timetable: Timetable, now: datetime) -> list[Matter]:
    """Return what needs somebody in this namespace."""
    found = [
        *(matter for item in view.repositories.in_order() for matter in find_matters_of(item)),
        *(matter for item in view.schedules.in_order() for matter in of_schedule(item, view, timetable, now)),
        *(matter for item in view.restores.in_order() for matter in _of_restore(item, now)),
    ]
    return sorted(found, key=lambda matter: matter.order)


def is_late(record: ScheduleRecord, timetable: Timetable, now: datetime) -> bool:
    """Tell whether there should have been a good backup since the last one: a run was due, and had time to end."""
    status, resource = record.resource.status, record.resource
    if resource.spec.suspend:
        return False
    since = parse_time(status.last_success_time or record.updated)  # one that was paused from the beginning is new
    known = timetable.next_runs(resource, now)
    gaps = [later - earlier for earlier, later in pairwise(known)] or [_UNKNOWN_GAP]
    age = now - since - _SLACK
    if age <= min(gaps):
        return False  # told without reckoning, as there are many schedules
    # `@every` counts from the last run, whenever that was.
    is_foretold = len(known) == COUNT and not resource.spec.schedule.startswith("@every")
    if is_foretold and not any(timetable.runs_between(resource, known, since, now - _SLACK)):
        return False
    # One that is at work since may be a long one.
    return age > max(gaps) if status.active or not is_foretold else True


def of_schedule(record: ScheduleRecord, view: View, timetable: Timetable, now: datetime) -> Iterator[Matter]:
    """Yield what needs somebody about a schedule: the one thing that is worst, after a run that cannot begin."""
    resource = record.resource
    status, title, name = resource.status, resource.title, record.name
    # Runs are looked at only where the status says that there is something to see: there are many schedules.
    failed = failed_last(backups_of(view, name)) if status.consecutive_failures else None
    ready = _condition(resource.status.conditions, ConditionType.READY)
    ended = _condition(resource.status.conditions, ConditionType.LAST_RUN_SUCCEEDED)
    stuck = _find_stuck(record, view, now)
    if stuck:
        yield Matter(
            Level.FAILING,
            "schedules",
            name,
            title,
            "A backup cannot begin",
            stuck.message or stuck.reason or "",
            "Mend what the message names: it begins by itself then. Until then, later ones may wait for it.",
            stuck.started or stuck.created,
        )
    if failed or (status.consecutive_failures and ended and ended.status == "False"):
        times = status.consecutive_failures or 1
        yield Matter(
            Level.FAILING,
            "schedules",
            name,
            title,
            "The last backup failed" if times == 1 else f"The last {times:,} backups failed",
            # Its BorgRun may have been deleted.
            (explain_run(failed) or failed.reason or "") if failed else ended.message if ended else "",
            _advice(failed) if failed else _DO_IT,
            failed.completed if failed else status.last_failure_time,
        )
    elif ready and ready.status == "False":
        yield Matter(
            Level.FAILING,
            "schedules",
            name,
            title,
            "It cannot run",
            ready.message,
            "Mend what the message names; the operator notices by itself.",
            ready.last_transition_time,
        )
    elif stuck:
        return
    elif is_late(record, timetable, now):
        last = status.last_success_time
        good = f"The last good backup is {span((now - parse_time(last)).total_seconds())} old" if last else ""
        yield Matter(
            Level.FAILING,
            "schedules",
            name,
            title,
            "A backup is overdue",
            good or "There has been no good backup yet.",
            "Run it now, and see what happens.",
            last,
        )
    elif status.observed_generation != resource.metadata.generation and now - parse_time(record.updated) > _ANSWER:
        yield Matter(
            Level.LOOK,
            "schedules",
            name,
            title,
            "The operator has not seen it yet",
            "Nothing comes of what was saved, and of nothing else that is asked for, until it has.",
            "See whether the operator runs: kubectl get pods -A -l app.kubernetes.io/name=borg-operator",
            record.updated,
        )
    else:
        yield from _left_out(record)
        if status.last_run_phase not in (None, Phase.COMPLETED):
            yield from _suspect(record, view)


def _find_stuck(record: ScheduleRecord, view: View, now: datetime) -> RunRecord | None:
    """Return the oldest backup that something keeps from beginning."""
    if not record.resource.status.active:
        return None
    pending = (run for run in backups_of(view, record.name) if run.phase is Phase.PENDING)
    hindered = (run for run in pending if run.reason not in _ORDINARY)
    return next((run for run in hindered if now - parse_time(run.started or run.created) >= _BEGINS), None)


def _left_out(record: ScheduleRecord) -> Iterator[Matter]:
    """Yield that claims which it chooses by their labels are not backed up."""
    selected = _condition(record.resource.status.conditions, ConditionType.CLAIMS_SELECTED)
    if selected and selected.status == "False" and not record.resource.spec.suspend:
        yield Matter(
            Level.LOOK,
            "schedules",
            record.name,
            record.resource.title,
            "Not all claims are backed up",
            selected.message,
            "Mend what the message names; a claim that needs no backup says so with borgoperator.io/ignore.",
            selected.last_transition_time,
        )


def _suspect(record: ScheduleRecord, view: View) -> Iterator[Matter]:
    """Yield that the newest archive may not be what it seems."""
    newest = next((run for run in reversed(backups_of(view, record.name)) if run.finished), None)
    if newest is None or newest.phase is not Phase.COMPLETED_WITH_WARNINGS:
        return
    item = next((item for item in newest.repositories if item.reason), None)
    if item is None:
        item = next((item for item in newest.repositories if item.warnings), None)
        if item:
            more = (item.warning_count or len(item.warnings)) - 1
            yield Matter(
                Level.LOOK,
                "schedules",
                record.name,
                record.resource.title,
                "The newest backup has warnings",
                item.warnings[0] + (f" (and {more:,} more)" if more else ""),
                "What a warning names may not be in the archive as it was. The run has all of them.",
                newest.completed,
            )
    elif item.reason:
        yield Matter(
            Level.LOOK,
            "schedules",
            record.name,
            record.resource.title,
            "The newest archive may not be whole",
            item.error or (item.warnings[0] if item.warnings else item.reason),
            "Look at its sources: a volume that is not mounted looks empty.",
            newest.completed,
        )


def _advice(failed: RunRecord) -> str:
    locked = any(item.locked_by for item in failed.repositories)
    if locked:
        return "Wait for whoever holds the lock, or see who it is on the repository's page."
    return _DO_IT


def _of_restore(restore: RestoreRecord, now: datetime) -> Iterator[Matter]:
    status, name = restore.resource.status, restore.name

    def tell(level: Level, headline: str, advice: str) -> Matter:
        since = status.completion_time or status.start_time or restore.resource.metadata.creation_timestamp
        title = f"Restore into {restore.destination}"
        detail = status.message or next(iter(status.warnings), "")
        return Matter(level, "restores", name, title, headline, detail, advice, since)

    recent = now - parse_time(status.completion_time) < _RECENT if status.completion_time else True
    if restore.phase is RestorePhase.FAILED and recent:
        yield tell(Level.LOOK, "It failed", "Do what the message says, and restore again: it goes on where it was.")
    elif status.verified and status.verified.mismatches and recent:
        yield tell(
            Level.LOOK, "What was restored differs from the archive", "See its warnings; restore these files again."
        )
    elif restore.phase is RestorePhase.COMPLETED_WITH_WARNINGS and recent:
        to_do = "What a warning names may not be as it was. The restore has all of them."
        yield tell(Level.LOOK, "It has warnings", to_do)
    elif restore.phase is RestorePhase.PREVIEWED and restore.previews:
        yield tell(Level.DECIDE, "It waits for approval", "Look at what it would do, then approve or discard it.")
    elif restore.phase is RestorePhase.PENDING and status.reason:
        yield tell(Level.DECIDE, "It waits", "Do what the message says.")


def _condition(conditions: tuple[Condition, ...], type_: ConditionType) -> Condition | None:
    return next((condition for condition in conditions if condition.type == type_), None)
