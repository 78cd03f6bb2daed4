"""Which numbers are shown of schedules, repositories and restores: the name, the help, how it is read."""

from collections.abc import Callable
from typing import TypeVar

from borg_contract.reasons import SUSPECT
from borg_contract.result import RepositoryResult
from borg_core.readings.repository import RepositoryReading
from borg_core.readings.restore import RestoreReading
from borg_core.readings.schedule import ScheduleReading

T = TypeVar("T")
Value = float | None
Gauges = tuple[tuple[str, str, Callable[[T], Value]], ...]
"""(name, help, value: None where there is none to tell)."""

SCHEDULE: Gauges[ScheduleReading] = (
    ("created_timestamp_seconds", "When it was created.", lambda s: s.created),
    ("ready", "Whether its runs will happen as asked: the condition Ready.", lambda s: s.ready),
    ("suspended", "Whether spec.suspend holds it back.", lambda s: s.suspended),
    ("interval_seconds", "The longest time that its cron expression leaves between two runs.", lambda s: s.interval),
    ("next_run_timestamp_seconds", "When its next run is due; absent while none is.", lambda s: s.next_run),
    (
        "missed_runs",
        "Runs that have been due since the last one that began, and can no longer be made up for; at most 20.",
        lambda s: s.missed,
    ),
    ("skipped_runs", "Runs that were due while the present one has been at work; at most 20.", lambda s: s.skipped),
    (
        "clock_disagrees",
        "Whether its newest run by the clock came at a time that was not foretold: the condition ClockDisagrees.",
        lambda s: s.clock_disagrees,
    ),
    ("active_runs", "Runs that have not finished, those by hand included.", lambda s: s.active),
    ("last_run_timestamp_seconds", "When its newest backup began, whatever became of it.", lambda s: s.last_run),
    ("last_success_timestamp_seconds", "When a backup last ended well, warnings included.", lambda s: s.last_success),
    ("last_prune_timestamp_seconds", "When a run that pruned every repository ended last.", lambda s: s.last_prune),
    (
        "last_compact_timestamp_seconds",
        "When a run that compacted every repository ended last.",
        lambda s: s.last_compact,
    ),
    ("consecutive_failures", "How many backups have failed since the last good one.", lambda s: s.failures),
    (
        "last_backup_duration_seconds",
        "How long its newest finished backup took, all repositories together.",
        lambda s: s.last_backup_seconds,
    ),
)
LAST_BACKUP: Gauges[RepositoryResult] = (
    ("original_bytes", "Bytes of data that its newest finished backup read.", lambda r: r.original_size),
    ("compressed_bytes", "The same, compressed, before deduplication.", lambda r: r.compressed_size),
    (
        "deduplicated_bytes",
        "Bytes that its newest finished backup added to the repository.",
        lambda r: r.deduplicated_size,
    ),
    ("files", "Files in the archive of its newest finished backup.", lambda r: r.files),
    (
        "lock_wait_seconds",
        "How long its newest finished backup waited for the repository's lock; 0 for less than ten seconds.",
        lambda r: r.lock_wait_seconds or 0,
    ),
    ("warnings", "Warnings of its newest finished backup, such as files it could not read.", lambda r: r.warning_count),
)
LAST_ARCHIVE: Gauges[RepositoryResult] = (
    (
        "suspect",
        "Whether its newest backup that went well found a source empty, or with far fewer files than before.",
        lambda r: r.reason in SUSPECT,
    ),
)
REPOSITORY: Gauges[RepositoryReading] = (
    ("ready", "Whether the newest run on it went well: the condition Ready.", lambda r: r.ready),
    ("schedules", "Schedules that refer to it.", lambda r: r.schedules),
    ("archives", "Archives in it, all schedules' and others'.", lambda r: r.archives),
    ("original_bytes", "Bytes of all archives as the data was.", lambda r: r.original_size),
    ("deduplicated_bytes", "Bytes it takes, deduplicated and compressed.", lambda r: r.deduplicated_size),
    ("last_backup_timestamp_seconds", "When an archive was last added.", lambda r: r.last_backup),
    ("last_compact_timestamp_seconds", "When a run last gave space back to it.", lambda r: r.last_compact),
    (
        "append_only",
        "Whether compacting gives nothing back; absent while no run has compacted.",
        lambda r: r.append_only,
    ),
    ("missing", "Whether the newest run found nothing where runs before found a repository.", lambda r: r.missing),
    ("replaced", "Whether runs find another borg repository in its place than before.", lambda r: r.replaced),
    ("rolled_back", "Whether an archive was gone when the next one was made.", lambda r: r.rolled_back),
    (
        "verified",
        "Whether the newest check and the newest drill went well: the condition Verified; absent while neither ended.",
        lambda r: r.verified,
    ),
    ("damaged", "Whether damage is known, so that nothing is pruned or compacted.", lambda r: r.damaged),
    (
        "last_check_timestamp_seconds",
        "When its newest check ended; before the first one, when checks were asked for.",
        lambda r: r.last_check,
    ),
    (
        "check_interval_seconds",
        "The longest time that the checks' cron expression leaves between two.",
        lambda r: r.check_interval,
    ),
    (
        "last_drill_timestamp_seconds",
        "When its newest drill ended; before the first one, when drills were asked for.",
        lambda r: r.last_drill,
    ),
    (
        "drill_interval_seconds",
        "The longest time that the drills' cron expression leaves between two.",
        lambda r: r.drill_interval,
    ),
    (
        "drill_coverage_percent",
        "How many percent of the newest archives' files were drilled as they are.",
        lambda r: r.coverage,
    ),
    ("restore_bytes_per_second", "How fast the last drill restored.", lambda r: r.restore_rate),
    (
        "clock_disagrees",
        "Whether its newest check by the clock came at a time that was not foretold: the condition ClockDisagrees.",
        lambda r: r.clock_disagrees,
    ),
    ("locked", "Whether the newest run on it gave up because somebody else held its lock.", lambda r: r.locked),
    (
        "locked_since_timestamp_seconds",
        "When the first of those runs gave up, which have found nothing but a lock since.",
        lambda r: r.locked_since,
    ),
    ("lock_timeouts", "Runs that gave up waiting for its lock, of those that are kept.", lambda r: r.lock_timeouts),
)
RESTORE: Gauges[RestoreReading] = (
    ("active", "Restores into the claim that wait or are at work.", lambda r: r.active),
    ("last_timestamp_seconds", "When the newest restore into it ended that was not cancelled.", lambda r: r.last),
    ("failed", "Whether that failed; absent while none has ended.", lambda r: r.failed),
    (
        "held_since_timestamp_seconds",
        "Since when schedules that back the claim up wait for a restore; absent while they do not.",
        lambda r: r.held_since,
    ),
    (
        "stopped_workloads",
        "Workloads that were scaled down for a restore which has ended, and have not been scaled back.",
        lambda r: r.stopped,
    ),
)
