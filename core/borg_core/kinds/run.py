"""BorgRun: one run of a schedule, or on a repository alone: asked for by hand, or begun by a CronJob."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import GROUP, VERSION, Conditions, Metadata, Model, NameRef, Time
from borg_core.names import CRON_JOB_NAME_LIMIT, JOB_NAME_LIMIT, RESTORE_NAME_LIMIT
from borg_core.registry import Column, Definition, Kind, Reference

_ALONE_WORDS = [operation.value for operation in Operation if not (operation.needs_schedule or operation.needs_restore)]
_ALONE = f"{', '.join(_ALONE_WORDS[:-1])} and {_ALONE_WORDS[-1]}"
_OF_RESTORES = [operation.value for operation in Operation if operation.needs_restore]
_AROUND_RESTORES = [*_OF_RESTORES, Operation.BREAK_LOCK.value]


class BorgRunSpec(Model):
    schedule_ref: Annotated[
        NameRef | None,
        Schema(
            "The schedule to run. It may be suspended.",
            below={"name": Schema("The name of a BorgSchedule in the same namespace.", maxLength=CRON_JOB_NAME_LIMIT)},
        ),
    ] = None
    repository_ref: Annotated[
        NameRef | None,
        Schema(
            "The repository to work on, when no schedule is needed for that.",
            below={"name": Schema("The name of a BorgRepository in the same namespace.", maxLength=63)},
        ),
    ] = None
    restore_ref: Annotated[
        NameRef | None,
        Schema(
            "The BorgRestore that this run is a step of; the operator makes such runs, and no others count.",
            below={"name": Schema("The name of a BorgRestore in the same namespace.", maxLength=RESTORE_NAME_LIMIT)},
        ),
    ] = None
    operation: Annotated[
        Operation,
        Schema(
            "What to do. `Backup` (default): all that the schedule says, with hooks, prune and compact. `Prune`, "
            "`Compact`: only that, with the schedule's settings. `Check`: `borg check`. `Drill`: restore a part of the "
            "newest archives on trial. `List`: look what archives there are, for their BorgArchives; archives and "
            "sizes are counted anew. `BreakLock`: remove all locks of the repositories, for when you know that nobody "
            "works on them. All but `Backup` and `Prune` can be done on a repository alone (`repositoryRef`). "
            "`Preview`, `Restore`: steps of a BorgRestore, which makes them itself."
        ),
    ] = Operation.BACKUP
    cancel: Annotated[
        bool,
        Schema(
            "Set it to true to stop the run: borg writes a checkpoint, so the next run goes on from there, "
            "and the post-backup script still runs. For example `kubectl patch brun NAME --type merge -p "
            '\'{"spec":{"cancel":true}}\'`. Default false.'
        ),
    ] = False


class Trigger(StrEnum):
    """Who asked for a run: the CronJob, a person, or the operator itself (to break locks, to list archives)."""

    SCHEDULED = "Scheduled"
    MANUAL = "Manual"
    AUTOMATIC = "Automatic"


class BorgRunStatus(Model):
    """Times are RFC 3339 texts in UTC; absent until known."""

    conditions: Annotated[
        Conditions,
        Schema(
            "One, `Succeeded`: Unknown until the run has ended, True when it is Completed or "
            "CompletedWithWarnings, or Skipped as an equal run succeeded (`CoveredByRun`), False when it is Failed, "
            "Cancelled or Skipped for another reason. `kubectl wait --for=condition=Succeeded` works.",
            below={
                "type": Schema("What is judged, which is `Succeeded`."),
                "reason": Schema("The phase."),
                "message": Schema("What happened and what to do, in a sentence for people."),
            },
        ),
    ] = ()
    phase: Annotated[
        Phase | None,
        Schema(
            "`Pending` (waits for its pod), `Running`, then one of `Completed`, `CompletedWithWarnings` (an archive "
            "was made; some files could not be read, or it is not what earlier ones were), `Failed`, `Cancelled`, "
            "`Skipped` (an equal run began since this one was asked for and succeeded, ten equal ones waited already, "
            "or a restore of the cluster put this record back)."
        ),
    ] = None
    trigger: Annotated[
        Trigger | None,
        Schema(
            "Who asked for the run: the clock (`Scheduled`), somebody (`Manual`), or the operator itself "
            "(`Automatic`), to remove locks that a dead Job left behind, or to list archives."
        ),
    ] = None
    job_uid: Annotated[
        str | None,
        Schema("The uid of the run's Job, so that a later Job of the same name is not taken for it.", maxLength=64),
    ] = None
    scheduled_time: Annotated[
        Time | None, Schema("The time that the schedule named for this run; only for Scheduled.")
    ] = None
    start_time: Annotated[Time | None, Schema("When the run's Job began.")] = None
    completion_time: Annotated[Time | None, Schema("When it ended, however it ended.")] = None
    duration: Annotated[
        str | None, Schema("From start to completion, for people, for example `1m32s`.", maxLength=32)
    ] = None
    reason: Annotated[
        str | None,
        Schema(
            "Why the run is in this phase, in one CamelCase word for programs, for example `PassphraseWrong`.",
            maxLength=1024,
        ),
    ] = None
    message: Annotated[
        str,
        Schema("What happened and what to do, in a sentence for people; empty when all went well.", maxLength=32768),
    ] = ""
    repositories: Annotated[
        tuple[Annotated[RepositoryResult, Schema("One repository's outcome.")], ...],
        Schema(
            "What was done in each repository, in the order of the schedule's repositoryRefs.",
            maxItems=16,
            listMapKeys=["name"],
        ),
    ] = ()


class BorgRun(Model):
    kind: Literal["BorgRun"] = "BorgRun"
    metadata: Metadata
    spec: Annotated[
        BorgRunSpec,
        Schema(
            "What to run. A run is asked for once; only `cancel` can be changed afterwards.",
            Rule(
                "(has(self.restoreRef) ? 1 : 0) + (has(self.scheduleRef) ? 1 : 0) + (has(self.repositoryRef) ? 1 : 0) "
                "== 1",
                f"give exactly one of scheduleRef (a BorgSchedule) and repositoryRef (a BorgRepository, for {_ALONE})",
            ),
            Rule(
                f"!has(self.repositoryRef) || has(self.scheduleRef) || self.operation in {_ALONE_WORDS}",
                f"only a schedule says what is backed up and kept: give scheduleRef, or one of the operations {_ALONE}",
                ".operation",
            ),
            Rule(
                "self.operation != 'Drill' || has(self.repositoryRef)",
                "a drill is of a repository, and of all schedules in it: give repositoryRef",
                ".operation",
            ),
            Rule(
                f"has(self.restoreRef) ? self.operation in {_AROUND_RESTORES} : !(self.operation in {_OF_RESTORES})",
                "Preview and Restore are steps of a BorgRestore, which makes them itself: create a BorgRestore",
                ".operation",
            ),
            Rule(
                "has(self.restoreRef) == has(oldSelf.restoreRef) && "
                "(!has(self.restoreRef) || self.restoreRef.name == oldSelf.restoreRef.name)",
                "a run belongs to one restore for good",
                ".restoreRef",
            ),
            Rule(
                "has(self.scheduleRef) == has(oldSelf.scheduleRef) && "
                "(!has(self.scheduleRef) || self.scheduleRef.name == oldSelf.scheduleRef.name)",
                "a run belongs to one schedule for good: make a new BorgRun",
                ".scheduleRef",
            ),
            Rule(
                "has(self.repositoryRef) == has(oldSelf.repositoryRef) && "
                "(!has(self.repositoryRef) || self.repositoryRef.name == oldSelf.repositoryRef.name)",
                "a run belongs to one repository for good: make a new BorgRun",
                ".repositoryRef",
            ),
            Rule("self.operation == oldSelf.operation", "a run does one thing: make a new BorgRun", ".operation"),
            Rule(
                "self.cancel || !oldSelf.cancel",
                "a cancelled run cannot be resumed: make a new BorgRun; borg goes on from its checkpoint",
                ".cancel",
            ),
        ),
    ]
    status: Annotated[
        BorgRunStatus, Schema("How it goes; written by the operator alone. Times are in UTC, sizes in bytes.")
    ] = BorgRunStatus()

    @property
    def subject(self) -> Reference:
        """The BorgSchedule, BorgRepository or BorgRestore that it belongs to."""
        spec, namespace = self.spec, self.metadata.namespace
        if spec.restore_ref:
            return Reference("BorgRestore", namespace, spec.restore_ref.name)
        if spec.repository_ref:
            return Reference("BorgRepository", namespace, spec.repository_ref.name)
        return Reference("BorgSchedule", namespace, spec.schedule_ref.name if spec.schedule_ref else "")

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished


def references_of_run(run: BorgRun) -> Iterable[Reference]:
    done_in = (Reference("BorgRepository", run.metadata.namespace, item.name) for item in run.status.repositories)
    return dict.fromkeys((run.subject, *done_in))


RUNS = Kind(
    "BorgRun",
    GROUP,
    VERSION,
    "borgruns",
    BorgRun.model_validate,
    references_of_run,
    definition=Definition(
        model=BorgRun,
        short_name="brun",
        schema=Schema(
            "One run of a BorgSchedule, or on a BorgRepository alone. The operator makes one for each run that the "
            "clock begins; make one yourself to run it now. It outlives its Job, which has the same name. A schedule's "
            "are deleted when they are beyond its runHistoryLimit. The archives do not depend on it.",
            Rule(
                f"self.metadata.name.size() <= {JOB_NAME_LIMIT}",
                "the run's Job and its pods' labels have the same name, which Kubernetes limits to "
                f"{JOB_NAME_LIMIT} characters",
                ".metadata.name",
            ),
        ),
        columns=(
            Column("Schedule", ".spec.scheduleRef.name"),
            Column("Repository", ".spec.repositoryRef.name", description="The repository of a run without a schedule."),
            Column("Operation", ".spec.operation"),
            Column(
                "Trigger",
                ".status.trigger",
                description=(
                    "Scheduled by the clock, Manual (asked for by hand), or Automatic (the operator removes a dead "
                    "Job's locks, or lists archives)."
                ),
            ),
            Column("Phase", ".status.phase"),
            Column("Started", ".status.startTime", type="date", description="How long ago the run began."),
            Column("Duration", ".status.duration", description="How long it took."),
            Column(
                "Reason", ".status.reason", description="Why it is not simply Completed; -o wide says it in a sentence."
            ),
            Column("Age", ".metadata.creationTimestamp", type="date", wide=True),
            Column("Message", ".status.message", wide=True),
        ),
        # kubectl get brun --field-selector spec.scheduleRef.name=daily,status.phase=Failed
        selectable=(".spec.scheduleRef.name", ".spec.repositoryRef.name", ".spec.operation", ".status.phase"),
    ),
)
