"""Where a borg process reads from and writes to, and what has to be done about it while it is at work."""

from dataclasses import dataclass
from typing import Protocol


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
