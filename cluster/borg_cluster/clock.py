"""What time it is by the API server, where this machine's clock is wrong.

Nearly all times that are compared with the present are the cluster's: when an object was made, a Job began and ended.
No span of time is measured by it, for it may leap: who waits for a while counts for himself.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

logger = logging.getLogger(__name__)

_APART = timedelta(minutes=1)
"""Less is no wrong clock: answers give whole seconds, and wait until somebody reads them."""
_QUARREL_SECONDS = 600.0
"""For so long answers are not believed after two that disagree: as those of several API servers may. If they had agreed
for as long before, what they said then is gone by."""


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine is suspended


class ServerClock:
    """Goes by this machine's clock, as long as the `Date` of the API server's answers agrees with it."""

    def __init__(
        self, own: Callable[[], datetime] = lambda: datetime.now(UTC), count: Callable[[], float] = _uptime
    ) -> None:
        self._own = own
        self._count = count
        self._heard: tuple[datetime, float] | None = None
        self._agreed: tuple[datetime, float] | None = None
        """What was heard last before answers disagreed."""
        self._believed_from = 0.0
        self._warned = False

    def hear(self, date: str | None) -> None:
        """Take the `Date` of an answer that is the API server's for certain; what is none says nothing."""
        try:
            told = parsedate_to_datetime(date or "")
        except (ValueError, OverflowError):
            return
        if told.tzinfo is None:
            return
        told, counted = told.astimezone(UTC), self._count()
        if self._heard is None:
            self._believed_from = counted
        elif abs(told - self._by_server(*self._heard, counted)) > _APART:
            if counted >= self._believed_from:
                is_long = self._heard[1] - self._believed_from >= _QUARREL_SECONDS
                self._agreed = self._heard if is_long else None
            self._believed_from = counted + _QUARREL_SECONDS
        self._heard = told, counted

    def now(self) -> datetime:
        """Return the time, in UTC."""
        own, counted = self._own(), self._count()
        heard = self._agreed if counted < self._believed_from else self._heard
        if heard is None:
            return own
        by_server = self._by_server(*heard, counted)
        is_apart = abs(by_server - own) > _APART
        if is_apart and not self._warned:
            seconds = (own - by_server).total_seconds()
            logger.warning("this machine's clock is %d s off the API server's, which is gone by", seconds)
        self._warned = is_apart
        return by_server if is_apart else own

    @staticmethod
    def _by_server(told: datetime, then: float, counted: float) -> datetime:
        return told + timedelta(seconds=counted - then)
