"""Whether a command takes what it is given. Nobody ends one that does not: an index of a database may take hours.

So it is told, where the run's status comes from. Who looks there can ask the database, and cancel.
"""

import datetime as dt
import time
from dataclasses import dataclass, field

from borg_contract.pod import NOTICE_OF_COMMAND
from borg_runner.log import Log
from borg_runner.notice import Notice

PATIENCE_SECONDS = 60.0


@dataclass
class Taking:
    """Watches over one command, the program of that name; `look` is to be called again and again."""

    program: str
    log: Log
    notice: Notice | None
    patience: float = PATIENCE_SECONDS
    _moved: int = field(default=0, init=False)
    _took_at: float = field(default_factory=time.monotonic, init=False)
    _told: bool = field(default=False, init=False)

    def look(self, moved: int, *, is_full: bool, has_all: bool = False) -> None:
        """Tell of a command that has not gone on for too long, and that it does again.

        `moved`: the bytes that it was given by now; `is_full`: there is no room for more until it takes some;
        `has_all`: there is no more.
        """
        now = time.monotonic()
        if moved != self._moved or not (is_full or has_all):
            self._moved, self._took_at = moved, now
            self.end()
        elif not self._told and now - self._took_at >= self.patience:
            self._told = True
            self._tell(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=now - self._took_at), is_full=is_full)

    def end(self) -> None:
        """Say nothing any more."""
        if self._told and self.notice is not None:
            self.notice.clear()
        self._told = False

    def _tell(self, since: dt.datetime, *, is_full: bool) -> None:
        how = (
            f"has taken nothing since {since:%H:%M} UTC"
            if is_full
            else f"has all since {since:%H:%M} UTC, and works on"
        )
        words = (
            f"{NOTICE_OF_COMMAND} {self.program} {how}: it is busy, or waits for a lock, or hangs. There is no limit: "
            "look at what it restores into, and cancel the restore (spec.cancel: true) if it is of no use"
        )
        self.log.say(words)
        if self.notice is not None:
            self.notice.post(words)
