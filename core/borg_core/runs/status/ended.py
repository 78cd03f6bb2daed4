"""What a BorgRun says once it has ended: from what its pod told, or from how that died."""

from datetime import datetime

from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core.formats import format_duration, format_time, parse_time
from borg_core.kinds.run import BorgRunStatus
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod
from borg_core.runs.status.death import (
    TOO_LONG,
    explain_death,
    ran_out_of_time,
    see_log,
    tell_after_stop,
    tell_how_it_goes_on,
)
from borg_core.runs.status.moment import agree, derive_latest, not_to_come

_CANCELLED = "spec.cancel was set"


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


def derive_end(
    known: BorgRunStatus,
    job: ObservedJob,
    pod: ObservedPod | None,
    ending: Ending,
    now: datetime,
    *,
    cancel: bool,
) -> BorgRunStatus:
    """Return the status of a run whose Job or pod came to its end: with what was told, or with how it died."""
    latest = _find_latest(job, ending, now)
    known = limit_start(known, format_time(latest))
    at = ending.finished if ending.finished and job.created <= ending.finished <= latest else latest
    if ending.result:
        ended = _with_result(known, ending.result, at, cancel=cancel, job=job, deadline=ran_out_of_time(job, ending))
        reasons = (item.reason for item in ended.repositories)
        if pod and pod.others_waiting and Reason.CONTAINER_MISSING.value in reasons:
            ended = ended.model_copy(update={"message": f"{ended.message} The node says: {pod.others_waiting}"})
        return ended
    return _with_partial(_without_result(known, job, pod, ending, at, cancel=cancel), ending.partial)


def derive_deleted(before: BorgRunStatus, pod: ObservedPod | None, now: datetime, *, cancel: bool) -> BorgRunStatus:
    """Return the status of a run whose Job is gone; `pod`: what is left of it, which works no more."""
    before = limit_start(before, derive_latest(now))
    if (ending := pod.ending if pod and pod.ending else Ending()).result:
        return _with_result(before, ending.result, now, cancel=cancel)
    return _with_partial(_deleted(before, pod, now, cancel=cancel), ending.partial)


def derive_cancelled(status: BorgRunStatus, at: datetime, *, began: bool) -> BorgRunStatus:
    if began:
        return derive_ended(status, Phase.CANCELLED, Reason.RUN_CANCELLED, _CANCELLED, at)
    return derive_ended(take_back_start(status), Phase.CANCELLED, Reason.RUN_CANCELLED, "Cancelled before it began", at)


def take_back_start(status: BorgRunStatus) -> BorgRunStatus:
    """Return the status of a run of which no container ever ran: it has no start, and can have left no lock."""
    return status.model_copy(update={"start_time": None})


def _deleted(before: BorgRunStatus, pod: ObservedPod | None, now: datetime, *, cancel: bool) -> BorgRunStatus:
    """Return the status of a run whose Job was deleted before anybody saw a result."""
    began = before.phase is Phase.RUNNING or (pod is not None and pod.began)
    if cancel:
        return derive_cancelled(before, now, began=began)
    if not began:
        message = "Its Job was deleted before it began: run it again if need be"
        return derive_ended(take_back_start(before), Phase.FAILED, Reason.JOB_DELETED, message, now)
    message = "Its Job was deleted, nobody saw how it ended: look into the repository for its archive, or run it again"
    return derive_ended(before, Phase.FAILED, Reason.JOB_DELETED, message, now)


def _find_latest(job: ObservedJob, ending: Ending, now: datetime) -> datetime:
    """Return when the run ended at the latest: what is of days to come would stand before all later runs until then.

    Any clock may be wrong, our own too: that it is slow is plain where the API server made the Job later than now. Then
    two others that agree are believed, and always that a Job ended after it was made.
    """
    is_slow = not_to_come(job.created, now) < job.created
    is_told = job.completed and ending.finished and agree(job.completed, ending.finished)
    completed = job.completed or now
    return max(completed if is_slow and is_told else not_to_come(completed, now), job.created)


def limit_start(status: BorgRunStatus, latest: str) -> BorgRunStatus:
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
        known = take_back_start(known)
    if cancel:
        return derive_cancelled(known, at, began=known.start_time is not None)
    if job.succeeded or ending.exit_code == 0:
        if pod and (ending.unreadable or ending.partial):
            # It went well, and whether with warnings only the log knows: a person is to look.
            message = f"Pod {pod.name} ended well, but its result cannot be read: {see_log(job, pod.name)}"
            return derive_ended(known, Phase.COMPLETED_WITH_WARNINGS, Reason.RESULT_UNREADABLE, message, at)
        message = "Its Job completed, but its pod is gone and with it the details"
        return derive_ended(known, Phase.COMPLETED, Reason.POD_LOST, message, at)
    reason, message = explain_death(job, pod, ending)
    then = "" if pod and not pod.began else tell_how_it_goes_on(job)
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
