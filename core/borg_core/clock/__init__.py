"""When a CronJob fires, exactly as Kubernetes computes it.

The CronJob controller asks robfig/cron v3.0.1. What that library accepts and answers, oddities at changes of the clock
included, is reproduced here, because a next run shown to people must be the one that happens. `tests/oracle` holds the
library itself against this package.
"""

from borg_core.clock.controller import Clock, derive_deadline
from borg_core.clock.dst import dst_warnings
from borg_core.clock.error import CronError
from borg_core.clock.schedule import CronSchedule
from borg_core.clock.zone import posix_rule

__all__ = ["Clock", "CronError", "CronSchedule", "derive_deadline", "dst_warnings", "posix_rule"]
