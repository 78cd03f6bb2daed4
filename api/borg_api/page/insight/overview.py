"""The overview: one sentence, and the figures below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from borg_api.page.insight.history import usual_seconds
from borg_api.page.insight.matter import Level, Matter
from borg_api.page.show.times import count, span_at_most
from borg_api.page.show.words import Tone
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, ScheduleRecord
from borg_contract.restore.progress import Progress
from borg_contract.run import Phase
from borg_core.formats import parse_time
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.schedule import SCHEDULES

_ENDED_WELL = (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tone`: good where nobody is needed, warn where somebody should look, bad where there is no new backup."""

    tone: Tone
    sentence: str
    more: str


@dataclass(frozen=True, slots=True)
class Underway:
    """A run that waits or runs. `percent`: None where nobody can tell; `left`: seconds."""

    run: RunRecord
    title: str
    percent: int | None
    left: float | None
    rate: float | None
    measured: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """The last restore that was read back."""

    at: datetime
    repository: str
    whole: str | None


def derive_verdict(view: View, matters: Sequence[Matter], now: datetime, *, bare: int | None) -> Verdict:
    """Return the sentence that says whether all is well; `bare`: how many claims nobody backs up, if that is known.

    `matters`: all of schedules, as each that is late is among them.
    """
    others = sum(matter.level in (Level.LOOK, Level.DECIDE) for matter in matters)
    good: Tone = "good" if bare == 0 and not others else "warn"
    also_told = _tell_bare(bare) + (f"; {count(others, 'thing needs', 'things need')} somebody" if others else "")
    records = view.schedules.in_order()
    active = [record for record in records if not record.resource.spec.suspend]
    paused = len(records) - len(active)
    also = f"{count(paused, 'schedule is', 'schedules are')} paused." if paused else ""
    if not records:
        return Verdict("bad" if bare else good, "Nothing is backed up here yet.", "")
    if not active:
        return Verdict("bad", "Nothing is backed up: all schedules are paused.", "")
    if trouble := _tell_trouble(active, matters):
        return Verdict("bad", trouble, also)
    times = [record.resource.status.last_success_time for record in active]
    first = [text for text in times if text]
    if len(first) < len(active):
        new = len(active) - len(first)
        text = f"{count(new, 'new schedule has', 'new schedules have')} no backup yet{also_told}."
        return Verdict(good, text if also_told else f"All is well; {text}", also)
    oldest = max((now - parse_time(text)).total_seconds() for text in first)
    whole = f"All {len(active):,} schedules have" if len(active) > 1 else "The schedule has"
    return Verdict(good, f"{whole} a good backup of the last {span_at_most(oldest)}{also_told}.", also)


def _tell_trouble(active: Sequence[ScheduleRecord], matters: Sequence[Matter]) -> str:
    """Return what is worst, empty where new backups are made."""

    def of_level(what: str, level: Level) -> set[str]:
        return {matter.name for matter in matters if matter.what == what and matter.level is level}

    if danger := len(of_level("repositories", Level.DANGER)):
        return f"{count(danger, 'repository needs', 'repositories need')} somebody now: archives may be in danger."
    bad = of_level("schedules", Level.FAILING)
    if ill := sum(record.name in bad for record in active):
        needs, theirs, is_ = (
            ("needs", "its newest backup", "is") if ill == 1 else ("need", "their newest backups", "are")
        )
        return f"{ill:,} of {count(len(active), 'schedule')} {needs} somebody: {theirs} failed or {is_} missing."
    if unusable := len(of_level("repositories", Level.FAILING)):
        return f"{count(unusable, 'repository', 'repositories')} cannot be used."
    return ""


def _tell_bare(bare: int | None) -> str:
    if bare is None:
        return "; nobody can tell now which claims are backed up"
    return f"; nobody backs up {count(bare, 'claim')}" if bare else ""


def find_underway(
    view: View, progress: dict[str, Progress], titles: dict[str, str], now: datetime, most: int
) -> list[Underway]:
    """Return what waits and runs, so many at the most; that which runs first.

    `progress`: of restores, by the restore's name.
    """
    runs = sorted(view.unfinished_runs(), key=lambda run: (run.phase is not Phase.RUNNING, run.order))
    return [_underway(view, run, progress, titles, now) for run in runs[:most]]


def _underway(
    view: View, run: RunRecord, progress: dict[str, Progress], titles: dict[str, str], now: datetime
) -> Underway:
    of = run.subject
    title = titles.get(of.name, of.name) if of.kind == SCHEDULES.kind else of.name
    told = progress.get(of.name) if of.kind == RESTORES.kind else None
    if told:
        return Underway(run, title, told.percent, told.seconds_left, told.bytes_per_second or None, measured=True)
    usual = usual_seconds(view, run)
    if run.phase is not Phase.RUNNING or not run.started or not usual:
        return Underway(run, title, None, None, None, measured=False)
    gone = (now - parse_time(run.started)).total_seconds()
    return Underway(run, title, min(99, int(100 * gone / usual)), max(0.0, usual - gone), None, measured=False)


def find_proof(view: View, repositories: Sequence[BorgRepository]) -> Proof | None:
    """Return the newest restore, drill or real, whose files were compared and were as in the archive."""
    found = [
        Proof(parse_time(item.status.last_drill_time), item.metadata.name, item.status.estimated_restore_time)
        for item in repositories
        if item.status.last_drill_time and item.status.last_drill_result and item.status.last_drill_result.succeeded
    ]
    whole = {item.metadata.name: item.status.estimated_restore_time for item in repositories}
    for restore in view.restores.in_order():
        status = restore.resource.status
        read_back = status.verified and status.verified.files and not status.verified.mismatches
        if read_back and status.completion_time and restore.phase in _ENDED_WELL:
            name = restore.resource.spec.repository_ref.name
            found.append(Proof(parse_time(status.completion_time), name, whole.get(name)))
    return max(found, key=lambda proof: proof.at, default=None)
