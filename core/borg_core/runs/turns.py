"""Whose turn it is: one run of a schedule at a time, whoever asked for it, whether or not the operator is alive.

The CronJob controller starts no tick while its CronJob has a Job in `status.active`. So the Job of a run by hand is
controlled by the CronJob, as after `kubectl create job --from`, and is started in three steps. The operator may die
after each of them:

1. Create the Job suspended: nothing runs.
2. Enter it in `status.active`, together with a placeholder, a reference to a Job that does not exist: no Job can have
   its name. As soon as the controller has seen this, it starts no tick.
3. Wait until the controller removes the placeholder, which proves that it has seen the entry. It handles a CronJob
   once at a time, so no earlier decision of it is still being carried out. Then list the Jobs afresh and, if no other
   one is at work, start ours.

If the operator dies between steps 2 and 3, the Job holds up ticks until the operator is back. So a run is entered only
when no other one is at work and step 3 can follow at once, or when a tick has overtaken it before.

Each Job is let begin once. One that is suspended after that is somebody else's to let begin, and keeps its turn: see
`ObservedJob.paused`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import Action, CreateJob, DeleteJob, MarkJob, ReserveTurn, StartJob, SuspendJob
from borg_core.copies.snapshots import SNAPSHOT_LOOK_SECONDS, is_outgrown, prepare
from borg_core.formats import parse_time
from borg_core.kinds.run import RUNS, BorgRunStatus
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob
from borg_core.native.job import JOBS, ObservedJob
from borg_core.native.pod import ObservedPod
from borg_core.registry import Reference
from borg_core.runs.covered import derive_covered, describe_wait, does_for, is_alike
from borg_core.runs.entry import Entry
from borg_core.runs.status.run_status import derive_copying, derive_trigger
from borg_core.runs.world import Host, Refusal, World
from borg_core.workload.job import render_job
from borg_core.workload.owner import Owner

PLACEHOLDER_UID = "00000000-0000-0000-0000-000000000000"
"""uid of the Job that does not exist, see above."""

_LIKE_A_TICK = re.compile(r"-[0-9]{8}$")
"""The CronJob controller appends minutes since 1970."""

_YIELD = timedelta(seconds=15)
"""How long a run by hand waits for a tick that is due, at most: a tick that cannot begin must not block it for ever."""

_MOMENT_SECONDS = 1.0

_SECOND = timedelta(seconds=1)
"""How exact Kubernetes' times are."""

_NOT_FOUND = {
    "BorgSchedule": Reason.SCHEDULE_NOT_FOUND,
    "BorgRepository": Reason.REPOSITORY_NOT_FOUND,
    "BorgRestore": Reason.RESTORE_NOT_FOUND,
}


@dataclass
class Turns:
    """`entries` with what keeps each from beginning, and what is to be done for the one whose turn it is."""

    entries: list[Entry] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    requeue_after: float | None = None


def plan_turns(world: World, host: Host | None, entries: Sequence[Entry], now: datetime) -> Turns:
    """Return who waits for what, and the steps for the run whose turn it is: the one that was asked for first."""
    turns = Turns()
    working = [entry for entry in entries if entry.holds_turn]
    queue: dict[Operation, list[Entry]] = {}
    head: Entry | None = None
    for entry in sorted(entries, key=_queue_order):
        if not entry.waiting or entry.run is None or (entry.cancelled and entry.job):
            turns.entries.append(entry)
            continue
        asked = entry.status.model_copy(update={"trigger": derive_trigger(entry.run, entry.job)})
        before = queue.setdefault(entry.operation, [])
        if covered := derive_covered(asked, entry, entries, before, now):
            turns.entries.append(entry.with_status(covered))
            continue
        status = _hindered(world, host, entry, asked)
        if status and entry.job:
            # Something it needs was deleted after its Job was created: the suspended Job must not hold up ticks.
            turns.actions.append(DeleteJob(entry.job.reference, entry.job.uid))
        if status is None and host and entry.operation is Operation.BREAK_LOCK:
            # It removes what others wait for, so it neither waits for its turn nor keeps anybody waiting.
            status = _waits(asked, None, "")
            turns.actions += _create(world, host, entry, None)
        elif before:
            words = describe_wait(before[0]) if is_alike(entry) else _behind(before[0].name)
            status = status or _waits(asked, Reason.WAITING_FOR_RUN, words)
        elif status is None and head is None and host:
            head = entry
            status = _take_turn(turns, world, host, entry, working=working, asked=asked, now=now)
        elif status is None:
            status = _waits(asked, Reason.WAITING_FOR_RUN, _behind(head.name if head else ""))
        before.append(entry)
        turns.entries.append(entry.with_status(status))
    return turns


