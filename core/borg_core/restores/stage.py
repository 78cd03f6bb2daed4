"""How far a restore has come, and the next step: look, let a person approve, make room, bring back, report."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode
from borg_contract.restore.result import RestorePreview
from borg_contract.run import Operation, Phase
from borg_core.actions import Action, CancelRun, CreateClaim
from borg_core.kinds.restore import BorgRestore, Writers
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.native.claim import CLAIMS
from borg_core.policies.problem import Problem, Severity
from borg_core.registry import Reference
from borg_core.restores.claims import render_claim
from borg_core.restores.facts import Facts, restored_by, select_runs
from borg_core.restores.writers import Clearance, clear, describe_ways
from borg_core.runs.world import World

ATTEMPTS = 3
"""How often a step is tried that the cluster keeps killing."""

_SOON_SECONDS = 2.0
"""How soon to look again for what brings no event here: a CronJob that is suspended, another one's pod that goes."""

_LATER_SECONDS = 10.0
"""The same, where a person has to do something."""

_KILLED = frozenset(
    reason.value
    for reason in (
        Reason.POD_LOST,
        Reason.OUT_OF_MEMORY,
        Reason.EVICTED,
        Reason.RUNNER_CRASHED,
        Reason.RESULT_UNREADABLE,
        Reason.JOB_DELETED,
        Reason.KILLED,
        Reason.INTERRUPTED,
        Reason.CONNECTION_LOST,
    )
)
"""Why a run may have ended that is no fault of what it was to do: it is done again."""


@dataclass(frozen=True)
class Stage:
    """`status`: fields of the restore's status besides phase, reason and message. `next_run`: what is to be begun."""

    phase: RestorePhase
    reason: str | None = None
    message: str = ""
    next_run: Operation | None = None
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    status: dict[str, Any] = field(default_factory=dict)


def derive_stage(facts: Facts, world: World, runs: Sequence[BorgRun], problems: Sequence[Problem]) -> Stage:
    """Return where the restore stands, by its own `runs`; `problems` keep it from beginning."""
    restore = facts.restore
    previews = select_runs(runs, restore, Operation.PREVIEW)
    attempts = select_runs(runs, restore, Operation.RESTORE)
    if restore.spec.cancel or restore.metadata.deletion_timestamp:
        return _cancel(restore, [run for run in (*previews, *attempts) if not run.finished])
    if attempts:
        return _after_attempt(facts, world, attempts, problems)
    if previews:
        return _after_preview(facts, world, previews, problems)
    if problems:
        return _hindered(problems)
    return Stage(RestorePhase.PENDING, message="Looks at the archive and the target", next_run=Operation.PREVIEW)


def _cancel(restore: BorgRestore, unfinished: Sequence[BorgRun]) -> Stage:
    if not unfinished:
        said = "spec.cancel was set" if restore.spec.cancel else "it was deleted"
        undo = f"; restore archive {restore.status.undo_archive} to go back" if restore.status.undo_archive else ""
        return Stage(RestorePhase.CANCELLED, Phase.CANCELLED.value, f"{said}{undo}")
    actions = tuple(CancelRun(_reference(run), run.metadata.uid) for run in unfinished if not run.spec.cancel)
    return Stage(restore.status.phase or RestorePhase.PENDING, None, "Is being stopped", actions=actions)


def _after_preview(facts: Facts, world: World, previews: Sequence[BorgRun], problems: Sequence[Problem]) -> Stage:
    run = previews[-1]
    if not run.finished:
        return _mirror(RestorePhase.PENDING, run, "Looks at the archive and the target")
    if not (run.status.phase and run.status.phase.succeeded):
        if _is_killed(run) and len(previews) < ATTEMPTS:
            return Stage(RestorePhase.PENDING, message="Looks once more", next_run=Operation.PREVIEW)
        return Stage(RestorePhase.FAILED, run.status.reason, run.status.message)
    preview = restored_by(run).preview
    if waits := _wait_for_approval(facts.restore, preview):
        return waits
    return _begin(facts, world, problems)


def _after_attempt(facts: Facts, world: World, attempts: Sequence[BorgRun], problems: Sequence[Problem]) -> Stage:
    run = attempts[-1]
    if not run.finished:
        return _mirror(RestorePhase.RUNNING, run, "")
    reason = run.status.reason
    if run.status.phase and run.status.phase.succeeded:
        return Stage(RestorePhase(run.status.phase.value), reason, run.status.message or _praise(facts.restore, run))
    if reason == Reason.PREVIEW_OUTDATED.value and (preview := restored_by(run).preview):
        if facts.restore.spec.approve == preview.digest:
            return _begin(facts, world, problems)
        return Stage(RestorePhase.PREVIEWED, reason, f"{run.status.message} {_ask(facts.restore, preview)}".strip())
    killed = [attempt for attempt in attempts if _is_killed(attempt)]
    if _is_killed(run) and len(killed) < ATTEMPTS:
        return _begin(facts, world, problems)
    return Stage(RestorePhase.FAILED, reason, run.status.message)


