"""Hears borg's lines: keeps what the result needs, tells the log what people need."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

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
    errors: list[BorgMessage] = field(default_factory=list)
    last_errors: deque[BorgMessage] = field(default_factory=lambda: deque(maxlen=LAST_ERRORS))
    error_count: int = 0
    error_room: int = KEPT_ERROR_CHARACTERS
    first_remote: list[str] = field(default_factory=list)
    last_remote: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_REMOTE))
    remote_count: int = 0
    remote_room: int = KEPT_REMOTE_CHARACTERS
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
        return (*self.first_remote, *self.last_remote)

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
        if self.error_count > LOGGED_ERRORS:
            self.log.say(f"… of {self.error_count:,} errors, the first {LOGGED_ERRORS:,} are shown")
        if self.remote_count > LOGGED_REMOTE:
            self.log.say(f"… of {self.remote_count:,} lines of the server, the first {LOGGED_REMOTE:,} are shown")

    def outcome(self, ending: Exit, *, greeted: bool = True) -> BorgOutcome:
        """Return how the process ended, with all that it said."""
        errors = (*self.errors, *self.last_errors)
        return BorgOutcome(
            exit_code=derive_exit_code(ending.code, (error.msgid for error in errors)),
            output="\n".join(self.output),
            warnings=tuple(self.warnings),
            warning_count=self.warning_count,
            errors=errors,
            errors_not_kept=self.error_count - len(errors),
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
            self._keep_error(message)
            # An error that has a name is told by the fault made of it.
            if self.error_count > LOGGED_ERRORS:
                return
            if message.msgid in ("", "Exception") or "Traceback" in message.text:
                self.log.say(message.text, "  error: ")
        else:
            if self.keeps_notes:
                self.notes.append(message)
            if self.on_note is not None:
                self.on_note(message)

    def _keep_error(self, message: BorgMessage) -> None:
        self.error_count += 1
        self.error_room -= len(message.text)
        (self.errors if self.error_room >= 0 else self.last_errors).append(message)

    def _keep_remote(self, line: str, text: str, prefix: str) -> None:
        self.remote_count += 1
        self.remote_room -= len(line)
        (self.first_remote if self.remote_room >= 0 else self.last_remote).append(line)
        if self.remote_count <= LOGGED_REMOTE:
            self.log.say(text, prefix)

    def _show_progress(self, text: str) -> None:
        now = time.monotonic()
        if now - self.said_at >= PROGRESS_SECONDS:
            self.said_at = now
            self.log.say(text, "  ")
