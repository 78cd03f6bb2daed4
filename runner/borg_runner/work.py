"""The work on one repository: what all steps share, and the result that grows with each of them.

What was done stays known when a later step fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from borg_contract.phases import Phase
from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_runner.borg import Borg, BorgOutcome
from borg_runner.borg_message import BorgMessage
from borg_runner.failure import explain_failure
from borg_runner.lock_wait import LockWait
from borg_runner.log import Log
from borg_runner.reasons import Fault

_ASIDE_LOCK_WAIT_SECONDS = 60


class StepError(Exception):
    """A step failed; the repository's part of the run ends here."""

    def __init__(self, fault: Fault, locked_by: str | None = None) -> None:
        super().__init__(fault.text)
        self.fault = fault
        self.locked_by = locked_by


@dataclass
class Work:
    """One repository, the plan it is part of, the borg that works on it, and what became of it so far."""

    plan: RunPlan
    repository: RepositoryPlan
    borg: Borg
    locks: LockWait
    log: Log
    sources_root: Path
    run_name: str
    result: RepositoryResult = field(init=False)

    def __post_init__(self) -> None:
        self.result = RepositoryResult(self.repository.name, Phase.RUNNING)

    def run_borg(
        self,
        make_arguments: Callable[[int], list[str]],
        *,
        on_note: Callable[[BorgMessage], None] | None = None,
    ) -> BorgOutcome:
        """Run borg once it has the lock, keep its warnings. Raises StepError when it fails, LockedError."""
        outcome = self.locks.run(self.borg, make_arguments, on_note=on_note)
        self.check_outcome(outcome)
        return outcome

    def check_outcome(self, outcome: BorgOutcome) -> None:
        """Keep the warnings of a borg whose exit code speaks of warnings; others are chatter for the log.

        Raises StepError when borg failed.
        """
        if not outcome.succeeded:
            raise StepError(explain_failure(outcome, self.repository))
        if outcome.warned:
            self.result = replace(
                self.result,
                warnings=(*self.result.warnings, *outcome.warnings),
                warning_count=self.result.warning_count + max(1, outcome.warning_count),
            )

    def ask_borg(self, make_arguments: Callable[..., list[str]]) -> str | None:
        """Return what borg prints for a question aside, None when it cannot be had: it must not fail a good run."""
        if self.borg.interruption.requested:
            return None
        outcome = self.borg.run(make_arguments(self.repository, lock_wait=_ASIDE_LOCK_WAIT_SECONDS))
        return outcome.output if outcome.succeeded else None

    def stop_when_asked(self) -> None:
        """Raise StepError when the pod is being stopped."""
        if self.borg.interruption.requested:
            raise StepError(Fault(Reason.INTERRUPTED, "The pod is being stopped."))

    def say_note(self, note: BorgMessage) -> None:
        self.log.say(note.text, "  ")

    def fail(self, fault: Fault, locked_by: str | None = None) -> None:
        self.log.say(f"error: {fault.text}")
        text = self.log.conceal(fault.text)
        self.result = replace(
            self.result, phase=Phase.FAILED, reason=fault.reason.value, error=text, locked_by=locked_by
        )
