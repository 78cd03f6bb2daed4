"""What a restore is judged by, and what comes of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.restore.result import RestorePreview
from borg_contract.run import Operation, Phase
from borg_core.actions import Action
from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.run import BorgRun
from borg_core.policies.problem import Problem, Severity
from borg_core.restores.facts import Facts, restored_by, told_by
from borg_core.restores.writers import Clearance, derive_clearance
from borg_core.runs.world import World

_KILLED = frozenset(
    reason.value
    for reason in (
        Reason.POD_LOST,
        Reason.OUT_OF_MEMORY,
        Reason.EVICTED,
        Reason.RUNNER_CRASHED,
        Reason.KILLED,
        Reason.INTERRUPTED,
        Reason.CONNECTION_LOST,
    )
)
"""Why a run may have ended that is no fault of what it was to do: it is done again."""

UNTOLD = frozenset((Reason.POD_LOST.value, Reason.RESULT_UNREADABLE.value))
"""The same, where it may as well have come to its end: not again where others have written to the claim since."""


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
    holds: bool = False
    """Whether others have to wait: what reads the claim, restores into it, what was stopped for it."""


@dataclass(frozen=True)
class Situation:
    """All that a stage follows from: the restore's own runs, the oldest first, and what keeps it from beginning."""

    facts: Facts
    world: World
    previews: Sequence[BorgRun]
    attempts: Sequence[BorgRun]
    problems: Sequence[Problem]
    now: datetime

    @property
    def restore(self) -> BorgRestore:
        return self.facts.restore

    @property
    def clearance(self) -> Clearance:
        """Who is in its way now, as far as anybody looked."""
        return derive_clearance(self.restore, self.world.users or (), {job.uid for job in self.world.jobs})

    @property
    def preview(self) -> RestorePreview | None:
        """The newest that a person can have seen."""
        told = (restored_by(run).preview for run in (*reversed(self.attempts), *reversed(self.previews)))
        return next((preview for preview in told if preview), self.restore.status.preview)


def find_undo_archive(restore: BorgRestore, runs: Iterable[BorgRun]) -> str | None:
    """Return what takes the restore back. `runs`: its own, the oldest first.

    The first that was made: one of a later attempt holds what an earlier one, whose end nobody saw, had restored.
    """
    told = (restored_by(run).undo_archive for run in runs)
    return restore.status.undo_archive or next(filter(None, told), None)


def hindered(problems: Sequence[Problem]) -> Stage:
    """Return the stage of one that cannot begin: it waits for what may yet appear; what is wrong for good ends it."""
    first = next((problem for problem in problems if problem.severity is not Severity.WAITING), problems[0])
    phase = RestorePhase.PENDING if first.severity is Severity.WAITING else RestorePhase.FAILED
    return Stage(phase, first.reason.value, "; ".join(problem.message for problem in problems))


def succeeded(run: BorgRun) -> bool:
    return run.status.phase is not None and run.status.phase.succeeded


def is_outdated(run: BorgRun) -> bool:
    return explain(run)[0] == Reason.PREVIEW_OUTDATED.value


def is_killed(run: BorgRun) -> bool:
    """Tell whether the cluster ended it."""
    return run.status.phase is not Phase.CANCELLED and bool({run.status.reason, explain(run)[0]} & _KILLED)


def explain(run: BorgRun) -> tuple[str | None, str]:
    """Return reason and message of a run that has ended: what it says of the repository, if it came so far."""
    told = told_by(run)
    if told and told.reason and told.error:
        return told.reason, told.error
    return run.status.reason, run.status.message
