"""Waiting for a repository's lock within a bound, naming who holds it, and removing the locks of Jobs proven dead.

Borg polls a lock every tenth of its `--lock-wait`, at most once a minute; several short waits notice a free lock
sooner than one long wait, and between them the log can say what is going on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from borg_contract.reasons import Reason
from borg_runner.borg.client import Borg
from borg_runner.borg.exit_codes import LOCK_TIMEOUT
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.locks.holder import Holder
from borg_runner.locks.reading import find_lock_folders, read_holders
from borg_runner.locks.removal import remove_dead_locks
from borg_runner.log import Log

_FIRST_WAIT_SECONDS = 10
_NEXT_WAIT_SECONDS = 60
_SECONDS_PER_MINUTE = 60


@dataclass(kw_only=True)
class LockWait:
    """The locks of one repository and of its cache.

    `waited`: seconds of all attempts until now that ended without the lock. How long the one that got it had waited,
    borg does not tell: at most the ten seconds of a short wait.
    """

    location: str
    base_dir: Path
    seconds: int
    host_id: str | None
    """The name under which this pod takes locks, None outside of a cluster."""
    dead_job_uids: frozenset[str]
    log: Log
    waited: float = 0.0

    def run(
        self,
        borg: Borg,
        make_arguments: Callable[[int], list[str]],
        *,
        on_note: Callable[[BorgMessage], None] | None = None,
    ) -> BorgOutcome:
        """Run borg with the arguments for each `--lock-wait`, until it had the lock.

        Raises FaultError with reason Locked when the lock is not free within the bound.
        """
        deadline = time.monotonic() + self.seconds
        patience = _FIRST_WAIT_SECONDS
        while True:
            self.remove_dead()
            began = time.monotonic()
            left = int(deadline - began)
            outcome = borg.run(make_arguments(max(0, min(left, patience))), on_note=on_note)
            if outcome.exit_code < 0:
                self.remove_dead()  # our own borg was killed, for want of memory perhaps: its lock is stale
            if outcome.exit_code != LOCK_TIMEOUT or outcome.interrupted:
                return outcome
            self.waited += time.monotonic() - began
            left = int(deadline - time.monotonic())
            if left <= 0:
                raise FaultError(self._explain())
            self.log.say(f"locked by {self._describe_holder()}: waiting, for at most {_describe_seconds(left)} more")
            patience = _NEXT_WAIT_SECONDS

    def holders(self) -> list[Holder]:
        """Return who holds a lock, as far as the locks can be read."""
        try:
            return [holder for folder in self._folders() for holder in read_holders(folder)]
        except OSError:
            return []  # borg says better what is wrong with the folder

    def remove_dead(self) -> None:
        """Remove the locks that Jobs proven dead left behind."""
        try:
            for folder in self._folders():
                for holder in remove_dead_locks(folder, self.dead_job_uids, host_id=self.host_id):
                    self.log.say(f"removed the lock that {holder.describe()} left behind: its process is gone")
        except OSError as error:
            self.log.say(f"locks left behind could not be removed: {error}")

    def _folders(self) -> list[Path]:
        return find_lock_folders(self.location, self.base_dir)

    def _describe_holder(self) -> str:
        holders = self.holders()
        return holders[0].describe() if holders else "someone whom the lock does not name"

    def _explain(self) -> Fault:
        holders = self.holders()
        text = (
            f"The repository is locked by {self._describe_holder()}; waited {_describe_seconds(self.seconds)}. "
            "If nothing works on it any more, break the lock with a BorgRun of operation BreakLock."
        )
        return Fault(Reason.LOCKED, text, holders[0].host if holders else None)


def _describe_seconds(seconds: int) -> str:
    return f"{seconds} s" if seconds < 2 * _SECONDS_PER_MINUTE else f"{seconds // _SECONDS_PER_MINUTE} min"
