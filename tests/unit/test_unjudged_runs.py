"""Backups that ended before they had looked at their archive: the next run is told of them, and of no others."""

from dataclasses import replace
from typing import Any

import pytest

from borg_contract.run import Operation
from borg_core.actions import RepairCronJob
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.workload.bundle import gather_bundle
from borg_core.workload.plan import render_plan
from borg_operator.store import Store
from support import builders


def ended(number: int, *told: dict[str, Any], operation: str = "Backup", **status: Any) -> BorgRun:
    at = f"2026-03-{number:02}T02"
    body = {
        "phase": "Failed",
        "jobUid": f"0123456{number}-and-more",
        "startTime": f"{at}:00:00Z",
        "completionTime": f"{at}:10:00Z",
        "repositories": list(told),
        **status,
    }
    return builders.run(
        f"db-{number}", {key: item for key, item in body.items() if item is not None}, operation=operation
    )


def told_of(*runs: BorgRun) -> tuple[str, ...]:
    [target] = render_plan(replace(builders.bundle(), runs=runs).workload(), cluster="").repositories
    return target.unjudged_runs


MAIN: dict[str, Any] = {"name": "main", "phase": "Failed"}
CASES = {
    "it died and told nothing": (ended(1), True),
    "it died in another repository": (ended(1, {**MAIN, "name": "other"}), True),
    "it was cancelled and told nothing": (ended(1, phase="Cancelled"), True),
    "it says that it did not look": (ended(1, {**MAIN, "archive": "db-1", "unjudged": True}), True),
    "it failed after it had looked": (ended(1, {**MAIN, "archive": "db-1"}), False),
    "it failed before there was an archive": (ended(1, MAIN), False),
    "it went well, and its pod was gone": (ended(1, phase="Completed"), False),
    "it never began": (ended(1, startTime=None), False),
    "it is at work": (ended(1, phase="Running", completionTime=None), False),
    "it was to prune": (ended(1, operation=Operation.PRUNE.value), False),
}


@pytest.mark.parametrize(("run", "is_told"), CASES.values(), ids=CASES.keys())
def test_a_run_is_told_of_those_that_may_not_have_looked(run: BorgRun, is_told: bool) -> None:
    assert told_of(run) == (("db-1/01234561",) if is_told else ())


def test_of_many_the_newest_are_told() -> None:
    told = told_of(*(ended(day) for day in range(20, 0, -1)))
    assert [run.partition("/")[0] for run in told] == [f"db-{day}" for day in range(11, 21)]


def test_it_is_in_the_cron_job_after_that_run_ended() -> None:
    bundle = builders.bundle()
    case = builders.settled(builders.world(bundle))
    assert case.bundle
    later = replace(case, bundle=replace(case.bundle, runs=(ended(1),)))
    (repair,) = builders.planned(later, RepairCronJob)
    assert "db-1/01234561" in str(repair.manifest)


def test_runs_of_the_schedule_alone_count() -> None:
    store = Store()
    for number, schedule in ((1, "db"), (2, "web")):
        body = ended(number).model_dump(by_alias=True, mode="json", exclude_none=True)
        metadata = {**body["metadata"], "resourceVersion": "1"}
        store.put(RUNS, {**body, "metadata": metadata, "spec": {"scheduleRef": {"name": schedule}}})
    bundle = gather_bundle(store, builders.schedule())
    assert [run.metadata.name for run in bundle.runs] == ["db-1"]
