"""The dumps of one archive: each command begins when borg is ready to read, and borg ends with one that fails.

Borg reads one dump from its standard input, beside any number of volumes. Several it reads from named pipes with
`--read-special`, which would also read pipes and devices of a volume: they have an archive without volumes
(docs/adr/0045).
"""

import contextlib
import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import SourcePlan
from borg_contract.reasons import Reason
from borg_contract.restore.sizes import describe_size
from borg_runner.fault import Fault
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.streams.container import Container
from borg_runner.streams.exchange import Direction, Exchange
from borg_runner.streams.words import explain, tell_last_words


@dataclass(frozen=True)
class Dump:
    """What a container writes, and which path it has in the archive: without a slash in front."""

    container: Container
    path: str

    @property
    def title(self) -> str:
        return f'Dump "{self.container.plan.name}"'


@dataclass(frozen=True)
class Streams:
    """What dumps come through. `pipes`: the folder, of one backup alone, in which named pipes are made."""

    containers: Mapping[str, Container]
    pipes: Path

    def wait(self, sources: Sequence[SourcePlan], interruption: Interruption, notice: Notice | None) -> None:
        """Return once the container of each dump is there. Raises FaultError.

        Before borg begins: an image may have to be pulled, and others wait for the lock.
        """
        for container in self._containers_of(sources):
            container.wait(interruption, notice)

    def find_dumps(self, sources: Sequence[SourcePlan], paths: Sequence[str], log: Log) -> "Dumps | None":
        """Return the dumps among the sources, None where there is none. `paths`: their absolute ones in the archive."""
        relative = (path.lstrip("/") for path in paths)
        dumps = list(map(Dump, self._containers_of(sources), relative))
        return Dumps(dumps, self.pipes, log) if dumps else None

    def _containers_of(self, sources: Sequence[SourcePlan]) -> list[Container]:
        return [self.containers[source.dump.name] for source in sources if source.dump is not None]


class Dumps:
    """All dumps of one archive, in order; it is the plumbing of the borg that writes that archive."""

    def __init__(self, dumps: Sequence[Dump], folder: Path, log: Log) -> None:
        """`folder`: where named pipes may be made."""
        self._dumps, self._folder, self._log = dumps, folder, log
        self._exchanges: list[Exchange] = []
        self._borgs_end: int | None = None
        self._own_end: int | None = None

    @property
    def words(self) -> list[str]:
        """The paths by which borg is given the dumps; it keeps what is behind `/./` alone."""
        return ["-"] if self._by_input else [f"{self._folder}/./{dump.path}" for dump in self._dumps]

    @property
    def options(self) -> list[str]:
        """What borg is to be told besides. No checkpoint is written: it would hold a dump that is not whole."""
        how = [f"--stdin-name={self._dumps[0].path}"] if self._by_input else ["--read-special"]
        return ["--checkpoint-interval=0", *how]

    @property
    def fault(self) -> Fault | None:
        """Why borg was given no whole dump; None also when it is borg that failed."""
        for dump, exchange in zip(self._dumps, self._exchanges, strict=False):
            at_fault = not exchange.is_alive() and not exchange.broken and not exchange.was_stopped
            if at_fault and not _is_whole(exchange):
                fault = explain(exchange, Reason.DUMP_FAILED, dump.title)
                return Fault(fault.reason, f"{fault.text} Nothing was archived.")
        return None

    @property
    def are_whole(self) -> bool:
        """Whether borg was given all of all."""
        return len(self._exchanges) == len(self._dumps) and all(map(_is_whole, self._exchanges))

    def describe_stop(self) -> str:
        """Return what a stop of the run means, in sentences: nothing of a dump is kept that is not whole."""
        both = zip(self._dumps, self._exchanges, strict=False)
        dump, exchange = next((pair for pair in both if not _is_whole(pair[1])), (None, None))
        what = f"{dump.title} had not ended. " if dump else ""
        said = f"{tell_last_words(exchange)} " if exchange and exchange.last_words else ""
        return f"{what}{said}Nothing was archived: the next run begins anew."

    def open(self) -> tuple[str, int | None]:
        """Make the pipes. Raises OSError."""
        self._exchanges = []
        if self._by_input:
            self._borgs_end, self._own_end = os.pipe()
            return f"/proc/self/fd/{self._borgs_end}", None
        for dump in self._dumps:
            pipe = self._folder / dump.path
            pipe.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            pipe.unlink(missing_ok=True)
            os.mkfifo(pipe, 0o600)
        return os.devnull, None

    def begin(self) -> None:
        """Close what is borg's: its end shows ours then."""
        if self._borgs_end is not None:
            os.close(self._borgs_end)
            self._borgs_end = None

    def reads_input(self) -> None:
        """Begin with the one dump."""
        if self._own_end is not None:
            self._start(self._own_end)
            self._own_end = None

    def must_stop(self) -> bool:
        """Begin with the next of several once borg has opened its pipe; tell whether one has failed."""
        if not self._by_input and len(self._exchanges) < len(self._dumps) and all(map(_is_whole, self._exchanges)):
            with contextlib.suppress(OSError):  # borg has not come to it
                end = os.open(self._folder / self._dumps[len(self._exchanges)].path, os.O_WRONLY | os.O_NONBLOCK)
                fcntl.fcntl(end, fcntl.F_SETFL, 0)  # no O_NONBLOCK any more: let the thread wait
                self._start(end)
        return self.fault is not None

    def is_at_work(self) -> bool:
        return any(exchange.is_alive() for exchange in self._exchanges)

    def end(self) -> None:
        """End what is at work still, of which borg has read less than all."""
        for exchange in self._exchanges:
            exchange.close()
        for end in (self._borgs_end, self._own_end):
            if end is not None:
                os.close(end)
        self._borgs_end = self._own_end = None
        if self.are_whole:
            for dump, exchange in zip(self._dumps, self._exchanges, strict=True):
                self._log.say(f"{dump.title}: {describe_size(exchange.moved)}")

    @property
    def _by_input(self) -> bool:
        return len(self._dumps) == 1

    def _start(self, end: int) -> None:
        container = self._dumps[len(self._exchanges)].container
        self._log.say(f"{container.plan.program} begins in container {container.name}")
        exchange = Exchange(container, Direction.FROM_COMMAND, end, self._log)
        self._exchanges.append(exchange)
        exchange.start()


def _is_whole(exchange: Exchange) -> bool:
    return not exchange.is_alive() and exchange.is_whole
