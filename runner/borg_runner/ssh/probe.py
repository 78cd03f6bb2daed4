"""Asks ssh itself why a connection failed.

Borg gives up as soon as ssh closes its output, and then often has not read what ssh said. So the same ssh is run once
more, only after such a failure, for nothing but `borg --version` on the server.
"""

import re
import shlex
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_runner.interruption import Interruption
from borg_runner.process import Command, StopStep, Stream, run_process

PROBE_SECONDS = 45.0

_STOP_STEPS = (StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 1.0))
_NOT_FOUND = 127
_OF_SSH_ITSELF = 255
_URL = re.compile(r"ssh://(?:(?P<user>[^@/]*)@)?(?:\[(?P<ipv6>[^\]/]*)\]|(?P<host>[^:/]*))(?::(?P<port>\d+))?(?:/|$)")


def make_probe_arguments(repository: RepositoryPlan, rsh: str) -> tuple[str, ...]:
    """Return the arguments that reach the repository's server as borg does, and ask borg there for its version.

    Empty for a location that is no ssh:// URL.
    """
    url = _URL.match(repository.location)
    if url is None:
        return ()
    port = ("-p", url["port"]) if url["port"] else ()
    host = url["ipv6"] or url["host"] or ""
    target = f"{url['user']}@{host}" if url["user"] else host
    return (*shlex.split(rsh), *port, target, repository.remote_path or "borg", "--version")


@dataclass(frozen=True)
class Answer:
    """What ssh and the server said, nothing when the connection works."""

    lines: tuple[str, ...] = ()
    silent: bool = False
    """Nothing came back in time."""
    refused: bool = False
    """The server let the key in, and what it started there failed."""


def ask_ssh(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    interruption: Interruption,
    *,
    seconds: float = PROBE_SECONDS,
) -> Answer:
    """Return what comes back within `seconds` from a server that is asked for borg's version."""
    lines: list[str] = []
    deadline = time.monotonic() + seconds

    def on_line(_stream: Stream, line: str) -> None:
        lines.append(line)

    try:
        ending = run_process(
            Command(arguments=arguments, environment=environment),
            on_line=on_line,
            stop_steps=lambda: _STOP_STEPS,
            time_left=lambda: deadline - time.monotonic(),
            interruption=interruption,
        )
    except OSError as error:
        return Answer((str(error),))
    if ending.code == 0:
        return Answer()
    if ending.code == _NOT_FOUND:
        lines.append("command not found")
    return Answer(tuple(lines), silent=ending.timed_out, refused=0 < ending.code < _OF_SSH_ITSELF)
