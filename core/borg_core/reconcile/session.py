"""Planning a session: its pod, what it says about itself, and when it is forgotten."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from borg_contract.reasons import Reason
from borg_core.actions import Action, DeleteJob, DeleteSession, PatchStatus, Plan, RecordEvent
from borg_core.formats import format_time, parse_time
from borg_core.kinds.session import SESSIONS, BorgSession, BorgSessionStatus, SessionPhase
from borg_core.kinds.status import ConditionType, Finding, derive_conditions, derive_status_patch
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem, Severity
from borg_core.policies.workload import find_claim_problems
from borg_core.reconcile.reconciler import Reconciler
from borg_core.registry import Reference
from borg_core.runs.world import World
from borg_core.sessions.facts import Facts, gather_facts
from borg_core.sessions.stage import Stage, derive_stage
from borg_core.view import View

KEPT = {SessionPhase.ENDED: timedelta(minutes=10), SessionPhase.FAILED: timedelta(hours=1)}
"""For so long a session that has ended is there to be looked at; with it go its Job and the pod's log."""


def reconcile_session(world: World, view: View, now: datetime) -> Plan:
    """Return what is to be done for the session; of one that does not exist, nobody needs a pod any more."""
    session = view.get(SESSIONS, world.subject.namespace, world.subject.name)
    if session is None or session.metadata.deletion_timestamp:
        return Plan(tuple(DeleteJob(job.reference, job.uid) for job in world.jobs if not job.deleting))
    return plan_session(world, gather_facts(view, session), now)


def plan_session(world: World, facts: Facts, now: datetime) -> Plan:
    """Return what is to be done."""
    session = facts.session
    others = tuple(_end_strangers(world, session))
    if session.finished:
        return _forget(session, others, now)
    stage = derive_stage(facts, world, tuple(_find_problems(world, facts)), now)
    said = tuple(_say(session, stage, now))
    # What it says comes last: while its Job cannot be deleted, it is not over.
    wait = KEPT[stage.phase].total_seconds() if stage.phase.finished else stage.requeue_after
    return Plan((*others, *stage.actions, *said), wait)


def _forget(session: BorgSession, others: tuple[Action, ...], now: datetime) -> Plan:
    status = session.status
    ended = parse_time(status.end_time) if status.end_time else now
    left = (ended + KEPT[status.phase or SessionPhase.ENDED] - now).total_seconds()
    if left > 0:
        return Plan(others, left)
    return Plan((*others, DeleteSession(_reference(session), session.metadata.uid)))


def _end_strangers(world: World, session: BorgSession) -> Iterator[Action]:
    """Yield what ends Jobs of an earlier session of that name."""
    for job in world.jobs:
        if job.owner_uid != session.metadata.uid and not job.deleting:
            yield DeleteJob(job.reference, job.uid)


def _find_problems(world: World, facts: Facts) -> Iterator[Problem]:
    session = facts.session
    if facts.repository is None:
        message = (
            f'BorgRepository "{session.spec.repository_ref.name}" does not exist in namespace '
            f'"{session.metadata.namespace}"'
        )
        yield Problem(Reason.REPOSITORY_NOT_FOUND, message, Severity.WAITING)
        return
    yield from find_claim_problems(facts.workload, facts.claims)
    yield from find_forbidden(facts.workload, world.settings)


def _say(session: BorgSession, stage: Stage, now: datetime) -> Iterator[Action]:
    status = _derive_status(session, stage, now)
    patch = derive_status_patch(session.status, status)
    if not patch:
        return
    yield PatchStatus(_reference(session), session.metadata.uid, patch)
    if stage.phase is SessionPhase.FAILED or stage.reason == Reason.GAVE_WAY:
        warning = stage.phase is SessionPhase.FAILED
        reason = stage.reason or stage.phase.value
        yield RecordEvent(_reference(session), session.metadata.uid, reason, stage.message, warning=warning)


def _derive_status(session: BorgSession, stage: Stage, now: datetime) -> BorgSessionStatus:
    before = session.status
    is_ready = stage.phase is SessionPhase.READY
    finding = Finding(
        ConditionType.READY.value,
        is_ready,
        stage.reason or (Reason.SESSION_READY.value if is_ready else stage.phase.value),
        stage.message or f"Until {stage.status.get('expires_at') or 'nobody looks any more'}",
    )
    update: dict[str, Any] = {
        "phase": stage.phase,
        "reason": stage.reason,
        "message": stage.message,
        "observed_generation": session.metadata.generation,
        "address": None,
        **stage.status,
        "conditions": derive_conditions([finding], before.conditions, session.metadata.generation, now),
    }
    if stage.phase.finished:
        update["end_time"] = format_time(now)
    return before.model_copy(update=update)


def _reference(session: BorgSession) -> Reference:
    return Reference(SESSIONS.kind, *session.metadata.key)


SESSION = Reconciler(SESSIONS, reconcile_session)
