"""Making room for a restore: who writes to the claim goes, who reads it waits, a new claim is made."""

from dataclasses import replace
from datetime import timedelta

from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode
from borg_contract.run import Operation
from borg_core.actions import Action, CreateClaim, object_of
from borg_core.formats import parse_time
from borg_core.kinds.restore_status import RestorePhase
from borg_core.labels import RESTORING
from borg_core.native.claim import CLAIMS
from borg_core.registry import Reference
from borg_core.restores.claims import render_claim
from borg_core.restores.situation import Situation, Stage, hindered, is_outdated
from borg_core.restores.writers import Clearance, describe_ways, name_users, scale_down
from borg_core.runs.world import World

SOON_SECONDS = 2.0
"""How soon to look again for what brings no event here: a CronJob that is suspended, another one's pod that goes."""

_LATER_SECONDS = 10.0
"""The same, where a person has to do something."""

_AT_REST = timedelta(seconds=3)
"""So long schedules are held before a restore begins: what was decided before that shows by then."""


def begin(seen: Situation) -> Stage:
    """Return what comes before the restore may begin: nobody writes to the claim, nobody backs it up half restored."""
    restore = seen.restore
    if seen.problems:
        return hindered(seen.problems)
    if restore.spec.target.stream:
        return _begin_stream(seen)
    clearance = seen.clearance
    if message := describe_in_the_way(seen):
        return Stage(RestorePhase.PENDING, Reason.CLAIM_IN_USE.value, message, requeue_after=_LATER_SECONDS)
    if seen.facts.before:
        message = f'Waits for BorgRestore "{seen.facts.before[0].metadata.name}", which restores into the same claim'
        phase = RestorePhase.RUNNING if restore.holds else RestorePhase.PENDING
        return _wait(Reason.WAITING_FOR_RESTORE, message, phase=phase, holds=restore.holds)
    return _under_hold(seen, clearance)


def describe_in_the_way(seen: Situation) -> str:
    """Return who has to be stopped by a person first, empty where nobody has; pods of this operator end themselves."""
    if not seen.clearance.fixed:
        return ""
    ways = ", ".join(describe_ways(seen.restore))
    return f'Claim "{seen.restore.claim_name}" is in use by {name_users(seen.clearance.fixed)}: {ways}'


def _begin_stream(seen: Situation) -> Stage:
    """Return the stage of one into a command: nobody is in its way that could be known of."""
    restore = seen.restore
    if RESTORING not in restore.metadata.finalizers:
        return _wait(None, "Begins in a moment")
    approved = restore.spec.approve or None
    return Stage(RestorePhase.RUNNING, next_run=Operation.RESTORE, status={"approved": approved}, holds=True)


def _under_hold(seen: Situation, clearance: Clearance) -> Stage:
    restore, facts = seen.restore, seen.facts
    since = restore.status.held_since
    is_tied = RESTORING in restore.metadata.finalizers
    if since is None or not is_tied or seen.now - parse_time(since) < _AT_REST or seen.world.users is None:
        # Schedules that read the claim are held from now on.
        return _wait(None, "Waits a moment, until nobody reads or writes the claim")
    if facts.reading:
        return _wait(Reason.WAITING_FOR_RUN, f"Waits until no backup reads the claim: {', '.join(facts.reading)}")
    if clearance.writers:
        return _stop_writers(seen, clearance)
    if clearance.readers:
        return _wait(Reason.WAITING_FOR_RUN, f"Waits for {clearance.named} to end")
    if facts.claim is None:
        return _make_claim(seen)
    preview = seen.preview
    needs_digest = restore.spec.mode is Mode.MIRROR and preview is not None
    approved = restore.spec.approve or (preview.digest if preview and needs_digest else None)
    if seen.attempts and not is_outdated(seen.attempts[-1]):
        approved = restore.status.approved  # it goes on with what it was allowed to do
    return Stage(RestorePhase.RUNNING, next_run=Operation.RESTORE, status={"approved": approved}, holds=True)


def _stop_writers(seen: Situation, clearance: Clearance) -> Stage:
    scaled, actions = scale_down(seen.restore, clearance.writers)
    refused = [words for action in actions if (words := _refusal(seen.world, object_of(action)))]
    if refused:
        message = f"The API server refuses to scale, and is asked again: {refused[0]}"
        stage = _wait(Reason.REFUSED_BY_API_SERVER, message, tuple(actions))
    else:
        message = f"Waits for {clearance.named} to end"
        stage = _wait(Reason.WAITING_FOR_WRITERS, message, tuple(actions))
    return replace(stage, status={"scaled": scaled})


def _make_claim(seen: Situation) -> Stage:
    name = Reference(CLAIMS.kind, seen.restore.metadata.namespace, seen.restore.claim_name)
    refused = _refusal(seen.world, name)
    words = f'The API server refuses claim "{name.name}", and is asked again: {refused}' if refused else ""
    reason = Reason.REFUSED_BY_API_SERVER if refused else None
    return _wait(reason, words, (CreateClaim(render_claim(seen.facts)),))


def _refusal(world: World, reference: Reference) -> str:
    refusal = world.refusals.get(reference)
    return refusal.message if refusal else ""


def _wait(
    reason: Reason | None,
    message: str,
    actions: tuple[Action, ...] = (),
    *,
    phase: RestorePhase = RestorePhase.RUNNING,
    holds: bool = True,
) -> Stage:
    value = reason.value if reason else None
    return Stage(phase, value, message, actions=actions, requeue_after=SOON_SECONDS, holds=holds)
