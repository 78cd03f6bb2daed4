"""What a BorgRun says: from its Job and from what the Job's pod told before it ended."""

import dataclasses
from datetime import datetime

from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.kinds.base import Condition
from borg_core.kinds.run import BorgRun, BorgRunStatus, RunRepository, Trigger
from borg_core.native.job import ObservedJob
from borg_core.native.pod import PodOutcome
from borg_core.reconcile.conditions import ConditionType, Finding, derive_conditions
from borg_core.timestamps import format_duration, format_time, parse_time

SUCCESSES = (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS)


def derive_run_status(
    run: BorgRun | None, job: ObservedJob | None, outcome: PodOutcome | None, now: datetime
) -> BorgRunStatus:
    """Return the status that the run is to have. A finished one never changes; at least one of run and job is given."""
    if run and run.finished:
        return run.status
    before = run.status if run else BorgRunStatus()
    cancel = run is not None and run.spec.cancel
    if job is None:
        return _without_job(before, now, cancel=cancel)
    known = before.model_copy(
        update={
            "trigger": derive_trigger(run, job),
            "job_uid": job.uid,
            "scheduled_time": format_time(job.scheduled) if job.scheduled else before.scheduled_time,
            "start_time": format_time(job.started) if job.started else before.start_time,
        }
    )
    if job.finished:
        return _finished(known, job, outcome or PodOutcome(), now, cancel=cancel)
    if job.ready:
        return known.model_copy(update={"phase": Phase.RUNNING, "reason": None, "message": ""})
    waiting = outcome.waiting if outcome else ""
    reason = Reason.WAITING_FOR_POD.value if waiting else None
    # A pod that ran and has ended is not waiting for anything: the Job will say so in a moment.
    phase = Phase.RUNNING if before.phase is Phase.RUNNING and not waiting else Phase.PENDING
    return known.model_copy(update={"phase": phase, "reason": reason, "message": waiting})


def derive_run_conditions(run: BorgRun | None, status: BorgRunStatus, now: datetime) -> tuple[Condition, ...]:
    """Return the conditions that go with `status`: one, for `kubectl wait` has one value and success two phases.

    A finished run is judged again when it was edited: `kubectl wait` passes over a condition of a former generation.
    """
    before = run.status if run else BorgRunStatus()
    if run and run.finished and not before.conditions:
        return ()  # of a version without conditions: an upgrade is not to write to every run that is kept
    phase = status.phase or Phase.PENDING
    succeeded = phase in SUCCESSES if phase.finished else None
    # A message is required here, and a run that goes well has none.
    finding = Finding(ConditionType.SUCCEEDED.value, succeeded, phase.value, status.message or phase.value)
    generation = run.metadata.generation if run else 1  # the API server gives 1 to the BorgRun that is made now
    return derive_conditions([finding], before.conditions, generation, now)


def derive_trigger(run: BorgRun | None, job: ObservedJob | None) -> Trigger:
    """Return who asked for the run."""
    if job and job.begun_by_cron_job:
        return Trigger.SCHEDULED
    automatic = run is not None and labels.DEAD_JOB_UID in run.metadata.annotations
    return Trigger.AUTOMATIC if automatic else Trigger.MANUAL


def _without_job(before: BorgRunStatus, now: datetime, *, cancel: bool) -> BorgRunStatus:
    if before.job_uid:
        message = (
            "Cancelled: spec.cancel was set"
            if cancel
            else "Its Job was deleted before it finished; run it again if need be"
        )
        reason = Reason.RUN_CANCELLED if cancel else Reason.JOB_DELETED
        return _end(before, Phase.CANCELLED, reason, message, now)
    if cancel:
        return _end(before, Phase.CANCELLED, Reason.RUN_CANCELLED, "Cancelled before it began", now)
    return before.model_copy(update={"phase": Phase.PENDING, "trigger": before.trigger})


def _finished(
    known: BorgRunStatus, job: ObservedJob, outcome: PodOutcome, now: datetime, *, cancel: bool
) -> BorgRunStatus:
    at = outcome.finished_at or job.completed or now
    result = outcome.result
    if result is None:
        phase, reason, message = _without_result(job, outcome)
        if cancel:
            phase, reason, message = Phase.CANCELLED, Reason.RUN_CANCELLED, "Cancelled: spec.cancel was set"
        return _end(known, phase, reason, message, at)
    repositories = tuple(RunRepository.model_validate(dataclasses.asdict(item)) for item in result.repositories)
    phase = Phase.CANCELLED if cancel and result.phase is Phase.FAILED else result.phase
    ended = _end(known, phase, result.reason, result.message, at)
    return ended.model_copy(update={"repositories": repositories})


def _without_result(job: ObservedJob, outcome: PodOutcome) -> tuple[Phase, Reason, str]:
    if job.succeeded:
        return Phase.COMPLETED, Reason.POD_LOST, "The Job completed, but its pod is gone and with it the details"
    reason, message = _why_it_died(job, outcome)
    return Phase.FAILED, reason, message


def _why_it_died(job: ObservedJob, outcome: PodOutcome) -> tuple[Reason, str]:
    pod = outcome.pod_name
    if job.failure_reason == "DeadlineExceeded":
        message = "It took longer than spec.activeDeadlineSeconds and was stopped: raise that"
        reason = Reason.DEADLINE_EXCEEDED
    elif outcome.terminated_reason == "OOMKilled":
        message = f"Pod {pod} used more memory than its limit: raise spec.job.resources.limits.memory"
        reason = Reason.OUT_OF_MEMORY
    elif outcome.terminated_reason == "Evicted":
        message = f"The node evicted pod {pod}: see kubectl -n {job.namespace} describe pod {pod}"
        reason = Reason.EVICTED
    elif outcome.unreadable:
        message = f"Pod {pod} left a result that cannot be read: {outcome.unreadable[:500]!r}"
        reason = Reason.RESULT_UNREADABLE
    elif pod is None:
        message = "Its pod was deleted, or its node was lost, before it could report"
        reason = Reason.POD_LOST
    else:
        code = "" if outcome.exit_code is None else f" with exit code {outcome.exit_code}"
        message = f"Pod {pod} ended{code} without a result: see kubectl -n {job.namespace} logs {pod}"
        reason = Reason.RUNNER_CRASHED
    return reason, f"{message}. The next run goes on from borg's last checkpoint."


def _end(status: BorgRunStatus, phase: Phase, reason: str | None, message: str, at: datetime) -> BorgRunStatus:
    began = parse_time(status.start_time) if status.start_time else None
    return status.model_copy(
        update={
            "phase": phase,
            "reason": str(reason) if reason else None,
            "message": message,
            "completion_time": format_time(at),
            "duration": format_duration((at - began).total_seconds()) if began else None,
        }
    )
