"""Names and ids over REST: a pure function of what a thing is called."""

from itertools import islice

import pytest

from borg_api.commands.runs.start import derive_name, derive_run_seed
from borg_api.commands.schedules.names import derive_copy_titles, derive_resource_names
from borg_api.picture.records import RunRecord, derive_id, parse_run
from support import builders


def test_ids_are_a_pure_function_of_kind_namespace_and_name() -> None:
    # Asserted as numbers: another release, another replica, a restored cluster must give the same.
    assert derive_id("BorgSchedule", "team", "db") == 5188818399310205
    assert derive_id("BorgSchedule", "team", "db") != derive_id("BorgRepository", "team", "db")
    assert derive_id("BorgSchedule", "a", "b") != derive_id("BorgSchedule", "b", "a")


def test_ids_are_safe_in_json() -> None:
    ids = [derive_id("BorgRun", "team", f"run-{number}") for number in range(10_000)]
    assert all(0 < number < 2**53 for number in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Daily Backup", ["daily-backup", "daily-backup-2"]),
        ("daily-backup", ["daily-backup", "daily-backup-2"]),
        ("  Über -- München  ", ["uber-munchen", "uber-munchen-2"]),
        ("数据库", ["schedule", "schedule-2"]),
        ("-", ["schedule", "schedule-2"]),
        ("x" * 60, ["x" * 52, "x" * 50 + "-2"]),
        ("x" * 51 + " y", ["x" * 51, "x" * 50 + "-2"]),
    ],
)
def test_resource_names_come_from_the_title_alone_then_numbered(title: str, names: list[str]) -> None:
    assert list(islice(derive_resource_names(title), 2)) == names
    assert all(len(name) <= 52 for name in islice(derive_resource_names(title), 1200))


def test_copies_are_numbered_and_never_too_long() -> None:
    assert list(islice(derive_copy_titles("X"), 3)) == ["Copy of X", "Copy of X (2)", "Copy of X (3)"]
    long = list(islice(derive_copy_titles("x" * 253), 20))
    assert all(len(title) <= 253 for title in long)
    assert len(set(long)) == 20


def test_run_names_fit_into_a_label_and_depend_on_the_seed() -> None:
    assert derive_name("nightly", "a", 63) == derive_name("nightly", "a", 63)
    assert derive_name("nightly", "a", 63) != derive_name("nightly", "b", 63)
    assert len(derive_name("x" * 63, "a", 63)) == 63


def test_the_next_runs_name_does_not_depend_on_whether_the_oldest_runs_have_been_deleted_already() -> None:
    def run(number: int) -> RunRecord:
        made = builders.run(f"run-{number}", {"phase": "Completed"}).model_dump(by_alias=True, mode="json")
        made["metadata"]["creationTimestamp"] = f"2026-03-01T00:00:0{number}Z"
        return parse_run(made)

    runs = [run(number) for number in range(4)]
    seed = derive_run_seed("uid", runs[:3], 2)
    assert seed == derive_run_seed("uid", reversed(runs[1:3]), 2)
    assert seed != derive_run_seed("uid", runs, 2)
    assert derive_run_seed("uid", [], 2) != derive_run_seed("uid", runs[:1], 2)
