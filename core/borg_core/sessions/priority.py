"""Who goes first: a run, always. Who looks into archives is back in seconds; a backup that did not begin is missing.

Borg's own lock is no matter as a rule: a session holds it only while it reads, and only together with others. What
keeps runs waiting is a download of hours, and a volume that can be on one node, or in one pod, at a time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from borg_contract.pod import LOCK_HOLDER_PREFIX
from borg_contract.reasons import Reason
from borg_core.formats import parse_time
from borg_core.kinds.run import BorgRun
from borg_core.kinds.session import BorgSession

PATIENCE = timedelta(minutes=5)
"""For so long a run waits for the lock of a session that is reading: most reads end sooner."""

_VOLUME_IS_ELSEWHERE = ("Multi-Attach error", "FailedAttachVolume", "ReadWriteOncePod")
"""How those who attach volumes, and the scheduler, say that another pod has the volume."""


def find_run_that_waits(session: BorgSession, runs: Iterable[BorgRun], now: datetime) -> BorgRun | None:
    """Return a run that may be waiting for the session to end, None where none is."""
    return next((run for run in runs if _waits_for_volume(run) or _waits_for_lock(session, run, now)), None)


def _waits_for_volume(run: BorgRun) -> bool:
    says = run.status.message or ""
    return run.status.reason == Reason.WAITING_FOR_POD and any(words in says for words in _VOLUME_IS_ELSEWHERE)


def _waits_for_lock(session: BorgSession, run: BorgRun, now: datetime) -> bool:
    status = run.status
    if status.reason != Reason.WAITING_FOR_LOCK or status.start_time is None:
        return False
    says = status.message or ""
    # Over SSH it is the server's borg that holds the lock, and nobody can say for whom.
    may_be_its = session.metadata.uid in says or LOCK_HOLDER_PREFIX not in says
    return may_be_its and now - parse_time(status.start_time) >= PATIENCE