def _queue_order(entry: Entry) -> tuple[str, bool, str]:
    """Return the sort key: oldest first. Of those of one second, the one on its way keeps its place."""
    asked, name = entry.order
    return asked, entry.job is None, name


def _hindered(world: World, host: Host | None, entry: Entry, asked: BorgRunStatus) -> BorgRunStatus | None:
    """Return the status of a run that could not begin even if it was alone; None for the others."""
    subject = world.subject
    if host is None:
        if world.unreadable:
            how = f"exists and cannot be read, written by a newer version perhaps: {world.unreadable[:500]}"
        else:
            how = f'does not exist in namespace "{subject.namespace}": create it'
        message = f'{subject.kind} "{subject.name}" {how}'
        reason = _NOT_FOUND[subject.kind]
        return _waits(asked, reason, message)
    if problems := host.hindrances(entry.operation):
        message = f'{subject.kind} "{subject.name}" is not ready: ' + "; ".join(item.message for item in problems)
        return _waits(asked, problems[0].reason, message)
    return None


def plan_strangers(world: World, entries: Sequence[Entry]) -> Iterator[Action]:
    """Yield what makes Jobs take turns that people started with `kubectl create job --from`, at once and beside others.

    One that is alone is entered as if it had had its turn; one beside another is suspended, once: whoever lets it begin
    again means it. It is noted of each that is entered and begun, also where Kueue or a person let it begin before us.
    """
    cron_job = world.cron_job
    for entry in entries:
        job = entry.job
        if not (cron_job and job and entry.holds_turn and job.owner_uid == cron_job.uid) or job.deleting:
            continue
        if job.uid in cron_job.active:
            if job.made_to_wait and job.turn != labels.TURN_GIVEN:
                yield MarkJob(job.reference, job.uid, {labels.TURN: labels.TURN_GIVEN})
        elif job.scheduled:
            continue
        elif _takes_back(job) and any(other.holds_turn for other in entries if other is not entry):
            yield SuspendJob(job.reference, job.uid)
        else:
            yield ReserveTurn(cron_job.reference, cron_job.uid, job.reference, job.uid)


def _takes_back(job: ObservedJob) -> bool:
    return not job.suspended and job.turn != labels.TURN_TAKEN_BACK


def _take_turn(
    turns: Turns,
    world: World,
    host: Host,
    entry: Entry,
    *,
    working: Sequence[Entry],
    asked: BorgRunStatus,
    now: datetime,
) -> BorgRunStatus:
    """Do the next step for the run that is first in the queue; return its status."""
    status = _queue_status(world, entry, working, asked)
    cron_job = world.cron_job
    if cron_job is None:
        if not (working or world.lingering or host.has_cron_job):
            turns.actions += _create(world, host, entry, None)
        return status
    reserved = entry.job is not None and entry.job.uid in cron_job.active
    if entry.job and reserved and _refusal_of(world, entry):
        # It may not begin, and would keep all ticks waiting: it gives its turn back, and asks for another one later.
        turns.actions.append(DeleteJob(entry.job.reference, entry.job.uid))
        return status
    if world.lingering or (working and not reserved and not _was_overtaken(entry, working)):
        return status
    if not (reserved or working) and _tick_is_due(host, entry, now):
        turns.requeue_after = _MOMENT_SECONDS
        return _waits(asked, Reason.WAITING_FOR_RUN, "A run by the clock is about to begin: waits for it")
    if entry.job is None:
        turns.actions += _create(world, host, entry, cron_job)
    elif not reserved:
        turns.actions.append(ReserveTurn(cron_job.reference, cron_job.uid, entry.job.reference, entry.job.uid))
    elif not working and PLACEHOLDER_UID not in cron_job.active and entry.job.at_rest:
        return _let_begin(turns, world, entry.job, status, now)
    return status


