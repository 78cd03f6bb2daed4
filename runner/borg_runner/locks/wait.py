"""Waiting for a repository's lock within a bound, naming who holds it, and removing the locks of holders proven dead.

Borg polls a lock every tenth of its `--lock-wait`, at most once a minute; several short waits notice a free lock
sooner than one long wait, and between them log and status can say what is going on.
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from borg_contract.pod import NOTICE_OF_LOCK
from borg_contract.reasons import Reason
from borg_runner.borg.client import Borg
from borg_runner.borg.exit_codes import LOCK_TIMEOUT
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.locks.holder import Holder
from borg_runner.locks.reading import find_lock_folders, read_exclusive_since, read_holders
from borg_runner.locks.removal import remove_dead_locks
from borg_runner.log import Log
from borg_runner.notice import Notice

_FIRST_WAIT_SECONDS = 10
_NEXT_WAIT_SECONDS = 20
"""After each of them it is told anew who holds the lock."""
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
    dead_holders: frozenset[str]
    log: Log
    notice: Notice | None = None
    waited: float = 0.0

    def run(
        self,
        borg: Borg,
        make_arguments: Callable[[int], list[str]],
        *,
        seconds: int | None = None,
        on_note: Callable[[BorgMessage], None] | None = None,
        asks_why: bool = True,
    ) -> BorgOutcome:
        """Run borg with the arguments for each `--lock-wait`, until it had the lock.

        `seconds`: the bound, if it is to be a lower one. `asks_why`: see `Borg.run`. Raises FaultError with reason
        Locked when the lock is not free within the bound.
        """
        bound = self.seconds if seconds is None else min(seconds, self.seconds)

        def run(lock_wait: int) -> BorgOutcome:
            return borg.run(make_arguments(lock_wait), on_note=on_note, asks_why=asks_why)

        try:
            return self._wait_and_run(run, bound)
        finally:
            if self.notice is not None:
                self.notice.clear()

    def _wait_and_run(self, run: Callable[[int], BorgOutcome], seconds: int) -> BorgOutcome:
        deadline = time.monotonic() + seconds
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        patience, has_waited = _FIRST_WAIT_SECONDS, False
        while True:
            self.remove_dead()
            began = time.monotonic()
            left = int(deadline - began)
            try:
                outcome = run(max(0, min(left, patience)))
            except FaultError as error:  # of what is looked at anew before each attempt
                if error.fault.reason is Reason.INTERRUPTED and has_waited:
                    raise FaultError(self._explain_stop()) from error
                raise
            if outcome.interrupted and not outcome.succeeded and has_waited and self.holders():
                raise FaultError(self._explain_stop())
            if outcome.exit_code != LOCK_TIMEOUT or outcome.interrupted:
                return outcome
            self.waited += time.monotonic() - began
            left = int(deadline - time.monotonic())
            if left <= 0:
                raise FaultError(self._explain(seconds))
            self.log.say(f"locked by {self._describe_holder()}: waiting, for at most {_describe_seconds(left)} more")
            if self.notice is not None:
                # No seconds that are left: the same words are one Event, and no write of the status.
                self.notice.post(f"{NOTICE_OF_LOCK} {self._describe_holder(full=True)}: waits until {until:%H:%M} UTC")
            patience, has_waited = _NEXT_WAIT_SECONDS, True

    def holders(self) -> list[Holder]:
        """Return who holds a lock, as far as the locks can be read."""
        try:
            return [holder for folder in self._folders() for holder in read_holders(folder)]
        except OSError:
            return []  # borg says better what is wrong with the folder

    def remove_dead(self) -> None:
        """Remove the locks that holders proven dead left behind, and what ended processes of this pod did."""
        try:
            for folder in self._folders():
                for holder in remove_dead_locks(folder, self.dead_holders, host_id=self.host_id):
                    self.log.say(f"removed the lock that {holder.describe()} left behind: its process is gone")
        except OSError as error:
            self.log.say(f"locks left behind could not be removed: {error}")

    def _folders(self) -> list[Path]:
        return find_lock_folders(self.location, self.base_dir)

    @property
    def _is_remote(self) -> bool:
        return not self.location.startswith("/")

    def _describe_holder(self, *, full: bool = False) -> str:
        """Return who holds the lock, with `full` a pod of ours as the lock has it too, for the operator."""
        if holders := self.holders():
            host = f" ({holders[0].host})" if full and holders[0].is_ours else ""
            return f"{holders[0].describe()}{host}"
        if self._is_remote:
            return "another client, or a borg serve that its client has left: over SSH the lock does not say"
        return "someone whom the lock does not name"

    def _since(self) -> dt.datetime | None:
        seconds = next(filter(None, map(read_exclusive_since, self._folders())), None)
        return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)

    def _explain_stop(self) -> Fault:
        holders = self.holders()
        text = (
            f"The pod was stopped while it waited for the lock: the repository is locked by {self._describe_holder()}."
        )
        return Fault(Reason.INTERRUPTED, text, holders[0].host if holders else None)

    def _explain(self, seconds: int) -> Fault:
        holders = self.holders()
        since = "" if (time_ := self._since()) is None else f" since {time_:%b %d %H:%M} UTC"
        waited = _describe_seconds(seconds)
        text = f"The repository is locked by {self._describe_holder()}{since}; waited {waited}. "
        if self._is_remote and not holders:
            text += (
                "Look on the server: the file in lock.exclusive names host and process. If that borg serve is gone "
                "(with its container, say), or its client is, create a BorgRun of operation BreakLock. How a server "
                "keeps such locks away: Locks in docs/ssh-providers.md."
            )
        elif holders and all(holder.is_ours for holder in holders):
            text += (
                "It is free once that has ended. Of one that died its operator removes the lock; where that is gone "
                "too, a BorgRun of operation BreakLock does."
            )
        else:
            text += "If nothing works on it any more, break the lock with a BorgRun of operation BreakLock."
        return Fault(Reason.LOCKED, text, holders[0].host if holders else None)


def _describe_seconds(seconds: int) -> str:
    return f"{seconds} s" if seconds < 2 * _SECONDS_PER_MINUTE else f"{seconds // _SECONDS_PER_MINUTE} min"
