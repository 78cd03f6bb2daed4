"""What goes wrong in a run: a word for machines, and a sentence for people that says what to do."""

import errno
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


_BY_ERRNO = {
    errno.ENOSPC: (
        Reason.DISK_FULL,
        "A volume of the pod is full: the repository's, the cache's, or its scratch folder /tmp on the node's disk.",
    ),
    errno.EDQUOT: (Reason.DISK_FULL, "A volume of the pod has reached its quota."),
    errno.EROFS: (Reason.READ_ONLY, "Mount the volume writable, and look at its health."),
}


def explain_os_error(error: OSError) -> Fault:
    """Return the fault of a file or folder of the pod that could not be read or written."""
    reason, advice = _BY_ERRNO.get(
        error.errno or 0, (Reason.PERMISSION_DENIED, "Look at the volumes of the pod and their owners.")
    )
    return Fault(reason, f"{error}. {advice}")
