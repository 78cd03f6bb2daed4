"""Drives the `borg` command: one process at a time, arguments as a vector, its words turned into log lines.

The passphrase goes through a pipe of its own for each process (BORG_PASSPHRASE_FD), so it is in no argument, no
environment and no file. SIGINT makes `borg create` write a checkpoint before it ends; SIGTERM ends any borg at once
but in order, locks released.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.pod import GRACE_SECONDS
from borg_runner.borg.exit_codes import CONNECTION_CODES
from borg_runner.borg.listener import Listener
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.process import Command, StopStep, run_process
from borg_runner.ssh.probe import ask_ssh
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

    def run(self, arguments: Sequence[str], *, on_note: Callable[[BorgMessage], None] | None = None) -> BorgOutcome:
        """Run borg and return how it ended. Raises OSError when there is no borg to run."""
        listener = Listener(log=self.log, on_note=on_note)
        fd = None if self.passphrase is None else _make_pipe(self.passphrase)
        environment = dict(self.environment)
        if fd is not None:
            environment["BORG_PASSPHRASE_FD"] = str(fd)
        try:
            ending = run_process(
                Command(
                    arguments=(self.executable, *arguments),
                    environment=environment,
                    inherited_fds=() if fd is None else (fd,),
                ),
                on_line=listener.hear,
                stop_steps=lambda: self._plan_stop(checkpoint=listener.checkpoints),
                interruption=self.interruption,
            )
        finally:
            if fd is not None:
                os.close(fd)
        listener.close()
        if self.probe and ending.code in CONNECTION_CODES and not knows_ssh_words("\n".join(listener.remote)):
            for line in ask_ssh(self.probe, self.environment, self.interruption):
                listener.hear_ssh(line)
        return listener.outcome(ending)

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
