"""BorgSchedule: when, what into which repositories, and what is kept."""

from collections.abc import Iterator
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.clock.hashed import try_resolve
from borg_core.kinds.parts.base import (
    GROUP,
    UNSEEN,
    VERSION,
    Metadata,
    Model,
    NameRef,
)
from borg_core.kinds.parts.hooks import Hooks
from borg_core.kinds.parts.job import Job, JobOptions
from borg_core.kinds.parts.names import ArchiveNameTemplate, Title
from borg_core.kinds.parts.timing import CronText, TimeZone
from borg_core.kinds.parts.upkeep import KEEPS_SOMETHING, Compact, Prune
from borg_core.kinds.parts.volumes import Sources, references_of_sources
from borg_core.kinds.statuses.schedule import BorgScheduleStatus
from borg_core.names import CRON_JOB_NAME_LIMIT
from borg_core.registry import Column, Definition, Kind, Reference


class BorgScheduleSpec(Model):
    title: Title | None = None
    description: Annotated[str, Schema("Why this schedule exists and whom to ask, for people.", maxLength=4096)] = ""
    schedule: CronText
    time_zone: TimeZone = "Etc/UTC"
    suspend: Annotated[
        bool,
        Schema(
            "Stop the clock (default false): no run begins by itself. A run under way goes on, and runs can "
            "still be asked for by hand. Times missed meanwhile are not made up for."
        ),
    ] = False
    repository_refs: Annotated[
        tuple[
            Annotated[
                NameRef,
                Schema(
                    "One repository.",
                    below={
                        "name": Schema(
                            "The name of a BorgRepository in the same namespace. It may be made later.",
                            minLength=1,
                            maxLength=253,
                        )
                    },
                ),
            ],
            ...,
        ],
        Schema(
            "The repositories to back up into, 1 to 16, in this order, in one run. One that fails does "
            "not stop the next. For example `[{name: main}, {name: offsite}]`.",
            Rule(
                "self.size() < 2 || self.all(ref, self.exists_one(other, other.name == ref.name))",
                "name each repository once",
            ),
            minItems=1,
            maxItems=16,
        ),
    ]
    sources: Annotated[
        Sources,
        Schema(
            "What is backed up, in place of the repositories' own `sources` (default: those). Each source is "
            "a volume, mounted read-only at `/sources/<name>`, the path that archives show.",
        ),
    ] = ()
    archive_name_template: ArchiveNameTemplate = "{job_name}-{now}"
    run_repository_hooks: Annotated[
        bool, Schema("Also run the `hooks` of each BorgRepository, around its own backup (default false).")
    ] = False
    hooks: Annotated[Hooks, Schema("Scripts around the whole run.")] = Hooks()
    prune: Annotated[
        Prune,
        Schema(
            "Delete old archives after a backup. Only archives that this schedule made are ever touched, "
            "however many share the repository. Of these, each rule keeps the newest of so many hours, days, "
            "weeks and so on; what no rule keeps is deleted. Space is given back by `compact`.",
            default={},
        ),
    ] = Prune()
    compact: Annotated[
        Compact,
        Schema(
            "Give the space of deleted archives back after a backup. Borg locks the repository meanwhile.", default={}
        ),
    ] = Compact()
    starting_deadline_seconds: Annotated[
        int,
        Schema(
            "How late a run may begin, in seconds, when its time was missed, for example because the control "
            "plane was down; default 3600. At least 10, because the CronJob controller looks every 10 "
            "seconds.",
            format="int64",
            minimum=10,
            maximum=31536000,
        ),
    ] = 3600
    active_deadline_seconds: Annotated[
        int | None,
        Schema(
            "A run that takes longer than this many seconds is stopped and Failed; borg writes a checkpoint "
            "first. One whose pod does not begin has ten minutes more. Default: no limit.",
            format="int64",
            minimum=60,
            maximum=31536000,
        ),
    ] = None
    run_history_limit: Annotated[
        int,
        Schema(
            "How many finished BorgRuns of this schedule are kept; default 10. Archives do not depend on it. Kept "
            "beside them is the last one with an archive.",
            format="int32",
            minimum=1,
            maximum=100,
        ),
    ] = 10
    job: Job = JobOptions()


class BorgSchedule(Model):
    kind: Literal["BorgSchedule"] = "BorgSchedule"
    metadata: Metadata
    spec: Annotated[
        BorgScheduleSpec,
        Schema(
            "What is to happen. Only `schedule` and `repositoryRefs` are required.",
            Rule(
                "!self.prune.enabled || self.archiveNameTemplate.contains('{job_name}')",
                "prune is enabled, so the template must contain {job_name}: it tells this schedule's "
                "archives from all others, for example {job_name}-{now}",
                ".archiveNameTemplate",
            ),
            KEEPS_SOMETHING,
        ),
    ]
    status: Annotated[
        BorgScheduleStatus, Schema("How it goes; written by the operator alone. Times are in UTC.", default=UNSEEN)
    ] = BorgScheduleStatus()

    @property
    def title(self) -> str:
        """The name that people see."""
        return self.spec.title or self.metadata.name

    @property
    def effective_schedule(self) -> str:
        """The line that its CronJob is to have; where an `H` cannot be resolved, the one that is written."""
        return try_resolve(self.spec.schedule, *self.metadata.key)

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
    yield from references_of_sources(namespace, schedule.spec.sources)


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
    definition=Definition(
        model=BorgSchedule,
        short_name="bsched",
        schema=Schema(
            "When which repositories are backed up, and which archives are kept. The operator turns it "
            "into a CronJob of the same name; each run is a BorgRun. Deleting it deletes the CronJob and "
            "the runs, and no archive.",
            Rule(
                f"self.metadata.name.size() <= {CRON_JOB_NAME_LIMIT}",
                "a schedule's CronJob has the same name, and Kubernetes allows a CronJob "
                f"{CRON_JOB_NAME_LIMIT} characters: choose a shorter name and put the long one into spec.title",
                ".metadata.name",
            ),
        ),
        columns=(
            Column("Schedule", ".spec.schedule"),
            Column(
                "Suspend",
                ".spec.suspend",
                type="boolean",
                description="Whether the clock is stopped; runs asked for by hand still work.",
            ),
            Column(
                "Ready",
                '.status.conditions[?(@.type=="Ready")].status',
                description="Whether runs will happen as asked; -o wide shows why not.",
            ),
            Column("Last Run", ".status.lastRunTime", type="date", description="How long ago the newest run began."),
            Column("Last Phase", ".status.lastRunPhase"),
            Column(
                "Failures",
                ".status.consecutiveFailures",
                type="integer",
                description="How many runs in a row have failed, up to now.",
            ),
            Column(
                "Next Run",
                ".status.nextRunTime",
                description="When the CronJob controller will begin the next run, in UTC.",
            ),
            Column("Age", ".metadata.creationTimestamp", type="date"),
            Column("Effective", ".status.effectiveSchedule", wide=True),
            Column("Zone", ".spec.timeZone", wide=True),
            Column("Title", ".spec.title", wide=True),
            Column(
                "Claims",
                ".status.claims",
                type="integer",
                description="How many PersistentVolumeClaims it backs up.",
                wide=True,
            ),
            Column("Last Success", ".status.lastSuccessTime", type="date", wide=True),
            Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        ),
    ),
)
