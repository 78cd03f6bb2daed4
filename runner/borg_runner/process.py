"""Runs one child process: output line by line, stdin empty, and an end to it in every case.

Borg and hook scripts differ only in how they are asked to stop, which the caller says as a list of steps.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self

from borg_runner.interruption import Interruption

TICK_SECONDS = 0.2
LINGER_SECONDS = 2.0
"""How long to read on after the process ended, when a child it left behind keeps the pipe open."""
LINE_LIMIT_BYTES = 1 << 20
_READ_BYTES = 1 << 16


class Stream(Enum):
    OUTPUT = "stdout"
    ERROR = "stderr"


@dataclass(frozen=True)
class StopStep:
    """Send `signal`, then wait `patience` seconds before the next step."""

    signal: signal.Signals
    patience: float


@dataclass(frozen=True)
class Exit:
    """How it ended: `code` as in subprocess (negative: killed by that signal)."""

    code: int
    timed_out: bool = False
    interrupted: bool = False


class Plumbing(Protocol):
    """Pipes between a borg process and a command in another container."""

    def open(self) -> tuple[str, int | None]:
        """Return the file that is to be borg's input, and where its output goes (None: to us). Before each process."""

    def begin(self) -> None:
        """Take note that borg has its ends of the pipes."""

    def reads_input(self) -> None:
        """Take note that borg is about to read its input."""

    def must_stop(self) -> bool:
        """Tell whether borg is to be ended, for what it is given or gives is not whole. Asked all the time."""

    def is_at_work(self) -> bool:
        """Tell whether borg waits for the command, if it waits."""

    def end(self) -> None:
        """Take note that borg has ended."""


@dataclass(frozen=True)
class Direct:
    """A file that is borg's input, and a descriptor to which its output goes (None: to us): nothing is to be done."""

    input_path: str
    output_fd: int | None

    def open(self) -> tuple[str, int | None]:
        return self.input_path, self.output_fd

    def begin(self) -> None: ...

    def reads_input(self) -> None: ...

    def must_stop(self) -> bool:
        return False

    def is_at_work(self) -> bool:
        return False

    def end(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run; `merge_errors` sends its stderr where its stdout goes.

    `input_path`: the file that is its stdin. `output_fd`: where its stdout goes, unread here.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str | None = None
    inherited_fds: tuple[int, ...] = ()
    input_path: str = os.devnull
    output_fd: int | None = None
    merge_errors: bool = False
    stop_group: bool = False
    """Signals go to the whole process group. What is left of it after a stop is killed in any case."""


def run_process(
    command: Command,
    *,
    on_line: Callable[[Stream, str], None],
    stop_steps: Callable[[], Sequence[StopStep]],
    on_start: Callable[[int], None] = lambda _pid: None,
    time_left: Callable[[], float] | None = None,
    interruption: Interruption | None = None,
) -> Exit:
    """Run `command` to its end and return how it ended; `on_start` is told its pid.

    It is stopped when `time_left()` is no longer positive or `interruption` is requested; `stop_steps()` is asked for
    at that moment. Raises OSError when it cannot be started.
    """
    with open(command.input_path, "rb") as given:  # noqa: PTH123 - a text, as Popen takes it
        process = subprocess.Popen(  # noqa: S603 - an argument vector, no shell
            list(command.arguments),
            env=dict(command.environment),
            cwd=command.directory,
            pass_fds=command.inherited_fds,
            stdin=given,
            stdout=subprocess.PIPE if command.output_fd is None else command.output_fd,
            stderr=subprocess.STDOUT if command.merge_errors else subprocess.PIPE,
            start_new_session=True,  # a group of its own to signal, and no terminal to prompt on
        )
    on_start(process.pid)
    with process, _Reader(process, on_line) as reader:
        stop = _Stop(process, stop_steps, group=command.stop_group)
        while not reader.finished():
            if interruption is not None and interruption.requested:
                stop.begin("interrupted")
            elif time_left is not None and time_left() <= 0:
                stop.begin("timed out")
            stop.proceed()
        stop.finish()
        code = process.wait()
    return Exit(code, timed_out=stop.cause == "timed out", interrupted=stop.cause == "interrupted")


class _Stop:
    def __init__(
        self, process: subprocess.Popen[bytes], steps: Callable[[], Sequence[StopStep]], *, group: bool
    ) -> None:
        self._process, self._steps, self._group = process, steps, group
        self._pending: list[StopStep] = []
        self._next_at = 0.0
        self.cause = ""

    def begin(self, cause: str) -> None:
        if not self.cause and self._process.poll() is None:
            self.cause = cause
            self._pending = list(self._steps())

    def proceed(self) -> None:
        if self._pending and time.monotonic() >= self._next_at:
            step = self._pending.pop(0)
            self._send(step.signal)
            self._next_at = time.monotonic() + step.patience

    def finish(self) -> None:
        if self.cause:  # its children, of which borg's ssh waits for a server that may never answer
            self._send(signal.SIGKILL, to_group=True)

    def _send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        try:
            if self._group or to_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except ProcessLookupError:
            pass


class _Reader:
    """Reads both pipes without ever blocking on one of them."""

    def __init__(self, process: subprocess.Popen[bytes], on_line: Callable[[Stream, str], None]) -> None:
        self._process, self._on_line = process, on_line
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[Stream, bytes] = {}
        self._ended_at: float | None = None
        for stream, pipe in ((Stream.OUTPUT, process.stdout), (Stream.ERROR, process.stderr)):
            if pipe is not None:
                self._selector.register(pipe.fileno(), selectors.EVENT_READ, stream)
                self._buffers[stream] = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def finished(self) -> bool:
        """Read for at most a tick; return whether the process has ended and all of its output was read."""
        if not self._selector.get_map():
            try:
                self._process.wait(TICK_SECONDS)
            except subprocess.TimeoutExpired:
                return False
            return True
        events = self._selector.select(TICK_SECONDS)
        for key, _ in events:
            self._read(key.fd, key.data)
        if self._process.poll() is None:
            return False
        self._ended_at = self._ended_at or time.monotonic()
        if self._selector.get_map() and events and time.monotonic() < self._ended_at + LINGER_SECONDS:
            return False
        for stream, rest in self._buffers.items():
            if rest:
                self._on_line(stream, _decoded(rest))
        return True

    def _read(self, fd: int, stream: Stream) -> None:
        data = os.read(fd, _READ_BYTES)
        for line in self._lines(stream, data):
            self._on_line(stream, _decoded(line))
        if not data:
            self._selector.unregister(fd)

    def _lines(self, stream: Stream, data: bytes) -> Iterator[bytes]:
        *lines, rest = (self._buffers[stream] + data).split(b"\n")
        yield from lines
        if rest and (not data or len(rest) > LINE_LIMIT_BYTES):
            yield rest
            rest = b""
        self._buffers[stream] = rest


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").rstrip("\r")
