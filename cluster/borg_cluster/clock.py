"""What time it is by the API server, where this machine's clock is wrong.

Nearly all times that are compared with the present are the cluster's: when an object was made, a Job began and ended.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

logger = logging.getLogger(__name__)

_APART = timedelta(minutes=1)
"""Less is no wrong clock: answers give whole seconds, and wait until somebody reads them."""


class ServerClock:
    """Goes by this machine's clock, as long as the `Date` of the API server's answers agrees with it."""

    def __init__(
        self,
        own: Callable[[], datetime] = lambda: datetime.now(UTC),
        count: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._count = count
        self._heard: tuple[datetime, float] | None = None
        self._was_apart = False

    def hear(self, date: str | None) -> None:
        """Take the `Date` of an answer; what is none says nothing."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if told.tzinfo is None:
            return
        self._heard = told, self._count()
        apart = told - self._own()
        is_apart = abs(apart) > _APART
        if is_apart and not self._was_apart:
            logger.warning(
                "this machine's clock is %d s off the API server's, which is gone by", -apart.total_seconds()
            )
        self._was_apart = is_apart

    def now(self) -> datetime:
        """Return the time, in UTC."""
        own = self._own()
        if self._heard is None:
            return own
        told, counted = self._heard
        by_server = told + timedelta(seconds=self._count() - counted)
        return by_server if abs(by_server - own) > _APART else own
