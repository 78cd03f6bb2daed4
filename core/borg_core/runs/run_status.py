"""What a BorgRun says: from its Job and from what the Job's pod told before it ended."""

from datetime import datetime

from borg_contract.pod import NOTICE_OF_COMMAND, NOTICE_OF_CONTAINER, NOTICE_OF_LOCK, NOTICE_OF_SERVER, NOTICE_OF_VOLUME
from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core import labels
from borg_core.copies.words import COPYING, NOT_COPIED, has_lost_patience
from borg_core.formats import format_duration, format_time, parse_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.run import BorgRun, BorgRunStatus, Trigger
from borg_core.kinds.status import ConditionType, Finding, derive_conditions
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod
from borg_core.runs.death import TOO_LONG, explain_death, ran_out_of_time, see_log, tell_after_stop, tell_how_it_goes_on
from borg_core.runs.moment import agree, derive_latest, not_to_come

NOTICES = {
    NOTICE_OF_LOCK: Reason.WAITING_FOR_LOCK,
    NOTICE_OF_SERVER: Reason.WAITING_FOR_SERVER,
    NOTICE_OF_VOLUME: Reason.WAITING_FOR_VOLUME,
    NOTICE_OF_CONTAINER: Reason.WAITING_FOR_CONTAINER,
    NOTICE_OF_COMMAND: Reason.WAITING_FOR_COMMAND,
}
"""By the beginning of what the runner says that it waits for, the reason."""
_NOTES_OF_AUTOMATIC_RUNS = (labels.DEAD_HOLDER, labels.OF_DEAD_JOB, labels.LISTING)
_CANCELLED = "spec.cancel was set"
_STOPPING = "Is being stopped, as spec.cancel is set: borg writes a checkpoint first if it can, for two minutes at most"
_ORPHANED = "Its Job was deleted and left its pod, which works on: the run ends with that, whatever its deadline was"


def derive_run_status(
    run: BorgRun | None,
    job: ObservedJob | None,
    pod: ObservedPod | None,
    words: str,
    now: datetime,
    *,
    refused: datetime | None = None,
) -> BorgRunStatus:
    """Return the status that the run is to have. A finished one never changes; at least one of run and job is given.

    `words`: why a Job or pod makes no progress, or what its run waits for; empty when it does not wait.
    `refused`: since when it says that its copy is refused.
    """
    if run and run.finished:
        return run.status
    before = run.status if run else BorgRunStatus()
    cancel = run is not None and run.spec.cancel
    if job is None:
        before = before.model_copy(update={"trigger": before.trigger or derive_trigger(run, None)})
        return _without_job(before, pod, now, cancel=cancel)
    if job.suspended and not job.finished:
        # Nothing of it has begun, and its Job may still be deleted: `turns` adds what it waits for.
        due = format_time(job.scheduled) if job.scheduled else before.scheduled_time
        update = {"phase": Phase.PENDING, "trigger": derive_trigger(run, job), "scheduled_time": due}
        return before.model_copy(update=update)
    known = before.model_copy(
        update={
            "trigger": derive_trigger(run, job),
            "job_uid": job.uid,
            "scheduled_time": format_time(job.scheduled) if job.scheduled else before.scheduled_time,
            "start_time": format_time(job.started) if job.started else before.start_time,
        }
    )
    copying = _copying(known, job, pod, words, now, in_vain=has_lost_patience(words, refused, now))
    ending = pod.ending if pod and not (pod.disrupted and not job.finished) else None
    if copying or ending or job.finished:
        return copying or _ended(known, job, pod, ending or Ending(), now, cancel=cancel)
    if pod and pod.began:
        reason = None
        if words and not cancel:
            reason = next((reason.value for begin, reason in NOTICES.items() if words.startswith(begin)), None)
        if pod.waiting and not (cancel or reason):  # of a drill's application
            reason, words = Reason.WAITING_FOR_POD.value, pod.waiting
        message = _STOPPING if cancel else words
        if pod.others_waiting and reason == Reason.WAITING_FOR_CONTAINER.value:
            message = f"{message}: {pod.others_waiting}"
        return known.model_copy(update={"phase": Phase.RUNNING, "reason": reason, "message": message})
    waiting = (pod.waiting if pod else "") or words
    reason = Reason.WAITING_FOR_POD.value if waiting else None
    return known.model_copy(update={"phase": Phase.PENDING, "reason": reason, "message": waiting})


def derive_copying(status: BorgRunStatus, words: str, now: datetime, *, failed: bool) -> BorgRunStatus:
    """Return the status of a run that has no copy to read: that it waits for one, or waited in vain."""
    if failed:
        return derive_ended(status, Phase.FAILED, Reason.COPY_FAILED, words, now)
    reason = Reason.COPY_FAILED if words.startswith(NOT_COPIED) else Reason.WAITING_FOR_COPY
    return status.model_copy(update={"phase": Phase.PENDING, "reason": reason.value, "message": words})


