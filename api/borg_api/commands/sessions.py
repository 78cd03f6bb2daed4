"""Opens a session with the caller's own token: whoever may create one may look, and nobody else."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from borg_api.commands.runs.start import derive_name
from borg_api.commands.writer import Writer
from borg_api.edge.errors import UnavailableError, sentence
from borg_api.picture.picture import View
from borg_cluster.errors import AlreadyExists, OutcomeUnknown
from borg_contract.reasons import Reason
from borg_core.formats import parse_time
from borg_core.kinds.parts.base import API_VERSION, OwnerReference
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.session import BorgSession, SessionPhase
from borg_core.names import SESSION_NAME_LIMIT

_SAID, _SAID_AT_MOST = timedelta(seconds=30), timedelta(minutes=5)
"""For so long after a session failed, or made way, its words are the answer; then another one is tried.

After each that failed in a row it is twice as long: a page that somebody has left open asks for ever.
"""
_APART = timedelta(minutes=1)
"""So far apart may be the cluster's clock and ours."""


async def open_session(
    view: View, writer: Writer[BorgSession], repository: BorgRepository, now: datetime
) -> BorgSession:
    """Return the session that is open for the repository, or a new one.

    Raises UnavailableError where the last one has just failed, or made way for a run.
    """
    name = repository.metadata.name
    known = view.sessions_of(name)
    current = next((session for session in known if session.live), None)
    if current:
        return current
    _heed(known, now)
    # All who ask at once choose the same name, and nobody before or after.
    seed = " ".join([repository.metadata.uid, *sorted(session.metadata.uid for session in known)])
    metadata = repository.metadata
    owner = OwnerReference(api_version=API_VERSION, kind=REPOSITORIES.kind, name=name, uid=metadata.uid)
    chosen = derive_name(name, seed, SESSION_NAME_LIMIT)
    try:
        return await writer.create(chosen, {"repositoryRef": {"name": name}}, owner=owner)
    except OutcomeUnknown:
        raise UnavailableError from None  # who asks again asks for the same one
    except AlreadyExists:
        found = await writer.read(chosen)
    if found is None:
        raise UnavailableError("It is being opened by others at the same time; try again.", seconds=1)
    return found


def _heed(known: Sequence[BorgSession], now: datetime) -> None:
    failed = sum(1 for _ in takewhile(lambda session: session.status.phase is SessionPhase.FAILED, reversed(known)))
    status = known[-1].status if known else None
    if status is None or not status.end_time or not (failed or status.reason == Reason.GAVE_WAY):
        return
    wait = min(_SAID * 2 ** min(max(failed - 1, 0), 8), _SAID_AT_MOST)
    left = parse_time(status.end_time) + wait - now
    if timedelta() < left <= wait + _APART:  # more is the wait for a clock that is wrong
        words = sentence(status.message or f"It failed: {status.reason}")
        raise UnavailableError(words, max(1, math.ceil(left.total_seconds())))
