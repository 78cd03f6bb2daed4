"""Why a request gets nothing: a status of HTTP, a word for programs, a sentence for people."""

from borg_contract.reasons import Reason
from borg_contract.session.answers import Refusal
from borg_runner.fault import Fault

_UNAVAILABLE = 503
_STATUS = {
    Reason.NOT_SIGNED: 401,
    Reason.NOT_IN_TIME: 401,
    Reason.NOT_ALLOWED: 403,
    Reason.ARCHIVE_GONE: 404,
    Reason.ARCHIVE_NOT_FOUND: 404,
    Reason.PATHS_NOT_FOUND: 404,
    Reason.REPOSITORY_LOCKED: 409,
    Reason.INVALID_ARGUMENT: 422,
}


class RefusedError(Exception):
    """Nothing is answered, and why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def status(self) -> int:
        """Return the status of HTTP: 503 for whatever is no fault of the request."""
        return _STATUS.get(self.reason, _UNAVAILABLE)

    @property
    def answer(self) -> Refusal:
        """Return the answer's body."""
        return Refusal(self.reason.value, self.message)


class StillReadingError(Exception):
    """What is asked for is not there yet; `entries` of the archive's files are."""

    def __init__(self, entries: int) -> None:
        super().__init__(entries)
        self.entries = entries


def refuse(fault: Fault) -> RefusedError:
    """Return the refusal that a fault of borg's becomes."""
    if fault.reason is Reason.LOCKED:
        return RefusedError(Reason.REPOSITORY_LOCKED, fault.text)
    return RefusedError(Reason.BORG_FAILED if fault.reason in _STATUS else fault.reason, fault.text)


def gone(archive: str) -> RefusedError:
    """Return the refusal for an archive that was there before."""
    return RefusedError(
        Reason.ARCHIVE_GONE, f'The archive "{archive}" was deleted or pruned meanwhile. Choose another one.'
    )


def no_archive(archive: str) -> RefusedError:
    return RefusedError(Reason.ARCHIVE_NOT_FOUND, f'The repository has no archive "{archive}".')


def no_path(path: str) -> RefusedError:
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return RefusedError(Reason.PATHS_NOT_FOUND, f'The archive has no "{shown}".')


def invalid(what: str) -> RefusedError:
    return RefusedError(Reason.INVALID_ARGUMENT, what)
