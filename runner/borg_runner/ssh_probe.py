"""Asks ssh itself why a connection failed.

Borg gives up as soon as ssh closes its output, and then often has not read what ssh said. So the same ssh is run once
more, only after such a failure, for nothing but `borg --version` on the server.
"""

import shlex
import time
import urllib.parse
from collections.abc import Mapping

from borg_contract.plan import RepositoryPlan
from borg_runner.interruption import Interruption
from borg_runner.process import Command, Stream, run_process
from borg_runner.ssh import STOP_STEPS

PROBE_SECONDS = 45.0
_NOT_FOUND = 127


def make_probe_arguments(repository: RepositoryPlan, rsh: str) -> tuple[str, ...]:
    """Return the arguments that reach the repository's server as borg does, and ask borg there for its version."""
    url = urllib.parse.urlsplit(repository.location)
    port = ("-p", str(url.port)) if url.port else ()
    host = url.hostname or ""
    target = f"{url.username}@{host}" if url.username else host
    return (*shlex.split(rsh), *port, target, repository.remote_path or "borg", "--version")


def ask_ssh(arguments: tuple[str, ...], environment: Mapping[str, str], interruption: Interruption) -> tuple[str, ...]:
    """Return what ssh and the server said, no lines when they have nothing to say."""
    lines: list[str] = []
    deadline = time.monotonic() + PROBE_SECONDS

    def on_line(_stream: Stream, line: str) -> None:
        lines.append(line)

    try:
        ending = run_process(
            Command(arguments, environment),
            on_line=on_line,
            stop_steps=lambda: STOP_STEPS,
            time_left=lambda: deadline - time.monotonic(),
            interruption=interruption,
        )
    except OSError as error:
        return (str(error),)
    if ending.code == 0:
        return ()
    if ending.code == _NOT_FOUND:
        lines.append("command not found")
    return tuple(lines)
