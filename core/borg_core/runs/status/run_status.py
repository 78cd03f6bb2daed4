"""What a BorgRun says: from its Job and from what the Job's pod told before it ended."""

from datetime import datetime, timedelta

from borg_contract.pod import NOTICE_OF_COMMAND, NOTICE_OF_CONTAINER, NOTICE_OF_LOCK, NOTICE_OF_SERVER, NOTICE_OF_VOLUME
from borg_contract.reasons import Reason
from borg_contract.run import Phase
from borg_core import labels
from borg_core.copies.words import COPYING, NOT_COPIED, has_lost_patience
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.run import BorgRun, BorgRunStatus, Trigger
from borg_core.kinds.status import ConditionType, Finding, derive_conditions
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod
from borg_core.runs.status.ended import (
    derive_cancelled,
    derive_deleted,
    derive_end,
    derive_ended,
    limit_start,
    take_back_start,
)
from borg_core.runs.status.moment import derive_latest

NOTICES = {
    NOTICE_OF_LOCK: Reason.WAITING_FOR_LOCK,
    NOTICE_OF_SERVER: Reason.WAITING_FOR_SERVER,
    NOTICE_OF_VOLUME: Reason.WAITING_FOR_VOLUME,
    NOTICE_OF_CONTAINER: Reason.WAITING_FOR_CONTAINER,
    NOTICE_OF_COMMAND: Reason.WAITING_FOR_COMMAND,
}
"""By the beginning of what the runner says that it waits for, the reason."""
_PAUSE = timedelta(seconds=10)
"""So long somebody else may suspend a Job before that is told: Kueue does each for a moment, also where it has room."""
_NOTES_OF_AUTOMATIC_RUNS = (labels.DEAD_HOLDER, labels.OF_DEAD_JOB, labels.LISTING)
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
    if job.suspended and not (job.finished or job.paused):
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
    held_up = _pausing(known, job, now)
    held_up = held_up or _copying(known, job, pod, words, now, in_vain=has_lost_patience(words, refused, now))
    ending = pod.ending if pod and not (pod.disrupted and not job.finished) else None
    if held_up or ending or job.finished:
        return held_up or derive_end(known, job, pod, ending or Ending(), now, cancel=cancel)
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
    covered = status.reason == Reason.COVERED_BY_RUN  # what was asked for is done, by another one
    succeeded = (phase.succeeded or covered) if phase.finished else None
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
        known = limit_start(known, derive_latest(now))
    return derive_copying(known if began else take_back_start(known), words, now, failed=failed)


def _pausing(known: BorgRunStatus, job: ObservedJob, now: datetime) -> BorgRunStatus | None:
    """Return the status of a run whose Job somebody else suspended, None where that is not so."""
    if not job.paused:
        return None
    if job.rests_since is None or now - job.rests_since < _PAUSE:
        return known.model_copy(update={"phase": Phase.PENDING, "reason": None, "message": ""})
    by = f" ({job.suspended_by})" if job.suspended_by else ""
    message = (
        f"Somebody else{by} suspended its Job, so the operator does not let it begin. Kueue does so when its queue has "
        f"room, see kubectl -n {job.namespace} get workloads; a person does with kubectl -n {job.namespace} patch job "
        f'{job.name} --type merge -p \'{{"spec":{{"suspend":false}}}}\'. Others wait for this run until then; if it is '
        "not wanted, set its spec.cancel"
    )
    told = {"phase": Phase.PENDING, "reason": Reason.JOB_SUSPENDED.value, "message": message}
    return known.model_copy(update=told)


def _without_job(before: BorgRunStatus, pod: ObservedPod | None, now: datetime, *, cancel: bool) -> BorgRunStatus:
    if before.job_uid is None:
        waiting = before.model_copy(update={"phase": Phase.PENDING})
        return derive_cancelled(before, now, began=False) if cancel else waiting
    if pod and pod.orphaned and not (pod.ending or pod.deleting):
        phase, message = Phase.RUNNING if pod.began else Phase.PENDING, _STOPPING if cancel else _ORPHANED
        return before.model_copy(update={"phase": phase, "reason": None, "message": message})
    return derive_deleted(before, pod, now, cancel=cancel)
