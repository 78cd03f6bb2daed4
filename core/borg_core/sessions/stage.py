"""How far a session has come: from its Job and pod, and from who else wants the repository."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from borg_contract.codec import decode_answer
from borg_contract.reasons import Reason
from borg_contract.result import REASON_PATTERN
from borg_contract.session.answers import Refusal as Told
from borg_core.actions import Action, CreateJob, CreateNetworkPolicy, DeleteJob, object_of
from borg_core.formats import format_time
from borg_core.kinds.session import SessionPhase
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod
from borg_core.policies.problem import Problem
from borg_core.runs.status.death import explain_death
from borg_core.runs.world import World
from borg_core.sessions.facts import Facts
from borg_core.sessions.priority import find_run_that_waits
from borg_core.sessions.workload import render_job, render_network_policy

LOOK_SECONDS = 15.0
"""How often to look whether a run waits for it: that brings a session no event."""

_SOON_SECONDS = 5.0
_IS_REASON = re.compile(REASON_PATTERN)
_REOPEN = "look again in half a minute, and another one is opened"


@dataclass(frozen=True)
class Stage:
    """`status`: fields of the session's status besides phase, reason and message."""

    phase: SessionPhase
    reason: str | None = None
    message: str = ""
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = LOOK_SECONDS
    status: dict[str, Any] = field(default_factory=dict)


def derive_stage(facts: Facts, world: World, problems: Sequence[Problem], now: datetime) -> Stage:
    """Return where a session stands that has not ended. `problems` keep it from beginning."""
    session = facts.session
    job = next((job for job in world.jobs if job.owner_uid == session.metadata.uid), None)
    if facts.before:
        name = facts.before.metadata.name
        message = f'BorgSession "{name}" is open for this repository already, and is enough for all who look'
        return _end(job, Reason.ALREADY_OPEN, message)
    pod = world.pods.get(job.uid) if job else None
    if job and (job.finished or (pod and pod.ending and not pod.disrupted)):
        return _derive_end(job, pod)
    if (job and job.deleting) or (job is None and session.status.phase is SessionPhase.READY):
        return _end(None, Reason.JOB_DELETED, f"Its Job was deleted; {_REOPEN}")
    if waiting := find_run_that_waits(session, facts.runs, now):
        message = f'It made way for BorgRun "{waiting.metadata.name}", which waited for the repository; {_REOPEN}'
        return _end(job, Reason.GAVE_WAY, message)
    if problems:
        message = "; ".join(problem.message for problem in problems)
        return Stage(SessionPhase.FAILED, problems[0].reason.value, message, _delete(job))
    return _observe(facts, world, job) if job else _begin(facts, world)


def _begin(facts: Facts, world: World) -> Stage:
    keys, facade, repository = world.keys, world.settings.facade, facts.repository
    if keys is None or repository is None:
        message = "Archives are looked into over REST, and this operator was installed without the facade (api.enabled)"
        return Stage(SessionPhase.FAILED, Reason.NO_FACADE.value, message)
    if not keys:
        message = (
            "Waits for the facade's key: it makes one when it starts for the first time, and the operator sees it "
            "within two minutes"
        )
        return Stage(SessionPhase.STARTING, Reason.WAITING_FOR_KEY.value, message, requeue_after=_SOON_SECONDS)
    job = CreateJob(render_job(facts, keys, world.settings))
    # First the policy: there is no pod that it is not for, not even for a moment.
    policy = CreateNetworkPolicy(render_network_policy(facts.session, repository, facade)) if facade else None
    for action in (policy, job):
        if action and (refusal := world.refusals.get(object_of(action))):
            message = f"The API server refuses its {object_of(action).kind}, and is asked again: {refusal.message}"
            return Stage(SessionPhase.STARTING, Reason.REFUSED_BY_API_SERVER.value, message, (action,))
    actions: tuple[Action, ...] = (policy, job) if policy else (job,)
    return Stage(SessionPhase.STARTING, message="Its pod is being made", actions=actions)


def _observe(facts: Facts, world: World, job: ObservedJob) -> Stage:
    pod = world.pods.get(job.uid)
    if pod is None or pod.deleting or not pod.began:
        waiting = (pod.waiting if pod else "") or world.words.get(pod.uid if pod else job.uid, "")
        reason = Reason.WAITING_FOR_POD.value if waiting else None
        return Stage(SessionPhase.STARTING, reason, waiting or "Its pod is being made")
    known: dict[str, Any] = {"pod_name": pod.name}
    if pod.running_since:
        ends = pod.running_since + timedelta(seconds=facts.session.spec.max_seconds)
        known |= {"start_time": format_time(pod.running_since), "expires_at": format_time(ends)}
    if pod.ready and pod.address:
        return Stage(SessionPhase.READY, status={**known, "address": pod.address})
    return Stage(SessionPhase.STARTING, message="Its pod does not answer yet", status=known)


def _derive_end(job: ObservedJob, pod: ObservedPod | None) -> Stage:
    ending = (pod.ending if pod else None) or Ending()
    told = _read(ending.unreadable)
    if job.succeeded or ending.exit_code == 0:
        reason, message = (
            (told.reason, told.message) if told else (Reason.SESSION_ENDED.value, "Nobody looked any more")
        )
        return Stage(SessionPhase.ENDED, reason, message)
    if told:
        return Stage(SessionPhase.FAILED, told.reason, told.message)
    reason, message = explain_death(job, pod, ending)
    if reason is Reason.DEADLINE_EXCEEDED:
        return Stage(SessionPhase.ENDED, Reason.SESSION_ENDED.value, "Its time (spec.maxSeconds) was over")
    return Stage(SessionPhase.FAILED, reason.value, f"{message}; {_REOPEN}")


def _read(text: str | None) -> Told | None:
    """Return what the pod said at its end, None where it said nothing that can be read."""
    try:
        told = decode_answer(Told, text) if text else None
    except ValueError:
        return None
    return told if told and _IS_REASON.fullmatch(told.reason) else None


def _end(job: ObservedJob | None, reason: Reason, message: str) -> Stage:
    return Stage(SessionPhase.ENDED, reason.value, message, _delete(job))


def _delete(job: ObservedJob | None) -> tuple[Action, ...]:
    return (DeleteJob(job.reference, job.uid),) if job and not job.deleting else ()
