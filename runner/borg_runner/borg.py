"""Drives the `borg` command: one process at a time, arguments as a vector, its words turned into log lines.

The passphrase goes through a pipe of its own for each process (BORG_PASSPHRASE_FD), so it is in no argument, no
environment and no file. SIGINT makes `borg create` write a checkpoint before it ends; SIGTERM ends any borg at once
but in order, locks released.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from borg_contract.plan import RepositoryPlan
from borg_contract.pod import GRACE_SECONDS
from borg_runner.borg_message import BorgMessage, parse_message
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.process import Command, StopStep, Stream, run_process
from borg_runner.reasons import CONNECTION_CODES, derive_exit_code, knows_ssh_words
from borg_runner.ssh_probe import ask_ssh

PROGRESS_SECONDS = 5.0
KEPT_WARNINGS = 50
LOGGED_WARNINGS = 1000
"""A volume full of unreadable files must not become a log of millions of lines."""

_CHECKPOINT_PATIENCE = GRACE_SECONDS * 0.6
_ORDERLY_PATIENCE = GRACE_SECONDS * 0.1


@dataclass(frozen=True)
class BorgOutcome:
    """How one borg process ended. `errors` and `remote` in the order in which they were said."""

    exit_code: int
    output: str = ""
    warnings: tuple[str, ...] = ()
    warning_count: int = 0
    errors: tuple[BorgMessage, ...] = ()
    remote: tuple[str, ...] = ()
    notes: tuple[BorgMessage, ...] = ()
    interrupted: bool = False

    @property
    def warned(self) -> bool:
        return self.exit_code == 1 or 100 <= self.exit_code <= 127  # noqa: PLR2004 - borg's modern warnings

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0 or self.warned


def make_connection_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the options that every borg verb takes."""
    arguments = ["--log-json", "--lock-wait", str(lock_wait)]
    if repository.remote_path:
        arguments += ["--remote-path", escape_placeholders(repository.remote_path)]
    if repository.upload_rate_limit_kib:
        arguments += ["--upload-ratelimit", str(repository.upload_rate_limit_kib)]
    return arguments


def escape_placeholders(text: str) -> str:
    """Return `text` so that borg, which expands {hostname} and the like nearly everywhere, takes it literally."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Borg:
    """Borg on one repository: its environment, its passphrase, and who listens."""

    environment: dict[str, str]
    passphrase: str | None
    log: Log
    interruption: Interruption
    probe: tuple[str, ...] = ()
    """The command that tells why a connection failed, see borg_runner.ssh_probe."""
    executable: str = "borg"

    def run(self, arguments: Sequence[str], *, on_note: Callable[[BorgMessage], None] | None = None) -> BorgOutcome:
        """Run borg and return how it ended. Raises OSError when there is no borg to run."""
        listener = _Listener(self.log, on_note)
        fd = None if self.passphrase is None else _make_pipe(self.passphrase)
        environment = dict(self.environment)
        if fd is not None:
            environment["BORG_PASSPHRASE_FD"] = str(fd)
        try:
            ending = run_process(
                Command((self.executable, *arguments), environment, inherited_fds=() if fd is None else (fd,)),
                on_line=listener.hear,
                stop_steps=listener.stop_steps,
                interruption=self.interruption,
            )
        finally:
            if fd is not None:
                os.close(fd)
        listener.close()
        if self.probe and ending.code in CONNECTION_CODES and not knows_ssh_words("\n".join(listener.remote)):
            for line in ask_ssh(self.probe, self.environment, self.interruption):
                listener.remote.append(line)
                self.log.say(line, "  ssh: ")
        return BorgOutcome(
            derive_exit_code(ending.code, (error.msgid for error in listener.errors)),
            "\n".join(listener.output),
            tuple(listener.warnings),
            listener.warning_count,
            tuple(listener.errors),
            tuple(listener.remote),
            tuple(listener.notes),
            ending.interrupted,
        )


def _make_pipe(passphrase: str) -> int:
    """Return the readable end of a pipe that holds `passphrase`; it fits into the pipe's buffer, so nobody waits."""
    readable, writable = os.pipe()
    with os.fdopen(writable, "wb") as pipe:
        pipe.write(passphrase.encode())
    return readable


@dataclass
class _Listener:
    """Hears borg's lines: keeps what the result needs, tells the log what people need."""

    log: Log
    on_note: Callable[[BorgMessage], None] | None
    output: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    warning_count: int = 0
    errors: list[BorgMessage] = field(default_factory=list)
    remote: list[str] = field(default_factory=list)
    notes: list[BorgMessage] = field(default_factory=list)
    checkpoints: bool = False
    said_at: float = field(default_factory=time.monotonic)

    def hear(self, stream: Stream, line: str) -> None:
        if stream is Stream.OUTPUT:
            self.output.append(line)
            return
        message = parse_message(line)
        if message.kind == "archive_progress":
            self.checkpoints = True  # from here on SIGINT makes borg write a checkpoint
        if message.progress:
            self._show_progress(message.progress)
        elif message.text and message.kind == "log_message":
            self._keep(message)

    def stop_steps(self) -> tuple[StopStep, ...]:
        gentle = (StopStep(signal.SIGINT, _CHECKPOINT_PATIENCE),) if self.checkpoints else ()
        self.log.say("asked to stop: borg writes a checkpoint" if gentle else "asked to stop: borg ends")
        return (*gentle, StopStep(signal.SIGTERM, _ORDERLY_PATIENCE), StopStep(signal.SIGKILL, 1.0))

    def close(self) -> None:
        if self.warning_count > LOGGED_WARNINGS:
            self.log.say(f"… and {self.warning_count - LOGGED_WARNINGS:,} more warnings")

    def _keep(self, message: BorgMessage) -> None:
        if message.logger == "root" and message.text.startswith("Remote: "):  # ssh or a shell, not the server's borg
            self.remote.append(message.text.removeprefix("Remote: "))
            self.log.say(message.text, "  ")
        elif message.is_warning:
            self.warning_count += 1
            if self.warning_count <= KEPT_WARNINGS:
                self.warnings.append(message.text)
            if self.warning_count <= LOGGED_WARNINGS:
                self.log.say(message.text, "  warning: ")
        elif message.is_error:
            self.errors.append(message)
            # An error that has a name is told by the fault made of it.
            if message.msgid in ("", "Exception") or "Traceback" in message.text:
                self.log.say(message.text, "  error: ")
        else:
            self.notes.append(message)
            if self.on_note is not None:
                self.on_note(message)

    def _show_progress(self, text: str) -> None:
        now = time.monotonic()
        if now - self.said_at >= PROGRESS_SECONDS:
            self.said_at = now
            self.log.say(text, "  ")
