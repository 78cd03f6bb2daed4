"""BorgSchedule: when, what into which repositories, and what is kept."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

from borg_core.kinds.base import GROUP, VERSION, Condition, Metadata, Model, NameRef
from borg_core.kinds.hooks import Hooks
from borg_core.kinds.repository import Source
from borg_core.registry import Kind, Reference


class Prune(Model):
    """Which of this schedule's own archives `borg prune` keeps; 0 and "" mean: no such rule."""

    enabled: bool = False
    keep_within: str = ""
    keep_hourly: int = 0
    keep_daily: int = 7
    keep_weekly: int = 4
    keep_monthly: int = 6
    keep_quarterly: int = 0
    keep_yearly: int = 1


class Compact(Model):
    """`threshold`: percent of a segment that must be unused before it is rewritten."""

    enabled: bool = False
    threshold: int = 10


class FileAccess(StrEnum):
    """Restricted: the pod's user reads what it may. ReadAll: root that may read everything (and nothing else)."""

    RESTRICTED = "Restricted"
    READ_ALL = "ReadAll"


class JobOptions(Model):
    """How the pods of a schedule run."""

    file_access: FileAccess = FileAccess.RESTRICTED
    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    image: str | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: tuple[NameRef, ...] = ()
    resources: dict[str, Any] | None = None
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    affinity: dict[str, Any] | None = None
    priority_class_name: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class BorgScheduleSpec(Model):
    title: str | None = None
    description: str = ""
    schedule: str
    time_zone: str = "Etc/UTC"
    suspend: bool = False
    repository_refs: tuple[NameRef, ...]
    sources: tuple[Source, ...] = ()
    archive_name_template: str = "{job_name}-{now}"
    run_repository_hooks: bool = False
    hooks: Hooks = Hooks()
    prune: Prune = Prune()
    compact: Compact = Compact()
    starting_deadline_seconds: int = 3600
    active_deadline_seconds: int | None = None
    run_history_limit: int = 10
    job: JobOptions = JobOptions()


class BorgScheduleStatus(Model):
    """Times are RFC 3339 texts in UTC; `active` are names of BorgRuns."""

    conditions: tuple[Condition, ...] = ()
    observed_generation: int | None = None
    cron_job_name: str | None = None
    active: tuple[str, ...] = ()
    last_run_time: str | None = None
    last_run_name: str | None = None
    last_run_phase: str | None = None
    last_success_time: str | None = None
    next_run_time: str | None = None
    last_prune_time: str | None = None
    last_compact_time: str | None = None
    consecutive_failures: int | None = None


class BorgSchedule(Model):
    kind: Literal["BorgSchedule"] = "BorgSchedule"
    metadata: Metadata
    spec: BorgScheduleSpec
    status: BorgScheduleStatus = BorgScheduleStatus()

    @property
    def title(self) -> str:
        """The name that people see."""
        return self.spec.title or self.metadata.name

    @property
    def names_archives_itself(self) -> bool:
        """Whether it has another template than most: only then its archives can look like another schedule's."""
        default = BorgScheduleSpec.model_fields["archive_name_template"].default
        return bool(self.spec.archive_name_template != default)


TITLE = "title"
OWN_ARCHIVE_NAMES = "own archive names"


def references_of_schedule(schedule: BorgSchedule) -> Iterator[Reference]:
    namespace = schedule.metadata.namespace
    for ref in schedule.spec.repository_refs:
        yield Reference("BorgRepository", namespace, ref.name)
    for hook in schedule.spec.hooks.given:
        yield Reference("BorgScript", namespace, hook.script_ref.name)


def groups_of_schedule(schedule: BorgSchedule) -> Iterator[tuple[str, str]]:
    """Yield its title, and the repositories in which it names archives in a way of its own."""
    yield TITLE, schedule.title
    if schedule.names_archives_itself:
        yield from ((OWN_ARCHIVE_NAMES, ref.name) for ref in schedule.spec.repository_refs)


SCHEDULES = Kind(
    "BorgSchedule",
    GROUP,
    VERSION,
    "borgschedules",
    BorgSchedule.model_validate,
    references_of_schedule,
    groups_of_schedule,
)
