"""What the result of a run tells of its repository: why it failed may be nothing of the repository's doing."""

from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase

_BEHIND_THE_LOCK = frozenset(
    {
        Reason.ARCHIVE_EXISTS.value,
        Reason.ARCHIVE_UNAUTHENTICATED.value,
        Reason.CACHE_REJECTED.value,
        Reason.CHECK_FAILED.value,
        Reason.KEY_MISSING.value,
        Reason.MANIFEST_UNAUTHENTICATED.value,
        Reason.QUOTA_EXCEEDED.value,
    }
)
"""What borg can only find out once it has the lock."""

_OF_SOMETHING_ELSE = frozenset(
    {
        Reason.ARCHIVE_EXISTS.value,
        Reason.CONTAINER_MISSING.value,
        Reason.DUMP_FAILED.value,
        Reason.INTERRUPTED.value,
        Reason.KILLED.value,
        Reason.NODE_EXHAUSTED.value,
        Reason.SOURCE_UNREADABLE.value,
        Reason.TOO_FEW_FILES.value,
    }
)
"""Why a run failed that is the fault of its sources, its schedule, its node, or of nobody."""


def had_the_lock(result: RepositoryResult) -> bool:
    """Tell whether it was free for the run; of one that failed before it came to it, nobody knows."""
    facts = (result.archive, result.prune, result.compact, result.totals)
    return result.phase.succeeded or any(facts) or result.reason in _BEHIND_THE_LOCK


def speaks_against_it(result: RepositoryResult) -> bool:
    """Tell whether it is the repository that cannot be used."""
    return result.phase is Phase.FAILED and result.reason not in _OF_SOMETHING_ELSE


def tells_of_it(result: RepositoryResult) -> bool:
    """Tell whether the run came to know if the repository can be used."""
    return speaks_against_it(result) or had_the_lock(result)
