"""The bytes between a command of another container and borg, where moving them fails: a part is never taken for all."""

import io
import os
import select
import socket
from collections.abc import Iterator

import pytest

from borg_contract.plan import StreamPlan
from borg_runner.log import Log
from borg_runner.streams.exchange import Direction, Exchange

SIZE = 60_000
PART = 1_000


class Container:
    """Another container, whose helper says what it is told to."""

    def __init__(self) -> None:
        self.plan, self.name = StreamPlan("db", "pg_dump", {}), "stream-db"
        self._ours, self._helpers = socket.socketpair()
        self.end = -1
        """The command's end of the pipe."""
        self.says = b""
        """What its helper says as soon as the command has begun."""
        self.saw_end: bool | None = None
        """Whether the command had seen the end of its input by the time when it was stopped."""

    def go(self, stdin: int, stdout: int, stderr: int) -> None:
        del stderr
        self.end = os.dup(stdin)
        if self.says:
            os.write(stdout, b"x" * SIZE)
            self._helpers.send(self.says)

    def fileno(self) -> int:
        return self._ours.fileno()

    def hear(self) -> list[str]:
        return self._ours.recv(64).decode().splitlines()

    def hang_up(self) -> None:
        for line in (self._ours, self._helpers):
            line.close()

    def stop(self) -> None:
        look = select.poll()
        look.register(self.end, 0)
        self.saw_end = bool(look.poll(0))
        self._helpers.send(b"killed 15\ngone\n")


@pytest.fixture
def pipe() -> tuple[int, int]:
    """Return a pipe whose end that is not ours is nobody's: it lives as long as the tests do."""
    return os.pipe()


@pytest.fixture
def container() -> Iterator[Container]:
    made = Container()
    yield made
    made.hang_up()


@pytest.fixture(autouse=True)
def _splice_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first part be moved, and no other."""
    moved: list[int] = []
    splice = os.splice

    def move(source: int, sink: int, count: int, *, flags: int) -> int:
        del count
        if moved:
            raise OSError("Cannot allocate memory")
        moved.append(splice(source, sink, PART, flags=flags))
        return moved[0]

    monkeypatch.setattr(os, "splice", move)


def test_what_was_not_read_to_its_end_never_looks_whole_though_its_command_ended_well(
    pipe: tuple[int, int], container: Container
) -> None:
    read, write = pipe
    container.says = b"exited 0\ngone\n"
    exchange = Exchange(container, Direction.FROM_COMMAND, write, Log(io.StringIO()))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="memory"):
        exchange.run()
    assert (exchange.succeeded, exchange.moved, exchange.is_whole) == (True, PART, False)
    os.set_blocking(read, False)
    assert len(os.read(read, SIZE)) == PART
    with pytest.raises(BlockingIOError):  # the end is not there
        os.read(read, SIZE)


def test_a_command_is_ended_before_it_sees_the_end_of_a_part(pipe: tuple[int, int], container: Container) -> None:
    read, write = pipe
    os.write(write, b"x" * SIZE)
    exchange = Exchange(container, Direction.TO_COMMAND, read, Log(io.StringIO()))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="memory"):
        exchange.run()
    assert container.saw_end is False
    assert (exchange.broken, exchange.has_ended, exchange.said) == (True, True, "killed 15")
