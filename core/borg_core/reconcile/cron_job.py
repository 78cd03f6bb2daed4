"""A CronJob as it should be, and what makes it so: created by one request, repaired only where it differs."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from borg_contract.pod import PLAN_ENV
from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.actions import Action, CreateCronJob, RepairCronJob
from borg_core.clock import Clock, CronSchedule
from borg_core.formats import format_time
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob, deadline_of, times_of
from borg_core.native.drift import covers
from borg_core.policies.permissions import is_forbidden
from borg_core.policies.problem import Problem, Severity
from borg_core.registry import Reference
from borg_core.runs.world import World
from borg_core.workload.job import render_cron_job_manifest
from borg_core.workload.owner import Owner
from borg_core.workload.plan import read_names, tell_damage
from borg_core.workload.workload import Target

OVERDUE_AFTER = timedelta(seconds=20)
"""How late a tick may be before it is overdue: the CronJob controller looks every ten seconds."""

_HELD = "held"
"""Stands for the digest of a CronJob that is suspended only until something else has ended."""

_EDITED = "edited"
"""Stands for the digest of a CronJob that is held, and is not what was rendered for it."""
_TAKEN_SECONDS = 30.0
"""How soon to look again for a name that another one's CronJob has: when that goes, nobody here is told."""


def plan_cron_job(current: ObservedCronJob | None, desired: dict[str, Any] | None, now: datetime) -> Iterator[Action]:
    """Yield what makes the CronJob as `desired`. None: it must not be touched, so nothing is yielded."""
    if desired is None:
        return
    if current is None:
        yield CreateCronJob(desired)
    elif not _is_as_desired(current, desired):
        yield RepairCronJob(desired, _forget_missed(current, desired, now))


def is_ours(current: ObservedCronJob | None, owner: Owner) -> bool:
    """Tell whether there is a CronJob, and it belongs to the owner, or is one of ours that has lost its owner.

    Restores bring back no owner references, and `kubectl delete --cascade=orphan` removes them. Left alone, such a
    CronJob would run backups that nobody records.
    """
    if current is None:
        return False
    marked = current.subject == owner.reference and current.labels.get(labels.MANAGED_BY) == labels.MANAGER
    return current.owner_uid == owner.uid or (current.owner_uid is None and marked)


def render_held(
    world: World, owner: Owner, problems: Sequence[Problem], targets: Sequence[Target], *, suspend: bool = False
) -> dict[str, Any] | None:
    """Return the CronJob as it last was valid, only suspended where it must be; None where there is none of ours.

    One that somebody edited since is suspended: what it was before, nobody knows any more. Of any other the plan
    learns which repositories are damaged: it goes on, and is to prune nothing there. `targets`: the repositories.
    """
    current = world.cron_job
    if current is None or not is_ours(current, owner):
        return None
    severities = {problem.severity for problem in problems}
    spec = current.spec
    edited = _is_edited(current)
    stopped = Severity.FORBIDDEN in severities or suspend or edited or is_forbidden(spec, world.settings)
    held = Severity.HELD in severities
    if not edited:
        for item in _plans_in(spec):
            item["value"] = tell_damage(item["value"], targets)
    # One that was suspended already is not to make up for anything.
    mark = _EDITED if edited else _HELD if held and not (stopped or current.suspended) else None
    return render_cron_job_manifest(current.name, owner, {**spec, "suspend": stopped or held}, mark)


def find_used(current: ObservedCronJob | None, owner: Owner) -> set[str]:
    """Return the names of the repositories that it uses, also those to which its owner refers no more.

    None of one that somebody edited since it was rendered: nobody knows what it says.
    """
    if current is None or not is_ours(current, owner) or _is_edited(current):
        return set()
    return {name for item in _plans_in(current.spec) for name in read_names(item["value"])}


