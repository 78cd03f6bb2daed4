"""Checks and drills that there were, newest first, in Borg UI's shapes."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, derive_id
from borg_api.resources.runs.response import derive_run_id, explain_run, has_logs, run_status
from borg_contract.run import Operation
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import Trigger

Many = Annotated[int, Query(ge=1, le=1000, description="How many at the most.")]
ScheduledOnly = Annotated[bool, Query(description="Only those that the clock began.")]


@answer
class CheckJob(TypedDict):
    id: int
    repository_id: int
    status: str
    started_at: str | None
    completed_at: str | None
    error_message: Annotated[str | None, Field(description="What there is to say: what it waits for, what failed.")]
    progress: Annotated[int, Field(description="0 until it has ended, then 100.")]
    progress_message: str | None
    has_logs: bool
    scheduled_check: Annotated[bool, Field(description="Whether the clock began it.")]


@answer
class DrillJob(CheckJob):
    archive_name: Annotated[str | None, Field(description="The archive that was drilled; of several the first.")]
    probe_paths: Annotated[list[str], Field(description="Empty: a drill chooses what it restores itself.")]
    full_archive: bool
    mode: Annotated[str, Field(examples=["full_archive"], description="As the schedule calls it.")]


@answer
class CheckJobs(TypedDict):
    jobs: list[CheckJob]


@answer
class DrillJobs(TypedDict):
    jobs: list[DrillJob]


def choose_runs(
    view: View, repository: str, operation: Operation, limit: int, *, scheduled_only: bool
) -> Iterator[RunRecord]:
    """Return the newest runs of that sort on the repository, schedules' as well, so many at the most."""
    wanted = (
        run
        for run in reversed(view.runs.in_order())
        if run.operation is operation
        and (run.trigger is Trigger.SCHEDULED or not scheduled_only)
        and repository in view.targets_of(run)
    )
    return islice(wanted, limit)


def render_check(run: RunRecord, repository: str) -> CheckJob:
    return {
        "id": derive_run_id(run),
        "repository_id": derive_id(REPOSITORIES.kind, run.namespace, repository),
        "status": run_status(run),
        "started_at": run.started,
        "completed_at": run.completed,
        "error_message": explain_run(run),
        "progress": 100 if run.finished else 0,
        "progress_message": None if run.finished else run.message or None,
        "has_logs": has_logs(run),
        "scheduled_check": run.trigger is Trigger.SCHEDULED,
    }


def render_drill(run: RunRecord, repository: str) -> DrillJob:
    told = next((item.drill for item in run.repositories if item.drill), None)
    return {
        **render_check(run, repository),
        "archive_name": next((drilled.archive for drilled in told.archives), None) if told else None,
        "probe_paths": [],
        "full_archive": True,
        "mode": "full_archive",
    }
