"""Planning a restore: its runs, who has to wait for it, what it says about itself."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import Action, CreateRun, MergeMetadata, PatchStatus, Plan, RecordEvent, object_of
from borg_core.formats import format_time, is_time
from borg_core.kinds.restore import RESTORES, BorgRestore
from borg_core.kinds.restore_status import BorgRestoreStatus, RestorePhase
from borg_core.kinds.run import RUNS, BorgRun, Trigger
from borg_core.kinds.status import ConditionType, Finding, derive_conditions, derive_status_patch
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem, Severity
from borg_core.policies.workload import find_size_problems
from borg_core.reconcile.reconciler import Reconciler
from borg_core.registry import Reference
from borg_core.restores.claims import find_target_problems
from borg_core.restores.facts import Facts, gather_facts, is_own, restored_by, select_runs, told_by
from borg_core.restores.room import SOON_SECONDS
from borg_core.restores.situation import Stage, find_undo_archive
from borg_core.restores.stage import derive_stage
from borg_core.restores.workload import render_workload
from borg_core.restores.writers import describe_stopped, give_back
from borg_core.runs.plan import plan_runs
from borg_core.runs.records import patch_run, render_run
from borg_core.runs.status.ended import derive_ended
from borg_core.runs.world import Host, World
from borg_core.view import View
from borg_core.workload.job import render_job_template
from borg_core.workload.owner import Owner

_HISTORY_LIMIT = 20
"""More runs than a restore may have: they are its record, and go with it."""

_FOR_A_PERSON = tuple(
    reason.value for reason in (Reason.CLAIM_IN_USE, Reason.PREVIEW_OUTDATED, Reason.REFUSED_BY_API_SERVER)
)

_REFUSED = "the API server refuses to scale it back, and is asked again"

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
    if restore is None or restore.finished or restore.status.resolved is None:
        return None
    return restore.claim_name or None


def plan_restore(world: World, facts: Facts, now: datetime) -> Plan:
    """Return what is to be done."""
    restore = facts.restore
    own = tuple(run for run in world.runs if is_own(run, restore))
    strangers = [run for run in world.runs if run not in own and labels.DEAD_HOLDER not in run.metadata.annotations]
    problems = tuple(_find_problems(world, facts))
    runs = plan_runs(replace(world, runs=own), _host(facts, problems), now)
    known = tuple(entry.recorded for entry in runs.entries if entry.run)
    seen = restore.metadata.annotations.get(labels.RESTORE_UID)
    if restore.finished:
        stage = _stay(restore)
    elif seen not in (None, restore.metadata.uid):
        stage = Stage(RestorePhase.CANCELLED, Reason.RESTORED.value, _PUT_BACK)
    else:
        stage = derive_stage(facts, world, known, problems, now)
    stage, ties = _release(world, restore, stage, known)
    if stage.next_run:
        run = _render_run(facts, world, stage.next_run)
        refusal = world.refusals.get(Reference(RUNS.kind, restore.metadata.namespace, run["metadata"]["name"]))
        if refusal:
            message = f"The API server refuses BorgRun {run['metadata']['name']}, and is asked again: {refusal.message}"
            stage = replace(stage, reason=Reason.REFUSED_BY_API_SERVER.value, message=message)
        stage = replace(stage, actions=(*stage.actions, CreateRun(run)))
    actions = (
        *runs.actions,
        *_decline(strangers, now),
        *_mark(restore, ties, is_new=seen is None),
        *_say(restore, stage, known, now),
        *stage.actions,
    )
    waits = [seconds for seconds in (runs.requeue_after, stage.requeue_after) if seconds is not None]
    return Plan(actions, min(waits, default=None))


def _release(world: World, restore: BorgRestore, stage: Stage, runs: Sequence[BorgRun]) -> tuple[Stage, bool]:
    """Return the stage with what is given back once nobody has to wait any more, and whether others still have to."""
    is_tied = labels.RESTORING in restore.metadata.finalizers
    if stage.holds:
        stopped = describe_stopped(restore.status.scaled) if stage.phase is RestorePhase.PENDING else ""
        message = "; ".join(text for text in (stage.message, stopped) if text)
        return replace(stage, message=message), is_tied or restore.metadata.deletion_timestamp is None
    at_work = bool(world.lingering) or any(not run.finished for run in runs)
    if not is_tied or at_work:
        return replace(stage, requeue_after=SOON_SECONDS if is_tied else stage.requeue_after), is_tied
    scaled, back = give_back(restore, world.scaled)
    refused = [words for action in back if (words := world.refusals.get(object_of(action)))]
    message = stage.message
    if refused and _REFUSED not in message:
        message = f"{message}. {describe_stopped(scaled)}: {_REFUSED} ({refused[0].message})"
    wait = SOON_SECONDS if back else stage.requeue_after
    status = {**stage.status, **({"scaled": scaled} if scaled else {})}
    return replace(stage, message=message, status=status, actions=(*stage.actions, *back), requeue_after=wait), bool(
        back
    )


def _mark(restore: BorgRestore, ties: bool, *, is_new: bool) -> Iterator[Action]:
    """Yield what notes that the operator knows it, and that it is not to go yet, on the BorgRestore itself."""
    metadata: dict[str, Any] = {}
    if is_new:
        metadata["annotations"] = {labels.RESTORE_UID: restore.metadata.uid}
    others = [name for name in restore.metadata.finalizers if name != labels.RESTORING]
    wanted = [*others, *([labels.RESTORING] if ties else [])]
    if sorted(wanted) != sorted(restore.metadata.finalizers):
        metadata["finalizers"] = wanted
    if metadata:
        yield MergeMetadata(_reference(restore), restore.metadata.uid, metadata)


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
    if (latest := restore.spec.latest) and latest.before and not is_time(latest.before):
        message = f'latest.before "{latest.before}" is no time: give one as RFC 3339 has it, 2026-11-25T00:00:00Z'
        yield Problem(Reason.INVALID_ARGUMENT, message)
        return
    workload = render_workload(facts, Operation.RESTORE)  # which has all that it may have
    yield from find_forbidden(workload, world.settings)
    template = render_job_template(workload, _reference(restore), world.settings)
    yield from find_size_problems(workload.operation, template)


def _host(facts: Facts, problems: Sequence[Problem]) -> Host:
    """Return what runs of the restore need to know. One that restores begins only while the restore holds its claim."""
    restore, repository = facts.restore, facts.repository

    def hindrances(operation: Operation) -> Sequence[Problem]:
        if operation is Operation.RESTORE and labels.RESTORING not in restore.metadata.finalizers:
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
            yield from patch_run(Reference(RUNS.kind, *run.metadata.key), run, status, now)


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
    needs_a_person = stage.reason in _FOR_A_PERSON
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
        "claim_name": restore.claim_name or None,
        "held_since": (before.held_since or format_time(now)) if stage.holds else None,
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
            "verified": found.verified,
            "warnings": told.warnings[:32] if told else None,
            "start_time": before.start_time or run.status.start_time,
            "run_name": run.metadata.name,
        }
        update |= {field: value for field, value in facts.items() if value is not None}
    update["undo_archive"] = find_undo_archive(restore, attempts)
    if stage.phase.finished and before.completion_time is None:
        update["completion_time"] = format_time(now)
    succeeded = None
    if stage.phase.finished:
        succeeded = stage.phase in (RestorePhase.COMPLETED, RestorePhase.COMPLETED_WITH_WARNINGS)
    finding = Finding(ConditionType.SUCCEEDED.value, succeeded, stage.phase.value, stage.message or stage.phase.value)
    conditions = derive_conditions([finding], before.conditions, restore.metadata.generation, now)
    return before.model_copy(update={**update, "conditions": conditions})


def _render_run(facts: Facts, world: World, operation: Operation) -> dict[str, Any]:
    """Return the next run of that operation: the first is called like the restore and the step, others by number."""
    restore, word = facts.restore, operation.value.lower()
    names = {run.metadata.name for run in world.runs}
    refused = (name for (_, _, name), refusal in world.refusals.items() if refusal.taken)
    taken = names.union(refused)
    made = [name for name in names if name.startswith(shorten(restore.metadata.name, f"-{word}", JOB_NAME_LIMIT))]
    number = len(made) + 1
    while (name := _name(restore, word, number)) in taken:
        number += 1
    return render_run(_host(facts, ()), name, operation, Trigger.MANUAL, {})


def _name(restore: BorgRestore, word: str, number: int) -> str:
    return shorten(restore.metadata.name, f"-{word}" + (f"-{number}" if number > 1 else ""), JOB_NAME_LIMIT)


def _owner(restore: BorgRestore) -> Owner:
    metadata = restore.metadata
    return Owner.of(RESTORES, *metadata.key, metadata.uid)


def _reference(restore: BorgRestore) -> Reference:
    return Reference(RESTORES.kind, *restore.metadata.key)


RESTORE = Reconciler(RESTORES, reconcile_restore, claim=find_watched_claim)