def derive_run_conditions(run: BorgRun | None, status: BorgRunStatus, now: datetime) -> tuple[Condition, ...]:
    """Return the conditions that go with `status`: one, for `kubectl wait` has one value and success two phases.

    A finished run is judged again when it was edited: `kubectl wait` passes over a condition of a former generation.
    """
    before = run.status if run else BorgRunStatus()
    if run and run.finished and not before.conditions:
        return ()  # of a version without conditions: an upgrade is not to write to every run that is kept
    phase = status.phase or Phase.PENDING
    succeeded = phase.succeeded if phase.finished else None
    # A message is required here, and a run that goes well has none.
    finding = Finding(ConditionType.SUCCEEDED.value, succeeded, phase.value, status.message or phase.value)
    generation = run.metadata.generation if run else 1  # the API server gives 1 to the BorgRun that is made now
    return derive_conditions([finding], before.conditions, generation, now)


def derive_trigger(run: BorgRun | None, job: ObservedJob | None) -> Trigger:
    """Return who asked for the run: the clock, also where its Job is gone and another one does its work."""
    if (job and job.by_clock) or (run and run.status.trigger is Trigger.SCHEDULED):
        return Trigger.SCHEDULED
    return Trigger.AUTOMATIC if run and is_automatic(run) else Trigger.MANUAL


def is_automatic(run: BorgRun) -> bool:
    """Tell whether the operator made the run, for itself: to remove the locks of one holder, or to list archives."""
    return any(note in run.metadata.annotations for note in _NOTES_OF_AUTOMATIC_RUNS)


def is_own_listing(run: BorgRun) -> bool:
    """Tell whether the operator made the run to list archives: what fails of these is no news, for nobody asked."""
    return labels.LISTING in run.metadata.annotations


def describe_end(phase: Phase | None) -> tuple[Reason, str]:
    """Return the reason and the verb with which Events and conditions tell of a run that ended in `phase`."""
    match phase:
        case Phase.COMPLETED:
            return Reason.RUN_COMPLETED, "completed"
        case Phase.COMPLETED_WITH_WARNINGS:
            return Reason.RUN_COMPLETED_WITH_WARNINGS, "completed with warnings"
        case Phase.CANCELLED:
            return Reason.RUN_CANCELLED, "was cancelled"
        case Phase.SKIPPED:
            return Reason.COVERED_BY_RUN, "was not needed"
        case _:
            return Reason.RUN_FAILED, "failed"


def derive_ended(status: BorgRunStatus, phase: Phase, reason: str | None, message: str, at: datetime) -> BorgRunStatus:
    """Return `status` of a run that has ended: not before it began, whatever the clock says that tells of its end."""
    began = parse_time(status.start_time) if status.start_time else None
    at = max(at, began) if began else at
    return status.model_copy(
        update={
            "phase": phase,
            "reason": str(reason) if reason else None,
            "message": message,
            "completion_time": format_time(at),
            "duration": format_duration((at - began).total_seconds()) if began else None,
        }
    )


def _copying(
    known: BorgRunStatus, job: ObservedJob, pod: ObservedPod | None, words: str, now: datetime, *, in_vain: bool
) -> BorgRunStatus | None:
    """Return the status of a run whose pod has no copy to read, None where that is not so.

    Also of one that has ended: what it read was something else.
    """
    if not words.startswith(NOT_COPIED) and (job.finished or not words.startswith(COPYING)):
        return None
    began = pod is not None and pod.began
    failed = in_vain or job.finished or (began and words.startswith(NOT_COPIED))
    if failed:
        known = _begun_by(known, derive_latest(now))
    return derive_copying(known if began else _not_begun(known), words, now, failed=failed)


def _without_job(before: BorgRunStatus, pod: ObservedPod | None, now: datetime, *, cancel: bool) -> BorgRunStatus:
    if before.job_uid is None:
        return _cancelled(before, now, began=False) if cancel else before.model_copy(update={"phase": Phase.PENDING})
    if pod and pod.orphaned and not (pod.ending or pod.deleting):
        phase, message = Phase.RUNNING if pod.began else Phase.PENDING, _STOPPING if cancel else _ORPHANED
        return before.model_copy(update={"phase": phase, "reason": None, "message": message})
    before = _begun_by(before, derive_latest(now))
    if (ending := pod.ending if pod and pod.ending else Ending()).result:
        return _with_result(before, ending.result, now, cancel=cancel)
    return _with_partial(_deleted(before, pod, now, cancel=cancel), ending.partial)


def _deleted(before: BorgRunStatus, pod: ObservedPod | None, now: datetime, *, cancel: bool) -> BorgRunStatus:
    """Return the status of a run whose Job was deleted before anybody saw a result."""
    began = before.phase is Phase.RUNNING or (pod is not None and pod.began)
    if cancel:
        return _cancelled(before, now, began=began)
    if not began:
        message = "Its Job was deleted before it began: run it again if need be"
        return derive_ended(_not_begun(before), Phase.FAILED, Reason.JOB_DELETED, message, now)
    message = "Its Job was deleted, nobody saw how it ended: look into the repository for its archive, or run it again"
    return derive_ended(before, Phase.FAILED, Reason.JOB_DELETED, message, now)


