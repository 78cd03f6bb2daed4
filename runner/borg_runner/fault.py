"""What goes wrong in a run: a word for machines, and a sentence for people that says what to do."""

import errno
import os
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


_STORAGE = (
    "The volume does not answer, or not rightly: look at the server or the device behind it, at its mount on the node "
    "and at the node's log."
)
_STORAGE_ERRORS = (
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ESHUTDOWN,
    errno.ECONNABORTED,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EKEYEXPIRED,
    errno.EREMOTEIO,
    errno.ENODEV,
    errno.ENXIO,
    errno.EUCLEAN,
)
_EXHAUSTED = (
    "The node or the pod's limits have no more processes, open files or memory to give: let fewer run there at once, "
    "or raise the limits (`job.resources.limits.memory`, the kubelet's `podPidsLimit`)."
)
_UNSTARTABLE = (errno.ENOENT, errno.EACCES, errno.ENOEXEC)
"""What the system says of a program that is not there, or not for this machine."""
_EXHAUSTION_ERRORS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)

_BY_ERRNO: dict[int, tuple[Reason, str]] = {
    errno.ENOSPC: (
        Reason.DISK_FULL,
        "Enlarge the volume of the repository or of the cache, or prune; /tmp is on the node's disk.",
    ),
    errno.EDQUOT: (Reason.DISK_FULL, "Raise the quota of the volume, or prune and compact."),
    errno.EROFS: (Reason.READ_ONLY, "Mount the volume of repository or cache writable, and look at its health."),
    errno.EACCES: (
        Reason.PERMISSION_DENIED,
        (
            "Let the pod's user own the repository and the cache (`job.runAsUser`, `job.fsGroup`; where their files "
            "are root's, `job.fileAccess: ReadAll`)."
        ),
    ),
    errno.EPERM: (Reason.PERMISSION_DENIED, "Look at the owners and attributes (`lsattr`) of the volume."),
    errno.EFBIG: (Reason.VOLUME_FAILED, "The volume's file system takes no file of that size: choose another one."),
    **dict.fromkeys(_STORAGE_ERRORS, (Reason.VOLUME_FAILED, _STORAGE)),
    **dict.fromkeys(_EXHAUSTION_ERRORS, (Reason.NODE_EXHAUSTED, _EXHAUSTED)),
}
_OF_TARGET: dict[int, tuple[Reason, str]] = {
    **_BY_ERRNO,
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        (Reason.NOT_ENOUGH_SPACE, "Enlarge the claim that is restored into, or restore into a new one."),
    ),
    errno.EROFS: (
        Reason.VOLUME_FAILED,
        "The claim that is restored into is mounted read-only: mount it writable, and look at its health.",
    ),
    errno.EACCES: (
        Reason.PERMISSION_DENIED,
        (
            "Let the pod's user write to the claim that is restored into (`job.runAsUser`, `job.fsGroup`; "
            "`ownership: Keep` runs as root), or leave this out (`exclude`)."
        ),
    ),
    errno.EPERM: (
        Reason.PERMISSION_DENIED,
        "Look at the owners and attributes (`lsattr`) of what is in the claim that is restored into.",
    ),
}
"""Of what a restore reads and writes in its target."""
_BY_WORDS = {
    **{os.strerror(number): known for number, known in _BY_ERRNO.items()},
    MemoryError.__name__: (Reason.NODE_EXHAUSTED, _EXHAUSTED),
}


def explain_system_words(message: str) -> tuple[Reason, str] | None:
    """Return reason and advice for what the system said, in words of borg's; None when it is none of these."""
    return next((known for words, known in _BY_WORDS.items() if words in message), None)


def explain_os_error(error: OSError, *, of_target: bool = False) -> Fault:
    """Return the fault of a file or folder of the pod that could not be read or written."""
    reason, advice = (_OF_TARGET if of_target else _BY_ERRNO).get(
        error.errno or 0, (Reason.VOLUME_FAILED, "Look at the volumes of the pod.")
    )
    return Fault(reason, f"{error}. {advice}")


def explain_error(error: Exception, executable: str = "borg", *, of_target: bool = False) -> Fault:
    """Return what an error means that was raised while a repository was prepared or worked on."""
    if isinstance(error, MemoryError):
        return Fault(Reason.NODE_EXHAUSTED, f"The runner had no memory left. {_EXHAUSTED}")
    if not isinstance(error, OSError):
        return Fault(Reason.INTERNAL_ERROR, f"The runner failed: {error!r}.")
    if error.filename == executable and error.errno in _UNSTARTABLE:
        return Fault(Reason.BORG_MISSING, f"{error}. Use a runner image that has borg, for this node's architecture.")
    return explain_os_error(error, of_target=of_target)