def _plans_in(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        yield from (item for item in container.get("env", ()) if item["name"] == PLAN_ENV)


def find_edit(world: World, owner: Owner, problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield that the CronJob, which `problems` keep from being renewed, is not as it last was valid."""
    current = world.cron_job
    if problems and current and is_ours(current, owner) and _is_edited(current):
        by = f" ({', '.join(sorted(set(current.foreign_managers)))})" if current.foreign_managers else ""
        message = (
            f'somebody edited CronJob "{current.name}"{by}, so it is suspended until what is wrong here is mended and '
            "it can be renewed"
        )
        yield Problem(Reason.CRON_JOB_EDITED, message, Severity.WAITING)


def find_cron_job_problems(world: World, owner: Owner, name: str) -> Iterator[Problem]:
    """Yield what keeps the CronJob of that name from being made or changed."""
    refusal = world.refusals.get(Reference(CRON_JOBS.kind, owner.namespace, name))
    foreign = world.cron_job is not None and not is_ours(world.cron_job, owner)
    if foreign or (refusal and refusal.taken):
        kind = "schedule" if owner.kind == "BorgSchedule" else "repository"
        message = (
            f'a CronJob "{name}" that is not of this {kind} already exists in namespace "{owner.namespace}": delete '
            f"or rename it, or give the {kind} another name"
        )
        yield Problem(Reason.CRON_JOB_NAME_TAKEN, message, Severity.WAITING)
    elif refusal and not refusal.overruled:
        message = f"the API server refused the CronJob, and is asked again: {refusal.message}"
        yield Problem(Reason.REFUSED_BY_API_SERVER, message, Severity.WAITING)


def find_overruling(world: World, owner: Owner, name: str) -> Iterator[Problem]:
    """Yield that something else in the cluster will have the CronJob of that name otherwise: runs by hand begin."""
    refusal = world.refusals.get(Reference(CRON_JOBS.kind, owner.namespace, name))
    if refusal and refusal.overruled:
        yield Problem(Reason.CRON_JOB_OVERRULED, refusal.message, Severity.WAITING)


def find_tick_problems(world: World, clock: Clock | None, now: datetime) -> Iterator[Problem]:
    """Yield why a run that was due did not begin, in the words of the CronJob controller's Events."""
    words = world.words.get(world.cron_job.uid) if world.cron_job else None
    due = find_overdue(world.cron_job, clock, now)
    if words and due:
        message = f"the run that was due at {format_time(due)} could not begin: {words}"
        yield Problem(Reason.JOB_REFUSED, message, Severity.WAITING)


def find_overdue(cron_job: ObservedCronJob | None, clock: Clock | None, now: datetime) -> datetime | None:
    """Return the first tick that should have begun a run by now and has not, None where there is none."""
    due = _find_due(cron_job, clock)
    return due if due and due <= now - OVERDUE_AFTER else None


def derive_wait_for_tick(cron_job: ObservedCronJob | None, clock: Clock | None, now: datetime) -> float | None:
    """Return after how many seconds a tick that is due now is overdue, if it has not begun a run until then.

    One that is refused brings no event, and the next run that the status names is the one after it.
    """
    due = _find_due(cron_job, clock)
    return (due + OVERDUE_AFTER - now).total_seconds() if due and now - OVERDUE_AFTER < due <= now else None


def _find_due(cron_job: ObservedCronJob | None, clock: Clock | None) -> datetime | None:
    """Return the first tick that the CronJob has not seen to, past or to come."""
    if cron_job is None or clock is None or cron_job.active:
        return None
    return clock.times.next_after(clock.since)


def derive_clock(current: ObservedCronJob | None, desired: dict[str, Any] | None, now: datetime) -> Clock | None:
    """Return when the CronJob begins runs once the plan is carried out; None when it does not."""
    if desired is None:
        return current.clock if current and not current.suspended else None
    schedule, time_zone, suspended = times_of(desired["spec"])
    times = CronSchedule.try_parse(schedule, time_zone)
    if suspended or times is None:
        return None
    is_new = current is None or _forget_missed(current, desired, now) is not None
    since = None if is_new or current is None else current.reckoned_from
    deadline = deadline_of(desired["spec"].get("startingDeadlineSeconds"))
    return Clock(times, since or now.replace(microsecond=0), deadline)


def derive_times(desired: dict[str, Any] | None) -> tuple[str, str] | None:
    """Return time zone and schedule of the CronJob as it is to be, as its Jobs will bear them."""
    if desired is None:
        return None
    schedule, time_zone, _ = times_of(desired["spec"])
    return time_zone, schedule


def is_suspended(desired: dict[str, Any] | None) -> bool | None:
    """Tell whether the CronJob is to be suspended; None where there is none."""
    return None if desired is None else times_of(desired["spec"])[2]


def is_kept(world: World, owner: Owner, refused: Sequence[Problem]) -> bool:
    """Tell whether the CronJob exists once the plan is carried out, as far as is known: what is refused may not."""
    return not refused or is_ours(world.cron_job, owner)


def derive_lasting(
    current: ObservedCronJob | None, desired: dict[str, Any] | None, refused: Sequence[Problem]
) -> dict[str, Any] | None:
    """Return the CronJob by which runs begin: `desired`, unless that is refused and there is one already."""
    if desired is None or not refused or current is None:
        return desired
    return {"spec": current.spec}


def derive_requeue(refused: Sequence[Problem], *waits: float | None) -> float | None:
    """Return after how many seconds to look again; `waits`: those that are asked for already, None for no need."""
    taken = any(problem.reason is Reason.CRON_JOB_NAME_TAKEN for problem in refused)
    return min((wait for wait in (*waits, _TAKEN_SECONDS if taken else None) if wait is not None), default=None)


def _is_edited(current: ObservedCronJob) -> bool:
    """Tell whether somebody edited it since it was last rendered; writing it takes their names out of it."""
    return bool(current.foreign_managers) or current.rendered == _EDITED


def _is_as_desired(current: ObservedCronJob, desired: dict[str, Any]) -> bool:
    return (
        current.owner_uid is not None
        and not current.foreign_managers
        and desired["metadata"].get("annotations", {}).get(labels.RENDERED, current.rendered) == current.rendered
        and covers(current.labels, desired["metadata"]["labels"])
        and covers(current.spec, desired["spec"])
    )


def _forget_missed(current: ObservedCronJob, desired: dict[str, Any], now: datetime) -> datetime | None:
    """Return `now` when the times change: ticks of the new times that are past were never meant to run."""
    suspended = current.suspended and current.rendered != _HELD
    same = (current.schedule, current.time_zone, suspended) == times_of(desired["spec"])
    mark = desired.get("metadata", {}).get("annotations", {}).get(labels.RENDERED, current.rendered)
    return None if same or mark == _HELD else now