def _let_begin(turns: Turns, world: World, job: ObservedJob, status: BorgRunStatus, now: datetime) -> BorgRunStatus:
    """Start the Job whose turn it is, once nothing of it itself is in the way; return the status of its run."""
    # Let go before its controller has taken up the pause, it would fail: its pod is deleted, and that counts.
    if pod := _pod_of_this_second(world, job, now):
        turns.requeue_after = (pod.created + _SECOND - now).total_seconds()
    elif is_outgrown(world, job):
        # Another one is made, whose volumes are as large as the claims are by now.
        turns.actions.append(DeleteJob(job.reference, job.uid))
    elif (copies := prepare(world, job, now)).words:
        turns.actions += copies.actions
        turns.requeue_after = SNAPSHOT_LOOK_SECONDS
        return derive_copying(status, copies.words, now, failed=copies.failed)
    else:
        turns.actions += [*copies.actions, StartJob(job.reference, job.uid, world.subject)]
    return status


def _pod_of_this_second(world: World, job: ObservedJob, now: datetime) -> ObservedPod | None:
    """Return the Job's pod of before its pause, if one that is made now could not be told from it by its time."""
    pod = world.pods.get(job.uid)
    return pod if pod and now < pod.created + _SECOND else None


def _refusal_of(world: World, entry: Entry) -> Refusal | None:
    return world.refusals.get(Reference(JOBS.kind, world.subject.namespace, derive_job_name(entry.name)))


def _queue_status(world: World, entry: Entry, working: Sequence[Entry], asked: BorgRunStatus) -> BorgRunStatus:
    """Return what the first in the queue says: what it waits for, or nothing when it is about to begin."""
    if refused := _refusal_of(world, entry):
        message = f"Its Job is refused, and tried again: {refused.message}"
        return _waits(asked, Reason.REFUSED_BY_API_SERVER, message)
    if working:
        relies = is_alike(entry) and does_for(working[0], entry) and not working[0].cancelled
        words = describe_wait(working[0]) if relies else _behind(working[0].name)
        return _waits(asked, Reason.WAITING_FOR_RUN, words)
    if world.lingering:
        message = f"Waits until pod {world.lingering[0].name} of an earlier run has ended"
        return _waits(asked, Reason.WAITING_FOR_RUN, message)
    return _waits(asked, None, "")


def _create(world: World, host: Host, entry: Entry, cron_job: ObservedCronJob | None) -> Iterator[Action]:
    """Yield the creation of the run's Job, controlled by the CronJob or else by the run itself."""
    run = entry.run
    if run is None or entry.job is not None or _name_is_taken(world, entry):
        return
    metadata = run.metadata
    # Only a run that a person asked for breaks everything, and that is one that names nobody.
    dead = (entry.dead_holder,) if entry.automatic and not entry.listing else ()
    if cron_job:
        controller = Owner.of(CRON_JOBS, cron_job.namespace, cron_job.name, cron_job.uid)
    else:
        controller = Owner.of(RUNS, *metadata.key, metadata.uid)
    workload = host.workload(entry.operation, dead)
    name = derive_job_name(metadata.name)
    yield CreateJob(
        render_job(
            name,
            metadata.uid,
            workload=workload,
            subject=world.subject,
            controller=controller,
            settings=world.settings,
        )
    )


def derive_job_name(run_name: str) -> str:
    """Return the name of the Job of a run by hand: the run's, unless the CronJob controller could give it to a tick.

    Of any CronJob in the namespace: a tick whose name is taken is never run.
    """
    return shorten(run_name, "-by-hand", JOB_NAME_LIMIT) if _LIKE_A_TICK.search(run_name) else run_name


def _name_is_taken(world: World, entry: Entry) -> bool:
    """Tell whether a Job of an earlier run of that name is still there: it is being deleted."""
    name = derive_job_name(entry.name)
    return any(job.name == name and job is not entry.job for job in world.jobs)


def _was_overtaken(entry: Entry, working: Iterable[Entry]) -> bool:
    """Tell whether a run that was asked for later is at work already."""
    return any(other.asked_for > entry.created for other in working)


def _tick_is_due(host: Host, entry: Entry, now: datetime) -> bool:
    """Tell whether a tick is due that has not begun its run yet, and is to come before the run by hand."""
    asked = parse_time(entry.run.metadata.creation_timestamp) if entry.run else now
    return host.clock is not None and now - asked <= _YIELD and host.clock.due_at(now) is not None


def _waits(status: BorgRunStatus, reason: Reason | None, message: str) -> BorgRunStatus:
    value = reason.value if reason else None
    return status.model_copy(update={"phase": Phase.PENDING, "reason": value, "message": message})


def _behind(name: str) -> str:
    return f'Waits until BorgRun "{name}" has finished'
