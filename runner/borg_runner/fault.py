"""What goes wrong in a run: a word for machines, and a sentence for people that says what to do."""

from dataclasses import dataclass

from borg_contract.reasons import Reason


@dataclass(frozen=True)
class Fault:
    """What went wrong: `text` says what happened and what to do."""

    reason: Reason
    text: str
    locked_by: str | None = None
    """The host id of whoever holds the lock that could not be had, where it can be read."""


class FaultError(Exception):
    """A step cannot be done, or failed; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault
