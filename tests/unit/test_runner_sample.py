"""Which files a drill's round restores: groups that stay, rounds that end, and how much counts as covered."""

import stat
from dataclasses import replace

import pytest

from borg_contract.restore.proof import Drilled, DrillPlan
from borg_runner.drill.sample import Sample, choose_sample, find_files
from borg_runner.restore.archive.entry import Entry

DAY = 86400
NIGHT = 1_772_323_200
"""2026-03-01T00:00:00Z."""


def entry(path: str, *, size: int = 100, day: int = -10, kind: int = stat.S_IFREG, master: str = "") -> Entry:
    changed = (NIGHT + day * DAY) * 1_000_000_000
    return Entry(
        path, kind | 0o600, 0 if master else size, size, changed, changed, 1, 1, link=master, has_content=not master
    )


def files(count: int, *, day: int = -10) -> list[Entry]:
    return [entry(f"data/file-{number}", day=day) for number in range(count)]


def archive(day: int) -> Drilled:
    time = f"2026-03-{day:02}T00:00:00Z"
    return Drilled("db", f"db-{day}", time, 0, 1, time)


def choose(found: list[Entry], last: Drilled | None = None, *, day: int = 1, **plan: int) -> Sample:
    chosen = choose_sample(found, DrillPlan(**plan), last, archive=archive(day), masters={})  # type: ignore[arg-type]
    assert chosen
    return chosen


def rounds_of(found: list[Entry], *, day: int = 1, last: Drilled | None = None, **plan: int) -> list[Sample]:
    """Return one whole turn of rounds."""
    taken: list[Sample] = []
    while not taken or taken[-1].drilled.round < taken[-1].drilled.rounds - 1:
        taken.append(choose(found, taken[-1].drilled if taken else last, day=day, **plan))
    return taken


@pytest.mark.parametrize(("sample", "rounds"), [(100, 1), (50, 2), (34, 3), (10, 10), (1, 100)])
def test_each_file_is_in_one_round_and_all_are_covered_after_the_last(sample: int, rounds: int) -> None:
    found = files(2000)
    taken = rounds_of(found, sample=sample)
    assert len(taken) == taken[0].drilled.rounds == rounds
    assert sorted(path for one in taken for path in one.paths) == sorted(item.path for item in found)
    covered = [one.drilled.covered for one in taken]
    assert covered == sorted(covered)
    assert covered[-1] == taken[-1].drilled.files == 2000
    assert sum(one.bytes for one in taken) == taken[-1].drilled.size == 200_000


def test_a_file_stays_in_its_round_when_others_come_and_go() -> None:
    before = rounds_of(files(500))
    after = rounds_of(files(700)[100:])
    for one, other in zip(before, after, strict=True):
        kept = {item.path for item in files(500)[100:]}
        assert one.paths & kept == other.paths & kept


def test_a_new_archive_takes_only_what_changed_in_it() -> None:
    full = rounds_of(files(1000))[-1].drilled
    changed = [replace(item, ctime=(NIGHT + DAY) * 1_000_000_000) for item in files(1000)[:100]]
    later = choose([*changed, *files(1000)[100:]], full, day=5).drilled
    assert later.round == 0
    assert (later.since, later.before) == ("2026-03-05T00:00:00Z", full.since)
    assert 900 <= later.covered < 1000, "and those of the changed ones that are in the round itself"
    again = rounds_of([*changed, *files(1000)[100:]], day=6, last=full)[-1].drilled
    assert again.covered == 1000


def test_an_archive_of_other_files_begins_with_its_round_alone() -> None:
    full = rounds_of(files(1000))[-1].drilled
    fresh = choose(files(1000, day=2), full, day=5)
    assert fresh.drilled.covered == len(fresh.paths)


def test_no_round_is_larger_than_it_may_be_and_another_number_of_rounds_begins_anew() -> None:
    full = rounds_of(files(1000))[-1].drilled
    taken = rounds_of(files(1000), last=full, max_bytes=3000)
    assert taken[0].drilled.rounds > 10
    assert taken[0].drilled.rounds % 10 == 0
    assert all(one.bytes <= 3000 for one in taken)
    assert taken[0].drilled.covered == len(taken[0].paths)


def test_what_is_too_large_is_named_and_never_covered() -> None:
    taken = rounds_of([*files(20), entry("data/huge", size=10**9)], max_bytes=10**6)
    assert all(one.oversize == ("data/huge",) for one in taken)
    assert (taken[-1].drilled.covered, taken[-1].drilled.files) == (20, 21)
    assert choose_sample([entry("huge")], DrillPlan(max_bytes=1), None, archive=archive(1), masters={}) is None


def test_no_round_is_empty() -> None:
    first = choose(files(1), sample=1)
    assert len(first.paths) == first.drilled.covered == 1
    again = choose(files(1), first.drilled, day=2, sample=1)
    assert (len(again.paths), again.drilled.before) == (1, first.drilled.since)


def test_hard_links_are_restored_together_and_folders_and_devices_count_for_nothing() -> None:
    linked = [replace(entry("a"), is_master=True), *(entry(f"b{number}", master="a") for number in range(30))]
    one = next(sample for sample in rounds_of([*linked, *files(50)]) if "a" in sample.paths)
    assert {item.path for item in linked} <= one.paths
    others = [entry("folder", kind=stat.S_IFDIR), entry("pipe", kind=stat.S_IFIFO), entry("disk", kind=stat.S_IFBLK)]
    assert find_files([*others, entry("link", kind=stat.S_IFLNK), entry("file")]) == [
        entry("link", kind=stat.S_IFLNK),
        entry("file"),
    ]