def _cancelled(status: BorgRunStatus, at: datetime, *, began: bool) -> BorgRunStatus:
    if began:
        return derive_ended(status, Phase.CANCELLED, Reason.RUN_CANCELLED, _CANCELLED, at)
    return derive_ended(_not_begun(status), Phase.CANCELLED, Reason.RUN_CANCELLED, "Cancelled before it began", at)


def _not_begun(status: BorgRunStatus) -> BorgRunStatus:
    """Return the status of a run of which no container ever ran: it has no start, and can have left no lock."""
    return status.model_copy(update={"start_time": None})


def _ended(
    known: BorgRunStatus,
    job: ObservedJob,
    pod: ObservedPod | None,
    ending: Ending,
    now: datetime,
    *,
    cancel: bool,
) -> BorgRunStatus:
    latest = _find_latest(job, ending, now)
    known = _begun_by(known, format_time(latest))
    at = ending.finished if ending.finished and job.created <= ending.finished <= latest else latest
    if ending.result:
        ended = _with_result(known, ending.result, at, cancel=cancel, job=job, deadline=ran_out_of_time(job, ending))
        reasons = (item.reason for item in ended.repositories)
        if pod and pod.others_waiting and Reason.CONTAINER_MISSING.value in reasons:
            ended = ended.model_copy(update={"message": f"{ended.message} The node says: {pod.others_waiting}"})
        return ended
    return _with_partial(_without_result(known, job, pod, ending, at, cancel=cancel), ending.partial)


def _find_latest(job: ObservedJob, ending: Ending, now: datetime) -> datetime:
    """Return when the run ended at the latest: what is of days to come would stand before all later runs until then.

    Any clock may be wrong, our own too: that it is slow is plain where the API server made the Job later than now. Then
    two others that agree are believed, and always that a Job ended after it was made.
    """
    is_slow = not_to_come(job.created, now) < job.created
    is_told = job.completed and ending.finished and agree(job.completed, ending.finished)
    completed = job.completed or now
    return max(completed if is_slow and is_told else not_to_come(completed, now), job.created)


def _begun_by(status: BorgRunStatus, latest: str) -> BorgRunStatus:
    """Return the status with that start, where it would have begun later."""
    if status.start_time is None or status.start_time <= latest:
        return status
    return status.model_copy(update={"start_time": latest})


def _without_result(
    known: BorgRunStatus,
    job: ObservedJob,
    pod: ObservedPod | None,
    ending: Ending,
    at: datetime,
    *,
    cancel: bool,
) -> BorgRunStatus:
    if pod and not pod.began:
        known = _not_begun(known)
    if cancel:
        return _cancelled(known, at, began=known.start_time is not None)
    if job.succeeded or ending.exit_code == 0:
        if pod and (ending.unreadable or ending.partial):
            # It went well, and whether with warnings only the log knows: a person is to look.
            message = f"Pod {pod.name} ended well, but its result cannot be read: {see_log(job, pod.name)}"
            return derive_ended(known, Phase.COMPLETED_WITH_WARNINGS, Reason.RESULT_UNREADABLE, message, at)
        message = "Its Job completed, but its pod is gone and with it the details"
        return derive_ended(known, Phase.COMPLETED, Reason.POD_LOST, message, at)
    reason, message = explain_death(job, pod, ending)
    then = tell_how_it_goes_on(job)
    return derive_ended(known, Phase.FAILED, reason, f"{message}. {then}" if then else message, at)


def _with_result(
    known: BorgRunStatus,
    result: RunResult,
    at: datetime,
    *,
    cancel: bool,
    job: ObservedJob | None = None,
    deadline: bool = False,
) -> BorgRunStatus:
    """Return the status with what the runner told; a run that was stopped says why, and keeps what was done."""
    phase, reason, message = result.phase, result.reason, result.message
    if phase is Phase.FAILED:
        message = f"{message} {result.causes}".strip()
        if cancel:
            phase, reason, message = Phase.CANCELLED, Reason.RUN_CANCELLED.value, f"{_CANCELLED}. {message}"
        elif deadline:
            reason, message = Reason.DEADLINE_EXCEEDED.value, f"{TOO_LONG}. {message}"
        elif reason == Reason.INTERRUPTED:
            message = f"{message} {tell_after_stop(job, result)}".rstrip()
    ended = derive_ended(known, phase, reason, message, at)
    return ended.model_copy(update={"repositories": result.repositories})


def _with_partial(status: BorgRunStatus, partial: RunResult | None) -> BorgRunStatus:
    """Return the status with what was done before the runner was killed."""
    if partial is None:
        return status
    causes = partial.causes if status.phase is Phase.FAILED else ""
    message = f"{(status.message or '').rstrip('.')}. {partial.message} {causes}".rstrip()
    return status.model_copy(update={"repositories": partial.repositories, "message": message})
