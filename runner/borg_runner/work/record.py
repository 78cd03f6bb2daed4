"""What is known of one repository so far. It grows with each step: what was done stays known when a later one fails."""

from dataclasses import replace
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase
from borg_runner.fault import Fault
from borg_runner.verbs.repository import Warnings


class Record:
    """The result so far of the repository `name`."""

    def __init__(self, name: str) -> None:
        self._result = RepositoryResult(name, Phase.RUNNING)

    @property
    def archive(self) -> str | None:
        return self._result.archive

    @property
    def comment(self) -> str:
        """The archive's, empty where there is none."""
        return self._result.comment or ""

    @property
    def is_first(self) -> bool:
        """Whether somebody looked for an earlier archive of the schedule, and there is none."""
        return self._result.previous is not None and not self._result.previous.name

    @property
    def is_unjudged(self) -> bool:
        """Whether it is still to be looked at, or marked."""
        return self._result.unjudged

    @property
    def has_pruned(self) -> bool:
        return self._result.prune is not None

    @property
    def is_append_only(self) -> bool:
        """Whether compact found that the repository only ever adds."""
        return self._result.compact is not None and self._result.compact.append_only

    @property
    def so_far(self) -> RepositoryResult:
        """The result if the runner is killed now."""
        text = "The runner was killed before it came to its end."
        return replace(self._result, phase=Phase.FAILED, reason=Reason.INTERRUPTED.value, error=text)

    def add(self, **facts: Any) -> None:
        """Take over facts, by the names of the result's fields."""
        self._result = replace(self._result, **facts)

    def fail(self, fault: Fault) -> None:
        """Take over why the repository's part ends here."""
        self.add(phase=Phase.FAILED, reason=fault.reason.value, error=fault.text, locked_by=fault.locked_by)

    def finish(self, *, warnings: Warnings, seconds: float, lock_wait_seconds: float) -> RepositoryResult:
        """Return the final result."""
        phase = self._result.phase
        if phase is Phase.RUNNING:
            phase = Phase.COMPLETED_WITH_WARNINGS if warnings.count else Phase.COMPLETED
        return replace(
            self._result,
            phase=phase,
            warnings=warnings.texts,
            warning_count=warnings.count,
            seconds=round(seconds, 1),
            lock_wait_seconds=round(lock_wait_seconds, 1) or None,
        )
