"""Hears borg's lines: keeps what the result needs, tells the log what people need."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from borg_runner.borg.exit_codes import derive_exit_code
from borg_runner.borg.message import BorgMessage, parse_message
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.log import Log
from borg_runner.process import Exit, Stream
from borg_runner.ssh.probe import Answer

PROGRESS_SECONDS = 5.0
KEPT_WARNINGS = 50
LOGGED_WARNINGS = 1000
"""A volume full of unreadable files must not become a log of millions of lines."""
LOGGED_ERRORS = 1000
KEPT_ERROR_CHARACTERS = 4_000_000
"""A badly damaged repository gives an error for each object. Of what comes after so many, the last are kept."""
LAST_ERRORS = 50
"""Among them borg says what it ended with."""
LOGGED_REMOTE = 1000
KEPT_REMOTE_CHARACTERS = 1_000_000
"""A server that prints and prints must not cost the pod its memory. Of what comes after so many, the last are kept."""
LAST_REMOTE = 50

_REMOTE = "Remote: "

_T = TypeVar("_T")


class _Kept(Generic[_T]):
    """The first things that were said, as long as there is room for so many characters, and the `last` after these."""

    def __init__(self, room: int, last: int) -> None:
        self._room = room
        self._first: list[_T] = []
        self._last: deque[_T] = deque(maxlen=last)
        self.count = 0
        """Of all that were said."""

    def take(self, item: _T, size: int) -> None:
        self.count += 1
        self._room -= size
        (self._first if self._room >= 0 else self._last).append(item)

    @property
    def items(self) -> tuple[_T, ...]:
        return (*self._first, *self._last)


@dataclass(kw_only=True)
class Listener:
    """Everything that one borg process said so far."""

    log: Log
    on_note: Callable[[BorgMessage], None] | None = None
    on_reading: Callable[[], None] = lambda: None
    """Called when borg is about to read its input."""
    on_work: Callable[[], None] = lambda: None
    """Called once, when what borg says shows that it has its locks and is at work."""
    keeps_notes: bool = True
    output: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    warning_count: int = 0
    errors: _Kept[BorgMessage] = field(default_factory=lambda: _Kept(KEPT_ERROR_CHARACTERS, LAST_ERRORS))
    said_remotely: _Kept[str] = field(default_factory=lambda: _Kept(KEPT_REMOTE_CHARACTERS, LAST_REMOTE))
    notes: list[BorgMessage] = field(default_factory=list)
    refused: bool = False
    reads_sources: bool = False
    """Borg reads the sources: from here on SIGINT makes it write a checkpoint."""
    at_work: bool = False
    said_at: float = field(default_factory=time.monotonic)
    heard: int = 0
    """Bytes that borg has said."""

    @property
    def remote(self) -> tuple[str, ...]:
        """What ssh, or a shell over there, said: the first lines and the last."""
        return self.said_remotely.items

    def hear(self, stream: Stream, line: str) -> None:
        self.heard += len(line.encode("utf-8", "replace")) + 1
        message = None if stream is Stream.OUTPUT else parse_message(line)
        if not self.at_work and (message is None or message.tells_of_work):
            self.at_work = True
            self.on_work()
        if message is None:
            self.output.append(line)
            return
        if message.kind == "archive_progress" or message.reads_input:
            self.reads_sources = True
        if message.progress:
            self._show_progress(message.progress)
        elif message.text and message.kind == "log_message":
            self._keep(message)
        elif message.reads_input:
            self.on_reading()
        elif message.excluded and self.on_note is not None:
            self.on_note(message)  # there may be very many: nobody else wants them

    def hear_ssh(self, answer: Answer) -> None:
        """Take what ssh said when it was asked once more."""
        self.refused = answer.refused
        for line in answer.lines:
            self._keep_remote(line, line, "  ssh: ")

    def close(self) -> None:
        """Say how many warnings the log does not show."""
        if self.warning_count > LOGGED_WARNINGS:
            self.log.say(f"… and {self.warning_count - LOGGED_WARNINGS:,} more warnings")
        if self.errors.count > LOGGED_ERRORS:
            self.log.say(f"… of {self.errors.count:,} errors, the first {LOGGED_ERRORS:,} are shown")
        if (count := self.said_remotely.count) > LOGGED_REMOTE:
            self.log.say(f"… of {count:,} lines of the server, the first {LOGGED_REMOTE:,} are shown")

    def outcome(self, ending: Exit, *, greeted: bool = True) -> BorgOutcome:
        """Return how the process ended, with all that it said."""
        errors = self.errors.items
        return BorgOutcome(
            exit_code=derive_exit_code(ending.code, (error.msgid for error in errors)),
            output="\n".join(self.output),
            warnings=tuple(self.warnings),
            warning_count=self.warning_count,
            errors=errors,
            errors_not_kept=self.errors.count - len(errors),
            remote=self.remote,
            notes=tuple(self.notes),
            interrupted=ending.interrupted,
            refused=self.refused,
            unanswered=ending.timed_out,
            greeted=greeted,
        )

    def _keep(self, message: BorgMessage) -> None:
        if message.logger == "root" and message.text.startswith(_REMOTE):  # ssh or a shell, not the server's borg
            self._keep_remote(message.text.removeprefix(_REMOTE), message.text, "  ")
        elif message.is_warning:
            self.warning_count += 1
            if self.warning_count <= KEPT_WARNINGS:
                self.warnings.append(message.gist)
            if self.warning_count <= LOGGED_WARNINGS:
                self.log.say(message.text, "  warning: ")
        elif message.is_error:
            self.errors.take(message, len(message.text))
            # An error that has a name is told by the fault made of it.
            if self.errors.count > LOGGED_ERRORS:
                return
            if message.msgid in ("", "Exception") or "Traceback" in message.text:
                self.log.say(message.text, "  error: ")
        else:
            if self.keeps_notes:
                self.notes.append(message)
            if self.on_note is not None:
                self.on_note(message)

    def _keep_remote(self, line: str, text: str, prefix: str) -> None:
        self.said_remotely.take(line, len(line))
        if self.said_remotely.count <= LOGGED_REMOTE:
            self.log.say(text, prefix)

    def _show_progress(self, text: str) -> None:
        now = time.monotonic()
        if now - self.said_at >= PROGRESS_SECONDS:
            self.said_at = now
            self.log.say(text, "  ")
