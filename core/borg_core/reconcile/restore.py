"""Planning a restore: its runs, who has to wait for it, what it says about itself."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import Action, CreateRun, MergeMetadata, PatchStatus, Plan, RecordEvent
from borg_core.formats import format_time
from borg_core.kinds.parts.base import API_VERSION
from borg_core.kinds.restore import RESTORES, BorgRestore
from borg_core.kinds.restore_status import BorgRestoreStatus, RestorePhase
from borg_core.kinds.run import RUNS, BorgRun, Trigger
from borg_core.kinds.status import ConditionType, Finding, derive_conditions, derive_status_patch
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem, Severity
from borg_core.reconcile.reconciler import Reconciler
from borg_core.registry import Reference
from borg_core.restores.claims import find_target_problems
from borg_core.restores.facts import Facts, gather_facts, is_own, restored_by, select_runs, told_by
from borg_core.restores.stage import Stage, derive_stage
from borg_core.restores.workload import render_workload
from borg_core.restores.writers import give_back
from borg_core.runs.plan import plan_runs
from borg_core.runs.records import render_run
from borg_core.runs.run_status import derive_ended, derive_run_conditions
from borg_core.runs.world import Host, World
from borg_core.view import View
from borg_core.workload.owner import Owner

_HISTORY_LIMIT = 20
"""More runs than a restore may have: they are its record, and go with it."""

_PUT_BACK = (
    "A restore of the cluster put this record back: nothing was done, so that what was restored once is not restored "
    "over what is there now. To restore again, make a new BorgRestore"
)


def reconcile_restore(world: World, view: View, now: datetime) -> Plan:
    """Return what is to be done for the restore; for one that does not exist, nothing: its runs go with it."""
    restore = view.get(RESTORES, world.subject.namespace, world.subject.name)
    if restore is None:
        runs = plan_runs(world, None, now)
        return Plan(runs.actions, runs.requeue_after)
    return plan_restore(world, gather_facts(view, restore), now)


def find_watched_claim(view: View, subject: Reference) -> str | None:
    """Return the claim whose users are to be looked at, None where the restore does not care (yet, or any more)."""
    restore = view.get(RESTORES, subject.namespace, subject.name)
    if restore is None or restore.finished or restore.spec.preview > bool(restore.spec.approve):
        return None
    return restore.claim_name if restore.status.resolved else None


def plan_restore(world: World, facts: Facts, now: datetime) -> Plan:
    """Return what is to be done."""
    restore = facts.restore
    own = tuple(run for run in world.runs if is_own(run, restore))
    strangers = [
        run for run in world.runs if not is_own(run, restore) and labels.DEAD_HOLDER not in run.metadata.annotations
    ]
    seen = restore.metadata.annotations.get(labels.RESTORE_UID)
    if seen not in (None, restore.metadata.uid):
        return Plan(tuple(_say(restore, Stage(RestorePhase.CANCELLED, Reason.RESTORED.value, _PUT_BACK), (), now)))
    problems = tuple(_find_problems(world, facts))
    runs = plan_runs(replace(world, runs=own), _host(facts, problems), now)
    known = tuple(entry.recorded for entry in runs.entries if entry.run)
    actions: list[Action] = [*runs.actions, *_decline(strangers, now)]
    if seen is None:
        mark = {"annotations": {labels.RESTORE_UID: restore.metadata.uid}}
        actions.append(MergeMetadata(_reference(restore), restore.metadata.uid, mark))
    stage = _stay(restore) if restore.finished else derive_stage(facts, world, known, problems)
    ended = restore.finished or stage.phase.finished
    if ended and restore.status.scaled:
        scaled, back = give_back(restore, world.scaled)
        stage = replace(stage, status={**stage.status, "scaled": scaled}, requeue_after=2.0 if back else None)
        actions += back
    actions += _say(restore, stage, known, now)
    actions += stage.actions
    if stage.next_run:
        actions.append(CreateRun(_render_run(facts, stage.next_run, known)))
    waits = [seconds for seconds in (runs.requeue_after, stage.requeue_after) if seconds is not None]
    return Plan(tuple(actions), min(waits, default=None))


def _find_problems(world: World, facts: Facts) -> Iterator[Problem]:
    restore = facts.restore
    if facts.repository is None:
        message = (
            f'BorgRepository "{restore.spec.repository_ref.name}" does not exist in namespace '
            f'"{restore.metadata.namespace}": create it'
        )
        yield Problem(Reason.REPOSITORY_NOT_FOUND, message, Severity.WAITING)
        return
    yield from find_target_problems(facts)
    yield from find_forbidden(render_workload(facts, Operation.PREVIEW), world.settings)


def _host(facts: Facts, problems: Sequence[Problem]) -> Host:
    """Return what runs of the restore need to know. One that restores begins only while the restore holds its claim."""
    restore, repository = facts.restore, facts.repository

    def hindrances(operation: Operation) -> Sequence[Problem]:
        if operation is Operation.RESTORE and not restore.holds:
            return (*problems, Problem(Reason.WAITING_FOR_APPROVAL, "its turn has not come", Severity.WAITING))
        return problems

    return Host(
        owner=_owner(restore),
        history_limit=_HISTORY_LIMIT,
        hindrances=hindrances,
        workload=lambda operation, dead: render_workload(facts, operation, dead),
        has_cron_job=False,
        leaves_locks=repository is not None and bool(repository.spec.local or repository.spec.cache),
    )


def _decline(runs: Iterable[BorgRun], now: datetime) -> Iterator[Action]:
    """Yield what ends runs that somebody made for a restore: only its own count."""
    for run in runs:
        if not run.finished:
            message = "A BorgRestore makes its runs itself, when it is their turn: create a BorgRestore"
            status = derive_ended(run.status, Phase.FAILED, Reason.NOT_OF_A_RESTORE.value, message, now)
            status = status.model_copy(update={"conditions": derive_run_conditions(run, status, now)})
            patch = derive_status_patch(run.status, status)
            yield PatchStatus(Reference(RUNS.kind, *run.metadata.key), run.metadata.uid, patch)


def _stay(restore: BorgRestore) -> Stage:
    status = restore.status
    return Stage(status.phase or RestorePhase.PENDING, status.reason, status.message)


def _say(restore: BorgRestore, stage: Stage, runs: Sequence[BorgRun], now: datetime) -> Iterator[Action]:
    status = _derive_status(restore, stage, runs, now)
    patch = derive_status_patch(restore.status, status)
    if not patch:
        return
    reference = _reference(restore)
    yield PatchStatus(reference, restore.metadata.uid, patch)
    changed = (status.phase, status.reason) != (restore.status.phase, restore.status.reason)
    needs_a_person = stage.reason in (Reason.CLAIM_IN_USE.value, Reason.PREVIEW_OUTDATED.value)
    if changed and stage.message and (needs_a_person or stage.phase.finished or stage.phase is RestorePhase.PREVIEWED):
        good = stage.phase in (RestorePhase.COMPLETED, RestorePhase.PREVIEWED) and not needs_a_person
        reason = stage.reason or f"Restore{stage.phase.value}"
        yield RecordEvent(reference, restore.metadata.uid, reason, stage.message, warning=not good)


def _derive_status(restore: BorgRestore, stage: Stage, runs: Sequence[BorgRun], now: datetime) -> BorgRestoreStatus:
    before = restore.status
    steps = [*select_runs(runs, restore, Operation.PREVIEW), *select_runs(runs, restore, Operation.RESTORE)]
    attempts = [run for run in steps if run.spec.operation is Operation.RESTORE]
    update: dict[str, Any] = {
        "phase": stage.phase,
        "reason": stage.reason,
        "message": stage.message,
        "observed_generation": restore.metadata.generation,
        "attempts": len(attempts) or before.attempts,
        **stage.status,
    }
    for run in steps:
        found, told = restored_by(run), told_by(run)
        facts = {
            "resolved": before.resolved or found.resolved,
            "size": found.size,
            "preview": found.preview,
            "files": found.files,
            "bytes": found.bytes,
            "deleted": found.deleted,
            "undo_archive": found.undo_archive,
            "verified": found.verified,
            "warnings": told.warnings[:32] if told and told.warnings else None,
            "start_time": before.start_time or run.status.start_time,
            "run_name": run.metadata.name,
        }
        update |= {field: value for field, value in facts.items() if value is not None}
    if stage.phase.finished and before.completion_time is None:
        update["completion_time"] = format_time(now)
    succeeded = None
    if stage.phase.finished:
        succeeded = stage.phase in (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS)
    finding = Finding(ConditionType.SUCCEEDED.value, succeeded, stage.phase.value, stage.message or stage.phase.value)
    conditions = derive_conditions([finding], before.conditions, restore.metadata.generation, now)
    return before.model_copy(update={**update, "conditions": conditions})


def _render_run(facts: Facts, operation: Operation, runs: Sequence[BorgRun]) -> dict[str, Any]:
    """Return the next run of that operation: the first is called like the restore and the step, others by number."""
    restore = facts.restore
    number = len(select_runs(runs, restore, operation)) + 1
    suffix = f"-{operation.value.lower()}" + (f"-{number}" if number > 1 else "")
    name = shorten(restore.metadata.name, suffix, JOB_NAME_LIMIT)
    return render_run(_host(facts, ()), name, operation, Trigger.MANUAL, {})


def _owner(restore: BorgRestore) -> Owner:
    metadata = restore.metadata
    return Owner(API_VERSION, RESTORES.kind, metadata.namespace, metadata.name, metadata.uid)


def _reference(restore: BorgRestore) -> Reference:
    return Reference(RESTORES.kind, *restore.metadata.key)


RESTORE = Reconciler(RESTORES, reconcile_restore, claim=find_watched_claim)
