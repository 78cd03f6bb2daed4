"""Drives the `borg` command: one process at a time, arguments as a vector, its words turned into log lines.

The passphrase goes through a pipe of its own for each process (BORG_PASSPHRASE_FD), so it is in no argument, no
environment and no file. SIGINT makes `borg create` write a checkpoint before it ends; SIGTERM ends any borg at once
but in order, locks released.
"""

import datetime as dt
import math
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.pod import GRACE_SECONDS, NOTICE_OF_SERVER, NOTICE_OF_VOLUME
from borg_runner.borg.exit_codes import CONNECTION_CODES
from borg_runner.borg.listener import Listener
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.process import Command, Direct, Plumbing, StopStep, run_process
from borg_runner.ssh.activity import HANG_SECONDS, HangWatch
from borg_runner.ssh.probe import PROBE_SECONDS, ask_ssh
from borg_runner.ssh.silence import PATIENCE, Patience, SilenceWatch
from borg_runner.ssh.words import knows_ssh_words

_CHECKPOINT_PATIENCE = GRACE_SECONDS * 0.6
_ORDERLY_PATIENCE = GRACE_SECONDS * 0.1


@dataclass(frozen=True, kw_only=True)
class Borg:
    """Borg on one repository: its environment, its passphrase, and who listens."""

    environment: Mapping[str, str]
    passphrase: str | None = field(repr=False)
    log: Log
    interruption: Interruption
    probe: tuple[str, ...] = ()
    """The command that tells why a connection failed, see borg_runner.ssh.probe; empty for a local repository."""
    executable: str = "borg"
    on_end: Callable[[], None] = lambda: None
    """Called after each process, however it ended."""
    notice: Notice | None = None
    patience: Patience = PATIENCE
    probe_seconds: float = PROBE_SECONDS
    directory: str | None = None
    """Where it works; None: where the runner does."""
    input_path: str = os.devnull
    output_fd: int | None = None
    """Where its output goes; None: into the outcome."""
    plumbing: Plumbing | None = None
    """In place of the two. What comes through it is whole or nothing: borg writes no checkpoint then."""
    on_start: Callable[[int], None] = lambda _pid: None
    hang_seconds: float = HANG_SECONDS
    """For so long borg does nothing at all, not even look for an answer, before that is told."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        on_note: Callable[[BorgMessage], None] | None = None,
        asks_why: bool = True,
        keeps_notes: bool = True,
    ) -> BorgOutcome:
        """Run borg and return how it ended. Raises OSError when there is no borg to run.

        `asks_why`: whether it is worth another login to know why a connection failed. `keeps_notes`: False where there
        may be very many, for `on_note` alone.
        """
        plumbing = self.plumbing or Direct(self.input_path, self.output_fd)
        listener = Listener(
            log=self.log,
            on_note=on_note,
            on_reading=plumbing.reads_input,
            on_work=self._end_notice,
            keeps_notes=keeps_notes,
        )
        input_path, output_fd = plumbing.open()
        fd = None if self.passphrase is None else _make_pipe(self.passphrase)
        environment = dict(self.environment)
        if fd is not None:
            environment["BORG_PASSPHRASE_FD"] = str(fd)
        watch = self._watch_server()
        hang = HangWatch(on_hang=self._tell_hang, on_life=self._end_notice, patience=self.hang_seconds)

        def begin(pid: int) -> None:
            watch.begin(pid)
            hang.begin(pid)
            plumbing.begin()
            self.on_start(pid)

        def time_left() -> float:
            if plumbing.must_stop():
                return -1.0
            if not plumbing.is_at_work():
                hang.look_again()
            gave_up = self.probe and watch.has_given_up(heard=listener.heard, reading=listener.reads_sources)
            return -1.0 if gave_up else math.inf

        try:
            ending = run_process(
                Command(
                    arguments=(self.executable, *arguments),
                    environment=environment,
                    directory=self.directory,
                    inherited_fds=() if fd is None else (fd,),
                    input_path=input_path,
                    output_fd=output_fd,
                ),
                on_line=listener.hear,
                on_start=begin,
                stop_steps=lambda: self._plan_stop(
                    checkpoint=listener.reads_sources and not watch.gave_up and self.plumbing is None
                ),
                time_left=time_left,
                interruption=self.interruption,
            )
        finally:
            watch.close()
            hang.close()
            plumbing.end()
            self.on_end()
            if fd is not None:
                os.close(fd)
        listener.close()
        is_puzzling = ending.code in CONNECTION_CODES and not knows_ssh_words("\n".join(listener.remote))
        if self.probe and is_puzzling and asks_why:
            listener.hear_ssh(ask_ssh(self.probe, self.environment, self.interruption, seconds=self.probe_seconds))
        return listener.outcome(ending, greeted=watch.greeted)

    def _watch_server(self) -> SilenceWatch:
        return SilenceWatch(on_silence=self._tell_silence, on_word=self._end_notice, patience=self.patience)

    def _tell_silence(self, seconds: float, seconds_left: float) -> None:
        now = dt.datetime.now(dt.UTC)
        since, until = now - dt.timedelta(seconds=seconds), now + dt.timedelta(seconds=seconds_left)
        self._post(
            f"{NOTICE_OF_SERVER} since {since:%H:%M} UTC: it is busy, or hangs. "
            f"If it stays so, borg is ended at {until:%b %d %H:%M} UTC"
        )

    def _tell_hang(self, seconds: float) -> None:
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
        self._post(f"{NOTICE_OF_VOLUME}: borg waits for one since {since:%H:%M} UTC, of a source or of the repository")

    def _post(self, words: str) -> None:
        self.log.say(words)
        if self.notice is not None:
            self.notice.post(words)

    def _end_notice(self) -> None:
        if self.notice is not None:
            self.notice.clear()

    def _plan_stop(self, *, checkpoint: bool) -> tuple[StopStep, ...]:
        self.log.say("shutting down: borg writes a checkpoint" if checkpoint else "shutting down: borg ends")
        gentle = (StopStep(signal.SIGINT, _CHECKPOINT_PATIENCE),) if checkpoint else ()
        return (*gentle, StopStep(signal.SIGTERM, _ORDERLY_PATIENCE), StopStep(signal.SIGKILL, 1.0))


def _make_pipe(passphrase: str) -> int:
    """Return the readable end of a pipe that holds `passphrase`; it fits into the pipe's buffer, so nobody waits."""
    readable, writable = os.pipe()
    with os.fdopen(writable, "wb") as pipe:
        pipe.write(passphrase.encode())
    return readable
