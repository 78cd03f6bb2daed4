"""Which archives `borg prune` keeps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RetentionPlan:
    """What `borg prune` keeps; 0 and "" mean: no such rule."""

    keep_within: str = ""
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_quarterly: int = 0
    keep_yearly: int = 0
