"""What a BorgSchedule says about itself."""

from typing import Annotated

from borg_contract.run import Phase
from borg_contract.schema import Schema
from borg_core.kinds.parts.base import Conditions, Model, ObservedGeneration, Time

ACTIVE_LIMIT = 100
"""How many runs a schedule's status names."""


class BorgScheduleStatus(Model):
    """Times are RFC 3339 texts in UTC; `active` are names of BorgRuns."""

    conditions: Conditions = ()
    observed_generation: ObservedGeneration = None
    cron_job_name: Annotated[
        str | None, Schema("The CronJob that the operator keeps for this schedule.", maxLength=253)
    ] = None
    effective_schedule: Annotated[
        str | None, Schema("The CronJob's times: `spec.schedule` with a value in place of each `H`.", maxLength=2048)
    ] = None
    active: Annotated[
        tuple[Annotated[str, Schema("A BorgRun's name.", maxLength=253)], ...],
        Schema(
            f"The names of the BorgRuns that are waiting or under way: the first {ACTIVE_LIMIT}, oldest first.",
            maxItems=1024,
        ),
    ] = ()
    last_run_time: Annotated[Time | None, Schema("When the newest run began.")] = None
    last_run_name: Annotated[
        str | None, Schema("The newest run's name; `kubectl get brun` shows more.", maxLength=253)
    ] = None
    last_run_phase: Annotated[
        str | None, Schema("Where the newest run stands.", enum=[phase.value for phase in Phase])
    ] = None
    last_success_time: Annotated[
        Time | None,
        Schema("When the newest run that was Completed or CompletedWithWarnings ended. Alert on its age."),
    ] = None
    last_failure_time: Annotated[
        Time | None, Schema("When the newest backup that Failed ended; up to then, failures have been counted.")
    ] = None
    claims: Annotated[
        int | None,
        Schema(
            "How many PersistentVolumeClaims it backs up, those that a `claimSelector` takes among them.",
            format="int32",
            minimum=0,
        ),
    ] = None
    next_run_time: Annotated[
        Time | None,
        Schema("When the CronJob controller will begin the next run; absent while suspended."),
    ] = None
    last_prune_time: Annotated[Time | None, Schema("When a run last pruned every repository.")] = None
    last_compact_time: Annotated[Time | None, Schema("When a run last compacted every repository.")] = None
    consecutive_failures: Annotated[
        int | None, Schema("How many runs in a row have failed; 0 after one that succeeded.", format="int32", minimum=0)
    ] = None
    skipped_runs: Annotated[
        int | None,
        Schema(
            "How many times named by the schedule were left out since the last run began, because a run had not ended.",
            format="int32",
            minimum=0,
        ),
    ] = None
