"""How far a restore has come, and the next step: look, let a person approve, make room, bring back, report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode
from borg_contract.restore.result import RestorePreview
from borg_contract.run import Operation, Phase
from borg_core.actions import CancelRun
from borg_core.kinds.restore import BorgRestore, Writers
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.policies.problem import Problem
from borg_core.registry import Reference
from borg_core.restores.claims import explain_size
from borg_core.restores.facts import Facts, restored_by, select_runs, told_by
from borg_core.restores.room import SOON_SECONDS, begin, describe_in_the_way
from borg_core.restores.situation import (
    UNTOLD,
    Situation,
    Stage,
    explain,
    find_undo_archive,
    hindered,
    is_killed,
    is_outdated,
    succeeded,
)
from borg_core.restores.writers import name_users
from borg_core.runs.world import World

ATTEMPTS = 3
"""How often a step is tried that the cluster keeps killing."""

_USERS_SECONDS = 60.0
"""How often to look who uses the claim, while nothing begins before a person approves."""


def derive_stage(
    facts: Facts, world: World, runs: Sequence[BorgRun], problems: Sequence[Problem], now: datetime
) -> Stage:
    """Return where the restore stands, by its own `runs`; `problems` keep it from beginning."""
    restore = facts.restore
    previews = select_runs(runs, restore, Operation.PREVIEW)
    attempts = select_runs(runs, restore, Operation.RESTORE)
    seen = Situation(facts, world, previews, attempts, problems, now)
    is_done = bool(attempts) and attempts[-1].finished and succeeded(attempts[-1])
    if (restore.spec.cancel or restore.metadata.deletion_timestamp) and not is_done:
        return _cancel(seen)
    if attempts:
        return _after_attempt(seen)
    if previews:
        return _after_preview(seen)
    if problems:
        return hindered(problems)
    return Stage(RestorePhase.PENDING, message=_looks_at(restore), next_run=Operation.PREVIEW)


def _cancel(seen: Situation) -> Stage:
    restore = seen.restore
    unfinished = [run for run in (*seen.previews, *seen.attempts) if not run.finished]
    if not (unfinished or seen.world.lingering):
        said = "spec.cancel was set" if restore.spec.cancel else "it was deleted"
        undo = find_undo_archive(restore, seen.attempts)
        told = told_by(seen.attempts[-1]) if seen.attempts else None
        if told and told.error:  # it was at work, and says how much is done and how to go on, or back
            return Stage(RestorePhase.CANCELLED, Phase.CANCELLED.value, f"{said}. {told.error}")
        way_back = f"; to go back, restore archive {undo}" if undo else ""
        return Stage(RestorePhase.CANCELLED, Phase.CANCELLED.value, f"{said}{way_back}")
    actions = tuple(CancelRun(_reference(run), run.metadata.uid) for run in unfinished if not run.spec.cancel)
    phase = restore.status.phase or RestorePhase.PENDING
    return Stage(phase, None, "Is being stopped", actions=actions, holds=restore.holds, requeue_after=SOON_SECONDS)


def _after_preview(seen: Situation) -> Stage:
    run = seen.previews[-1]
    if not run.finished:
        return _mirror(RestorePhase.PENDING, run, _looks_at(seen.restore))
    if not succeeded(run):
        if is_killed(run) and len(seen.previews) < ATTEMPTS:
            return Stage(RestorePhase.PENDING, message="Looks once more", next_run=Operation.PREVIEW)
        return Stage(RestorePhase.FAILED, *explain(run))
    return _wait_for_approval(seen) or begin(seen)


def _after_attempt(seen: Situation) -> Stage:
    run = seen.attempts[-1]
    if not run.finished:
        return replace(_mirror(RestorePhase.RUNNING, run, _gives(seen.restore)), holds=True)
    reason, message = explain(run)
    if succeeded(run) and run.status.phase:
        done = Stage(RestorePhase(run.status.phase.value), reason, message or _praise(seen, run))
        return _doubt(seen, done)
    if is_outdated(run):
        found = restored_by(run).preview
        if found is None or found.digest == seen.restore.status.approved:
            return Stage(RestorePhase.FAILED, reason, message)  # it does not say what would be done instead
        return _wait_for_approval(seen, outdated=message) or begin(seen)
    killed = [attempt for attempt in seen.attempts if is_killed(attempt)]
    again = is_killed(run) or (run.status.reason in UNTOLD and seen.restore.spec.writers is not Writers.IGNORE)
    again &= seen.restore.spec.target.stream is None  # what a command does twice, only its owner knows
    if again and len(killed) < ATTEMPTS and len(seen.attempts) < 2 * ATTEMPTS:
        return replace(begin(seen), holds=True)
    if reason == Reason.NOT_ENOUGH_SPACE.value:
        message += explain_size(seen.restore)
    return Stage(RestorePhase.FAILED, reason, message)


def _doubt(seen: Situation, done: Stage) -> Stage:
    """Return the stage with a warning of who was let back to the claim while it was restored."""
    writers = seen.clearance.writers
    if not writers:
        return done
    message = (
        f"{done.message}. When it ended, the claim was in use by {name_users(writers)}, which was to stay away: what "
        "that read or wrote meanwhile may be half of before and half of the archive. If in doubt, stop it and restore "
        "again"
    )
    return replace(done, phase=RestorePhase.COMPLETED_WITH_WARNINGS, reason=Reason.CLAIM_IN_USE.value, message=message)


def _wait_for_approval(seen: Situation, outdated: str = "") -> Stage | None:
    """Return the stage of a restore that nobody has approved as it would be now; None where it may begin.

    What a Mirror would destroy has to be approved, and whatever was asked to be shown first.
    """
    spec, preview = seen.restore.spec, seen.preview
    destroys = preview is not None and spec.mode is Mode.MIRROR and bool(preview.overwrite + preview.delete)
    if preview is None or not (spec.preview or spec.approve or destroys) or spec.approve == preview.digest:
        return None
    reason = Reason.PREVIEW_OUTDATED if spec.approve or outdated else Reason.WAITING_FOR_APPROVAL
    said = outdated or ("spec.approve is not the digest of what would happen now." if spec.approve else "")
    message = f"{said} {_ask(seen.restore, preview)}".strip()
    if in_the_way := describe_in_the_way(seen):  # told before somebody approves what cannot begin
        return Stage(RestorePhase.PREVIEWED, reason.value, f"{message}. {in_the_way}", requeue_after=_USERS_SECONDS)
    return Stage(RestorePhase.PREVIEWED, reason.value, message)


def _looks_at(restore: BorgRestore) -> str:
    return "Looks at the archive" if restore.spec.target.stream else "Looks at the archive and the target"


def _gives(restore: BorgRestore) -> str:
    """Return what is said while it is at work: which command takes it, for such a restore has no claim to show."""
    return f"Gives it to the command {stream.command[0]}" if (stream := restore.spec.target.stream) else ""


def _ask(restore: BorgRestore, preview: RestorePreview) -> str:
    would = (
        f"give {preview.bytes:,} bytes ({', '.join(preview.sample)}) to {stream.command[0]}"
        if (stream := restore.spec.target.stream)
        else f"create {preview.create:,}, overwrite {preview.overwrite:,} and delete {preview.delete:,}"
    )
    patch = f'{{"spec":{{"approve":"{preview.digest}"}}}}'
    return (
        f"It would {would}. To let that happen: kubectl -n {restore.metadata.namespace} patch brest "
        f"{restore.metadata.name} --type merge -p '{patch}'"
    )


def _mirror(phase: RestorePhase, run: BorgRun, otherwise: str) -> Stage:
    return Stage(phase, run.status.reason, run.status.message or otherwise)


def _praise(seen: Situation, run: BorgRun) -> str:
    restore, found = seen.restore, restored_by(run)
    archive = found.resolved.archive if found.resolved else restore.spec.archive or ""
    if stream := restore.spec.target.stream:
        return f"{stream.command[0]} took {found.bytes or 0:,} bytes from {archive}, and ended well"
    checked = f"; {found.verified.files:,} files read back and compared" if found.verified else ""
    undo_archive = find_undo_archive(restore, seen.attempts)
    undo = f"; what was there is in archive {undo_archive}" if undo_archive else ""
    times = f" in {len(seen.attempts)} attempts" if len(seen.attempts) > 1 else ""
    return f'{found.files or 0:,} restored{times} from {archive} into claim "{restore.claim_name}"{checked}{undo}'


def _reference(run: BorgRun) -> Reference:
    return Reference(RUNS.kind, *run.metadata.key)
