"""A command of another container at work, and the bytes between it and borg.

Whoever reads takes the end of the pipe for the end of the data. So the pipe is ended by us alone, once the side that
writes has said that it succeeded: what broke off never looks whole to the side that reads. And as by a shell's pipe, a
command's output is read to its end, whoever writes it, before anybody is ended by us.
"""

import contextlib
import fcntl
import os
import select
import termios
import threading
import time
from array import array
from enum import Enum

from borg_runner.log import Log, Tail
from borg_runner.process import LINE_LIMIT_BYTES
from borg_runner.streams.container import Container

_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_TICK = 0.2
_LINGER_SECONDS = 5.0
"""How long to hear what something that it left running has to say, once all else is known."""
SILENCE_SECONDS = 60.0
"""How long nothing may be written once the command has ended, when something that it left running might write."""
_STOP_SECONDS = 15.0
"""The helper kills what does not end ten seconds after it was asked to."""


class Direction(Enum):
    FROM_COMMAND = "borg reads what the command writes"
    TO_COMMAND = "the command reads what borg writes"


class Exchange(threading.Thread):
    """Runs the command once. `end` is our end of the pipe to borg, which is closed here."""

    def __init__(self, container: Container, direction: Direction, end: int, log: Log) -> None:
        super().__init__(name=f"stream {container.plan.name}", daemon=True)
        self.container, self.moved = container, 0
        self.broken = False
        """Whether the side that reads has gone before it had read all."""
        self.is_read = False
        """Whether the end of what the side that writes had to write was seen."""
        self.said = ""
        """How the command ended, as the helper says it; empty before that, and when its container has gone."""
        self.has_ended = False
        """Whether nothing is left of the command and its group."""
        self.is_full = False
        """Whether there is no room for more until the side that reads takes some."""
        self.lingers = False
        self._direction, self._end, self._log = direction, end, log
        self._tail, self._rest = Tail(), b""
        self._is_told, self._asked_to_stop = threading.Event(), threading.Event()
        self._settled_at: float | None = None
        """Since when it is known whether it did all that it was to do."""
        self._last_life = time.monotonic()
        self._ends_rest = False
        command_end, own_end = os.pipe() if direction is Direction.TO_COMMAND else reversed(os.pipe())
        self._errors, errors = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            if direction is Direction.TO_COMMAND:
                container.go(command_end, nothing, errors)
            else:
                container.go(nothing, command_end, errors)
        except OSError:
            self.has_ended = True
        finally:
            for given in (command_end, errors, nothing):
                os.close(given)
        self._source, self._sink = (end, own_end) if direction is Direction.TO_COMMAND else (own_end, end)
        for pipe in (self._source, self._sink):
            with contextlib.suppress(OSError):  # the user has many pipes already: smaller ones do
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def succeeded(self) -> bool:
        return self.said == "exited 0"

    @property
    def is_whole(self) -> bool:
        """Whether the command, which has ended, wrote something and did all that it was to do."""
        is_given = self.succeeded and self.is_read and self.moved > 0
        return is_given and not (self.lingers or self.broken or self.was_stopped)

    @property
    def last_words(self) -> str:
        return self._tail.text()

    @property
    def was_stopped(self) -> bool:
        """Whether it was asked to end before it, and who works for it, had ended by themselves."""
        return self._asked_to_stop.is_set()

    def tell_whole(self) -> None:
        """Let the command know that it was given everything."""
        self._is_told.set()

    def stop(self) -> None:
        """End the command: what it was to write or read is of no use any more."""
        if self._settled_at is None:
            self._asked_to_stop.set()
        if not self.has_ended:
            self.container.stop()

    def run(self) -> None:
        """Attend to the pipes until the command has ended and all was read."""
        is_done = False
        try:
            self._attend()
            is_done = True
        finally:  # whatever went wrong: what is not told to be whole is not
            if not is_done:
                self._give_up()
            self._take_line(self._rest)
            for end in (self._source, self._errors):
                os.close(end)
            if self.has_ended if self._direction is Direction.TO_COMMAND else self.is_whole:
                self._close_sink()

    def _attend(self) -> None:
        open_ends = {self._source, self._errors}
        line = -1 if self.has_ended else self.container.fileno()
        while open_ends or not self.has_ended:
            waited_for = (open_ends - {self._source} if self.is_full else open_ends) | (
                set() if self.has_ended else {line}
            )
            ready, room, _ = select.select(list(waited_for), [self._sink] if self.is_full else [], [], _TICK)
            self.is_full = self.is_full and not room
            for end in open_ends.intersection(ready):
                try:
                    goes_on = self._move() if end == self._source else self._hear()
                except BlockingIOError:  # the other end is to be attended to meanwhile
                    self.is_full = True
                    continue
                if not goes_on:
                    open_ends.discard(end)
            if line in ready:
                self._hear_helper()
            if ready or room or self.is_full:  # where it is full, it is the other side that is slow
                self._last_life = time.monotonic()
            if self._direction is Direction.TO_COMMAND and self._source not in open_ends:
                self._end_input()
            if self.said or self.has_ended:
                open_ends -= self._leave_behind(open_ends)

    def _give_up(self) -> None:
        """End the command, which would take a part for the whole if it saw the end of that before."""
        self.broken = self.broken or self._direction is Direction.TO_COMMAND
        self.container.stop()
        until = time.monotonic() + _STOP_SECONDS
        while not self.has_ended and time.monotonic() < until:
            if select.select([self.container.fileno()], [], [], _TICK)[0]:
                self._hear_helper()

    def _end_input(self) -> None:
        """Let the command see the end of what it was given, all of which is in the pipe, once it has taken that."""
        if self._sink < 0:
            return
        if _count_bytes(self._sink):
            is_left = self.has_ended or _has_no_reader(self._sink)
            self.broken = self.broken or (is_left and not self.was_stopped)
        elif self._is_told.is_set():
            self._close_sink()

    def _hear_helper(self) -> None:
        words = self.container.hear()
        for word in words:
            if word == "gone":
                self.has_ended = True
            else:
                self.said = word
        if not words:  # who wrote for the command was killed along with the container
            self.said, self.has_ended = "", True

    def _leave_behind(self, open_ends: set[int]) -> set[int]:
        """Return which ends need not be attended to any more, the command having ended; end what it left running."""
        now, dropped = time.monotonic(), set[int]()
        writes = self._direction is Direction.FROM_COMMAND
        if writes and self._source in open_ends:  # else what borg writes comes to its end by itself
            is_silent = now > self._last_life + SILENCE_SECONDS
            if is_silent or not self.succeeded or (self.was_stopped and self.has_ended):
                self.lingers = is_silent and self.succeeded
                dropped.add(self._source)
        is_settled = self._source not in open_ends - dropped if writes else self.has_ended
        if self._settled_at is None and (is_settled or not self.succeeded):
            self._settled_at = now
        hears = self._errors in open_ends and not self.was_stopped
        if self._settled_at is None or (hears and now < self._settled_at + _LINGER_SECONDS):
            return dropped
        if self.has_ended:
            dropped.add(self._errors)
        elif not self._ends_rest:
            self._ends_rest = True
            self.container.stop()
        return dropped

    def close(self) -> None:
        """End the command if it is still there, and close our end. The side that reads must have ended by then."""
        self.stop()
        self.join(_STOP_SECONDS)
        if not self.is_alive() and (self.has_ended or self._direction is Direction.FROM_COMMAND):
            self._close_sink()  # else its container is frozen, and ends with the pod

    def _move(self) -> bool:
        """Move on what is there; return whether there may be more. Raises BlockingIOError when there is no room."""
        try:
            moved = os.splice(self._source, self._sink, _PIPE_BYTES, flags=os.SPLICE_F_NONBLOCK)
        except BrokenPipeError:  # nobody reads any more, which is no harm where there is nothing to read either
            self.broken = self._direction is Direction.FROM_COMMAND or _count_bytes(self._source) > 0
            if self._direction is Direction.FROM_COMMAND:
                self.stop()
            return False
        self.moved += moved
        self.is_read = not moved
        return bool(moved)

    def _hear(self) -> bool:
        """Take over lines of the command's error output; return whether there may be more."""
        data = os.read(self._errors, _READ_BYTES)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if len(self._rest) > LINE_LIMIT_BYTES:
            self._take_line(self._rest)
            self._rest = b""
        return bool(data)

    def _take_line(self, line: bytes) -> None:
        if line:
            text = self._log.conceal(line.decode("utf-8", "surrogateescape").rstrip("\r"))
            self._tail.add(text)
            self._log.say(text, f"[{self.container.plan.name}] ")

    def _close_sink(self) -> None:
        if self._sink >= 0:
            os.close(self._sink)
            self._sink = -1


def _count_bytes(pipe: int) -> int:
    """Return how many bytes wait in the pipe; either of its ends will do."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _has_no_reader(pipe: int) -> bool:
    look = select.poll()
    look.register(pipe, 0)
    return bool(look.poll(0))
