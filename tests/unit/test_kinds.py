"""What the kinds' models give besides their fields: to whom a run belongs, and a result as the runner wrote it."""

import json
from typing import Any

import pytest

from borg_contract.codec import decode_result, encode
from borg_contract.plan import RunPlan
from borg_contract.result import CompactResult, PruneResult, RepositoryResult, RepositoryTotals, RunResult
from borg_contract.retention import DEFAULTS, Retention
from borg_contract.run import Operation, Phase
from borg_core.kinds.parts.upkeep import Prune
from borg_core.kinds.run import BorgRun, BorgRunStatus, references_of_run
from borg_core.registry import Reference, own_kinds
from support import builders

FULL = RepositoryResult(
    name="main",
    phase=Phase.COMPLETED_WITH_WARNINGS,
    archive="db-1",
    original_size=1,
    compressed_size=2,
    deduplicated_size=3,
    files=4,
    place="0123456789ab",
    seconds=5.5,
    lock_wait_seconds=6.5,
    prune=PruneResult(kept=7, deleted=0),
    compact=CompactResult(freed_bytes=0),
    totals=RepositoryTotals(archives=8, original_size=9, deduplicated_size=10),
    warnings=("a", "b"),
    warning_count=2,
    reason="Warnings",
    error="said",
    locked_by="somebody",
)


@pytest.mark.parametrize("result", [FULL, RepositoryResult("main", Phase.COMPLETED)], ids=["full", "bare"])
def test_a_repositorys_result_stands_in_the_status_as_the_runner_wrote_it(result: RepositoryResult) -> None:
    written = json.loads(encode(result))
    status = BorgRunStatus.model_validate({"repositories": [{**written, "ofANewerVersion": 1}]})
    assert status.repositories == (result,)
    assert status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True) == {
        "repositories": [written]
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 5},
        {"phase": "Great"},
        {"files": "many"},
        {"warnings": "a"},
        {"warnings": [1]},
        {"totals": {"archives": 1}},
    ],
    ids=str,
)
def test_a_result_of_other_types_than_ours_is_not_read(changes: dict[str, Any]) -> None:
    repository = json.loads(encode(FULL)) | changes
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode_result(json.dumps({"phase": "Completed", "repositories": [repository]}))


def test_a_retention_travels_whole_although_most_of_it_is_the_default() -> None:
    plan = RunPlan("apps", Operation.BACKUP, (), schedule="db", prune=Retention(keep_daily=7))
    assert json.loads(encode(plan))["prune"] == {
        "keepWithin": "",
        "keepHourly": 0,
        "keepDaily": 7,
        "keepWeekly": 4,
        "keepMonthly": 6,
        "keepQuarterly": 0,
        "keepYearly": 1,
    }


def test_a_schedules_prune_is_the_retention_and_a_switch() -> None:
    prune = Prune.model_validate({"enabled": True, "keepWithin": "2d", "keepDaily": 0})
    assert prune.retention == Retention(keep_within="2d", keep_daily=0)
    assert prune.rules == {"within": "2d", "weekly": 4, "monthly": 6, "yearly": 1}
    assert Prune().retention == Retention() == Retention(**DEFAULTS)
    assert Retention.only().rules == {}


SUBJECTS: dict[str, tuple[dict[str, Any], Reference]] = {
    "a schedule": ({"scheduleRef": {"name": "db"}}, Reference("BorgSchedule", builders.NAMESPACE, "db")),
    "a repository": (
        {"repositoryRef": {"name": "main"}, "operation": "Check"},
        Reference("BorgRepository", builders.NAMESPACE, "main"),
    ),
}


@pytest.mark.parametrize("what", SUBJECTS)
def test_a_run_belongs_to_its_subject_and_refers_to_what_it_worked_on(what: str) -> None:
    spec, subject = SUBJECTS[what]
    results = {"repositories": [{"name": name, "phase": "Completed"} for name in ("main", "offsite")]}
    body = {"metadata": {"name": "r", "namespace": builders.NAMESPACE}, "spec": spec, "status": results}
    run = BorgRun.model_validate(body)
    assert run.subject == subject
    repositories = [Reference("BorgRepository", builders.NAMESPACE, name) for name in ("main", "offsite")]
    assert list(references_of_run(run)) == list(dict.fromkeys([subject, *repositories]))


def test_only_backup_and_prune_need_a_schedule() -> None:
    assert [operation for operation in Operation if operation.needs_schedule] == [Operation.BACKUP, Operation.PRUNE]


def test_every_kind_of_ours_defines_itself() -> None:
    models = {kind.kind: kind.definition.model.__name__ if kind.definition else None for kind in own_kinds()}
    assert models == {name: name for name in models}


def test_a_run_result_of_another_kind_than_an_object_is_not_read() -> None:
    assert decode_result(encode(RunResult(Phase.COMPLETED))) == RunResult(Phase.COMPLETED)
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode_result("[]")
