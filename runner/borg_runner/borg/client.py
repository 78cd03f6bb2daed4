"""Drives the `borg` command: one process at a time, arguments as a vector, its words turned into log lines.

The passphrase goes through a pipe of its own for each process (BORG_PASSPHRASE_FD), so it is in no argument, no
environment and no file. SIGINT makes `borg create` write a checkpoint before it ends; SIGTERM ends any borg at once
but in order, locks released.
"""

import math
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.pod import GRACE_SECONDS, NOTICE_OF_SERVER
from borg_runner.borg.exit_codes import CONNECTION_CODES
from borg_runner.borg.listener import Listener
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.process import Command, StopStep, run_process
from borg_runner.ssh.probe import PROBE_SECONDS, Answer, ask_ssh
from borg_runner.ssh.silence import SilenceWatch
from borg_runner.ssh.words import knows_ssh_words

_CHECKPOINT_PATIENCE = GRACE_SECONDS * 0.6
_ORDERLY_PATIENCE = GRACE_SECONDS * 0.1

SILENCE_SECONDS = 90.0
"""Longer than borg waits for a lock in silence."""


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
    silence_seconds: float = SILENCE_SECONDS
    probe_seconds: float = PROBE_SECONDS

    def run(self, arguments: Sequence[str], *, on_note: Callable[[BorgMessage], None] | None = None) -> BorgOutcome:
        """Run borg and return how it ended. Raises OSError when there is no borg to run."""
        listener = Listener(log=self.log, on_note=on_note)
        fd = None if self.passphrase is None else _make_pipe(self.passphrase)
        environment = dict(self.environment)
        if fd is not None:
            environment["BORG_PASSPHRASE_FD"] = str(fd)
        watch = self._watch_server()
        try:
            ending = run_process(
                Command(
                    arguments=(self.executable, *arguments),
                    environment=environment,
                    inherited_fds=() if fd is None else (fd,),
                ),
                on_line=listener.hear,
                stop_steps=lambda: self._plan_stop(checkpoint=listener.checkpoints),
                time_left=lambda: -1.0 if watch and watch.has_given_up(spoke=listener.spoke) else math.inf,
                interruption=self.interruption,
            )
        finally:
            if watch:
                watch.close()
            self.on_end()
            if fd is not None:
                os.close(fd)
        listener.close()
        if self.probe and ending.code in CONNECTION_CODES and not knows_ssh_words("\n".join(listener.remote)):
            listener.hear_ssh(self._ask_server())
        return listener.outcome(ending)

    def _ask_server(self) -> Answer:
        return ask_ssh(self.probe, self.environment, self.interruption, seconds=self.probe_seconds)

    def _watch_server(self) -> SilenceWatch | None:
        if not self.probe:
            return None
        return SilenceWatch(
            ask=self._ask_server,
            on_silence=self._tell_silence,
            on_word=lambda: self.notice.clear() if self.notice else None,
            patience=self.silence_seconds,
        )

    def _tell_silence(self) -> None:
        words = f"{NOTICE_OF_SERVER} and says nothing: it is asked once more, then borg is ended"
        self.log.say(words)
        if self.notice is not None:
            self.notice.post(words)

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
