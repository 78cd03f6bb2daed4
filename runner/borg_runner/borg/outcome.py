"""How one borg process ended."""

from dataclasses import dataclass

from borg_runner.borg.message import BorgMessage


@dataclass(frozen=True, kw_only=True)
class BorgOutcome:
    """How one borg process ended. `errors` and `remote` in the order in which they were said."""

    exit_code: int
    output: str = ""
    warnings: tuple[str, ...] = ()
    """The first of them; `warning_count` counts all."""
    warning_count: int = 0
    errors: tuple[BorgMessage, ...] = ()
    errors_not_kept: int = 0
    """How many more there were, all but the first and the last."""
    remote: tuple[str, ...] = ()
    """What ssh, or a shell on the server, said."""
    notes: tuple[BorgMessage, ...] = ()
    interrupted: bool = False
    refused: bool = False
    """Whether the server, asked once more, did not start borg."""
    unanswered: bool = False
    """Whether it was ended because its server did not answer."""
    greeted: bool = True
    """Whether that had said a word before."""

    @property
    def warned(self) -> bool:
        if self.exit_code == 1 and self.interrupted and not self.warning_count:
            return False  # Python's own code: the signal came before borg was ready for one
        return self.exit_code == 1 or 100 <= self.exit_code <= 127  # noqa: PLR2004 - borg's modern warnings

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0 or self.warned