def _wait_for_approval(restore: BorgRestore, preview: RestorePreview | None) -> Stage | None:
    """Return the stage of a restore that nobody has approved yet and that has to be; None where it may begin."""
    spec = restore.spec
    destroys = preview is not None and spec.mode is Mode.MIRROR and bool(preview.overwrite + preview.delete)
    if not (spec.preview or spec.approve or destroys):
        return None
    if preview is None or spec.approve == preview.digest:
        return None
    if spec.approve:
        message = f"spec.approve is not the digest of what would happen now. {_ask(restore, preview)}"
        return Stage(RestorePhase.PREVIEWED, Reason.PREVIEW_OUTDATED.value, message)
    return Stage(RestorePhase.PREVIEWED, Reason.WAITING_FOR_APPROVAL.value, _ask(restore, preview))


def _ask(restore: BorgRestore, preview: RestorePreview) -> str:
    patch = f'{{"spec":{{"approve":"{preview.digest}"}}}}'
    return (
        f"It would create {preview.create:,}, overwrite {preview.overwrite:,} and delete {preview.delete:,}. To let "
        f"that happen: kubectl -n {restore.metadata.namespace} patch brest {restore.metadata.name} --type merge "
        f"-p '{patch}'"
    )


def _begin(facts: Facts, world: World, problems: Sequence[Problem]) -> Stage:
    """Return what comes before the restore may begin: nobody writes to the claim, nobody backs it up half restored."""
    if problems:
        return _hindered(problems)
    restore = facts.restore
    if world.users is None:
        return Stage(restore.status.phase or RestorePhase.PENDING, requeue_after=_SOON_SECONDS)
    clearance = clear(restore, world.users)
    said = {"scaled": clearance.scaled, "claim_name": restore.claim_name}
    stage = _before_hold(facts, clearance) or _under_hold(facts, clearance, world)
    return replace(stage, status={**stage.status, **said})


def _before_hold(facts: Facts, clearance: Clearance) -> Stage | None:
    """Return what a restore waits for that makes nobody else wait; None where it may hold what reads the claim."""
    restore = facts.restore
    if clearance.needs_a_person:
        ways = ", ".join(describe_ways(restore))
        message = f'Claim "{restore.claim_name}" is in use by {clearance.waits_for}: {ways}'
        return Stage(RestorePhase.PENDING, Reason.CLAIM_IN_USE.value, message, requeue_after=_LATER_SECONDS)
    if facts.before:
        message = f'Waits for BorgRestore "{facts.before[0].metadata.name}", which restores into the same claim'
        phase = RestorePhase.RUNNING if restore.holds else RestorePhase.PENDING
        return Stage(phase, Reason.WAITING_FOR_RESTORE.value, message, requeue_after=_SOON_SECONDS)
    return None


def _under_hold(facts: Facts, clearance: Clearance, world: World) -> Stage:
    restore = facts.restore
    if not restore.holds:
        return _wait(None, "")  # schedules that read the claim are held from now on
    if facts.reading:
        return _wait(Reason.WAITING_FOR_RUN, f"Waits until no backup reads the claim: {', '.join(facts.reading)}")
    if clearance.waits_for:
        reason = Reason.WAITING_FOR_WRITERS if restore.spec.writers is Writers.SCALE_DOWN else Reason.WAITING_FOR_RUN
        return _wait(reason, f"Waits for {clearance.waits_for} to end", clearance.actions)
    if facts.claim is None:
        return _make_claim(facts, world)
    return Stage(RestorePhase.RUNNING, next_run=Operation.RESTORE)


def _make_claim(facts: Facts, world: World) -> Stage:
    name = Reference(CLAIMS.kind, facts.restore.metadata.namespace, facts.restore.claim_name)
    refusal = world.refusals.get(name)
    words = f'The API server refuses claim "{name.name}", and is asked again: {refusal.message}' if refusal else ""
    reason = Reason.REFUSED_BY_API_SERVER if refusal else None
    return _wait(reason, words, (CreateClaim(render_claim(facts)),))


def _wait(reason: Reason | None, message: str, actions: tuple[Action, ...] = ()) -> Stage:
    value = reason.value if reason else None
    return Stage(RestorePhase.RUNNING, value, message, actions=actions, requeue_after=_SOON_SECONDS)


def _hindered(problems: Sequence[Problem]) -> Stage:
    """Return the stage of one that cannot begin: it waits for what may yet appear; what is wrong for good ends it."""
    first = next((problem for problem in problems if problem.severity is not Severity.WAITING), problems[0])
    phase = RestorePhase.PENDING if first.severity is Severity.WAITING else RestorePhase.FAILED
    return Stage(phase, first.reason.value, "; ".join(problem.message for problem in problems))


def _mirror(phase: RestorePhase, run: BorgRun, otherwise: str) -> Stage:
    return Stage(phase, run.status.reason, run.status.message or otherwise)


def _praise(restore: BorgRestore, run: BorgRun) -> str:
    found = restored_by(run)
    archive = found.resolved.archive if found.resolved else restore.spec.archive or ""
    checked = f"; {found.verified.files:,} files read back and compared" if found.verified else ""
    undo = f"; what was there is in archive {found.undo_archive}" if found.undo_archive else ""
    return f'{found.files or 0:,} restored from {archive} into claim "{restore.claim_name}"{checked}{undo}'


def _is_killed(run: BorgRun) -> bool:
    return run.status.phase is not Phase.CANCELLED and run.status.reason in _KILLED


def _reference(run: BorgRun) -> Reference:
    return Reference(RUNS.kind, *run.metadata.key)
