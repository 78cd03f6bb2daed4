"""One repository as borg's verbs see it: what it is, the borg that works on it, and the wait for its locks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.client import Borg
from borg_runner.borg.failure import explain_failure, pick_message
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.locks.cache import CacheAside, is_cache_suspect, put_cache_aside
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log

_ASIDE_LOCK_WAIT_SECONDS = 60


@dataclass
class Warnings:
    """Borg's warnings in this repository until now: the first few of each process, and how many in all."""

    texts: tuple[str, ...] = ()
    count: int = 0

    def add(self, outcome: BorgOutcome) -> None:
        """Keep the warnings of `outcome`; its exit code alone is one."""
        self.texts = (*self.texts, *outcome.warnings)
        self.count += max(1, outcome.warning_count)


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One repository, ready to be worked on."""

    plan: RepositoryPlan
    borg: Borg
    locks: LockWait
    log: Log
    warnings: Warnings = field(default_factory=Warnings)

    def with_borg(self, **changes: Any) -> Self:
        """Return the same repository with another setting of its borg; warnings and waits are kept together."""
        return replace(self, borg=replace(self.borg, **changes))

    def run_borg(self, make_arguments: Callable[[int], list[str]]) -> BorgOutcome:
        """Run borg once it has the lock, keep its warnings. Raises FaultError when it fails or never gets the lock."""
        return self.accept(self.try_borg(make_arguments))

    def try_borg(
        self, make_arguments: Callable[[int], list[str]], *, on_note: Callable[[BorgMessage], None] | None = None
    ) -> BorgOutcome:
        """Run borg once it has the lock, and once more with an empty cache where a broken one may be to blame.

        Raises FaultError with reason Locked when the lock is not free within its bound.
        """
        outcome = self.locks.run(self.borg, make_arguments, on_note=on_note)
        base_dir, host_id = self.locks.base_dir, self.locks.host_id
        if host_id is None or not is_cache_suspect(outcome, base_dir):
            return outcome
        try:
            aside = put_cache_aside(base_dir, host_id)
        except OSError as error:
            self.log.say(f"the cache looks broken, and cannot be put aside: {error}")
            return outcome
        if aside is None:
            return outcome
        why = pick_message(outcome)
        self.log.say("borg cannot read its cache: trying once more with an empty one")
        try:
            again = self.locks.run(self.borg, make_arguments, on_note=on_note)
        except (FaultError, OSError):
            self._bring_back(aside, host_id)
            raise
        if again.succeeded or not (again.interrupted or is_cache_suspect(again, base_dir)):
            aside.discard()
            self.warn(f"The cache was broken (cut short by a kill or a full disk, say) and made anew. Borg said: {why}")
        else:
            self._bring_back(aside, host_id)
        return again

    def _bring_back(self, aside: CacheAside, host_id: str) -> None:
        """Put the cache back. That it does not go must not hide why borg failed: the next run makes another one."""
        try:
            aside.restore(host_id)
        except OSError as error:
            self.log.say(f"the cache cannot be put back: {error}")

    def accept(self, outcome: BorgOutcome) -> BorgOutcome:
        """Return `outcome` after keeping its warnings, if its exit code speaks of any; others are for the log alone.

        Raises FaultError when borg failed.
        """
        if not outcome.succeeded:
            raise FaultError(explain_failure(outcome, self.plan))
        if outcome.warned:
            self.warnings.add(outcome)
        return outcome

    def warn(self, text: str) -> None:
        """Keep a warning of our own beside borg's."""
        self.log.say(f"warning: {text}")
        self.warnings.texts = (text, *self.warnings.texts)
        self.warnings.count += 1

    def ask_borg(self, make_arguments: Callable[[int], list[str]], *, patient: bool = False) -> str | None:
        """Return what borg prints for a question aside, None when it cannot be had: it must not fail a good run.

        `patient`: it is waited for as long as for anything else, where somebody else has the lock; else for a minute.
        """
        if self.borg.interruption.requested:
            return None
        seconds = None if patient else _ASIDE_LOCK_WAIT_SECONDS
        try:
            outcome = self.locks.run(self.borg, make_arguments, seconds=seconds, asks_why=False)
        except (OSError, FaultError) as error:
            self.log.say(f"borg could not be asked: {error}")
            return None
        return outcome.output if outcome.succeeded else None

    def raise_when_interrupted(self) -> None:
        """Raise FaultError when the pod is shutting down."""
        if self.borg.interruption.requested:
            raise FaultError(Fault(Reason.INTERRUPTED, "The pod is being stopped."))

    def say_note(self, note: BorgMessage) -> None:
        """Show one of borg's own lines in the log."""
        self.log.say(note.text, "  ")
