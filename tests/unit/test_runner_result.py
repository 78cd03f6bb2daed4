"""The termination message: 4,096 bytes at most, valid JSON, and the useful words last to go."""

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.codec import decode_result
from borg_contract.pod import RESULT_LIMIT_BYTES
from borg_contract.reasons import Reason
from borg_contract.result import (
    CompactResult,
    PreviousArchive,
    PruneResult,
    RepositoryResult,
    RepositoryTotals,
    RunResult,
)
from borg_contract.run import Phase
from borg_runner.fault import Fault
from borg_runner.log import shorten
from borg_runner.run.report import encode_result, write_result
from borg_runner.run.summary import add_repository_warning, summarize, summarize_so_far

SIZE = 123_456_789_012
OF_ALL_CONTAINERS = 12288
"""Bytes that the kubelet shares out among the containers of a pod, in equal parts."""


def repository(number: int, *, error: str | None = None, warnings: tuple[str, ...] = ()) -> RepositoryResult:
    return RepositoryResult(
        name=f"repository-{number:02}-{'n' * 40}",
        phase=Phase.FAILED if error else Phase.COMPLETED_WITH_WARNINGS,
        archive=f"{'s' * 52}-2026-03-29T01:02:03",
        original_size=SIZE,
        compressed_size=SIZE,
        deduplicated_size=SIZE,
        files=1_000_000,
        repository_id="a" * 64,
        place="0123456789ab",
        previous=PreviousArchive(f"{'s' * 52}-2026-03-28T01:02:03", "2026-03-28T01:02:03Z"),
        unused_excludes=("sources/data/cache",),
        seconds=12345.6,
        prune=PruneResult(100, 100),
        compact=CompactResult(SIZE),
        totals=RepositoryTotals(1000, SIZE, SIZE),
        warnings=warnings,
        warning_count=len(warnings),
        reason="BorgFailed" if error else None,
        error=error,
    )


def encoded(result: RunResult) -> tuple[str, RunResult]:
    text = encode_result(result)
    assert len(text.encode()) <= RESULT_LIMIT_BYTES
    return text, decode_result(text)


def test_a_short_result_is_not_touched() -> None:
    result = RunResult(Phase.FAILED, (repository(1, error="broken", warnings=("a", "b")),), "X", "message")
    assert encoded(result)[1] == result


@pytest.mark.parametrize("character", ["x", "é", "💾", '"', "\\", "\n", "$", "\x00"])
def test_sixteen_repositories_with_long_errors_fit_and_stay_named(character: str) -> None:
    result = RunResult(
        Phase.FAILED,
        tuple(repository(number, error=character * 5000, warnings=(character * 5000,) * 50) for number in range(16)),
        "RepositoriesFailed",
        character * 5000,
    )
    text, decoded = encoded(result)
    json.loads(text)
    assert [item.name for item in decoded.repositories] == [item.name for item in result.repositories]
    assert [item.archive for item in decoded.repositories] == [item.archive for item in result.repositories]
    assert {item.phase for item in decoded.repositories} == {Phase.FAILED}


def test_what_a_person_has_to_look_at_is_in_the_message_and_before_a_failed_script() -> None:
    found = RepositoryResult(
        "main", Phase.COMPLETED_WITH_WARNINGS, reason="SourceEmpty", warnings=("data is empty", "b"), warning_count=2
    )
    found = add_repository_warning(found, Fault(Reason.HOOK_FAILED, "script failed"))
    assert found.warnings == ("data is empty", "script failed", "b")
    other = RepositoryResult("other", Phase.COMPLETED_WITH_WARNINGS, warnings=("c",), warning_count=1)
    result = summarize([other, found], None)
    assert result.message == (
        "Warnings in other (1), main (3, SourceEmpty). main: data is empty. other: c. "
        "2 more: in the pod's log, the first of them in the status (`warnings`)."
    )


def test_the_only_warning_is_in_the_message_and_a_long_one_in_part() -> None:
    def message(text: str) -> str:
        warned = RepositoryResult("main", Phase.COMPLETED_WITH_WARNINGS, warnings=(text,), warning_count=1)
        return summarize([warned], None).message

    assert message("data/x: Permission denied") == "Warnings in main (1). main: data/x: Permission denied."
    long = message(f"{'p' * 4000}: Permission denied")
    assert long.endswith(": Permission denied.")
    assert len(long) < 400
    silent = RepositoryResult("main", Phase.COMPLETED_WITH_WARNINGS, warning_count=1)
    assert summarize([silent], None).message == "Warnings in main (1). 1 more: in the pod's log."


def test_warnings_give_way_before_errors() -> None:
    error = "what happened " + "x" * 900 + " what to do"
    result = RunResult(Phase.FAILED, (repository(1, error=error, warnings=("w" * 300,) * 50),))
    _, decoded = encoded(result)
    assert decoded.repositories[0].error == error
    assert 0 < len(decoded.repositories[0].warnings) < 50
    assert decoded.repositories[0].warning_count == 50


def test_one_long_error_stays_long_beside_fifteen_good_repositories() -> None:
    error = "what happened " + "x" * 3000 + " what to do"
    good = [RepositoryResult(f"r{number}", Phase.COMPLETED, archive=f"a{number}") for number in range(15)]
    result = RunResult(Phase.FAILED, (*good, repository(99, error=error)))
    kept = encoded(result)[1].repositories[-1].error
    assert kept is not None
    assert kept.startswith("what happened")
    assert kept.endswith("what to do")
    assert len(kept) > 1000


@pytest.mark.parametrize("number", range(2, 17))
def test_why_one_of_many_repositories_failed_is_worth_more_than_figures(number: int) -> None:
    error = "what happened " + "x" * 200 + " what to do"
    good = [replace(repository(each), name=f"r{each}", archive="a" * 20) for each in range(number - 1)]
    message = "1 repository failed."
    _, decoded = encoded(RunResult(Phase.FAILED, (*good, repository(99, error=error)), "X", message))
    assert decoded.message == message
    assert decoded.repositories[-1].error == error


def test_figures_give_way_before_that_by_which_a_repository_is_recognized() -> None:
    few = [replace(repository(each), name=f"r{each}", unused_excludes=()) for each in range(10)]
    _, decoded = encoded(RunResult(Phase.COMPLETED, tuple(few)))
    assert {item.compressed_size for item in decoded.repositories} == {None}
    assert {item.repository_id for item in decoded.repositories} == {"a" * 64}
    assert None not in {item.previous for item in decoded.repositories}


@pytest.mark.parametrize("count", range(1, 17))
def test_where_totals_are_told_what_was_pruned_is_told_as_well(count: int) -> None:
    names = tuple(f"{'s' * 52}-2026-02-{day:02}T01:02:03" for day in range(1, 20))
    pruned = PruneResult(100, len(names), names)
    many = tuple(replace(repository(each), name=f"r{each}", prune=pruned) for each in range(count))
    _, decoded = encoded(RunResult(Phase.COMPLETED, many))
    for item in decoded.repositories:
        assert (item.prune and item.prune.deleted == len(names)) or item.totals is None


def test_names_too_long_for_any_room_still_give_valid_json() -> None:
    result = RunResult(
        Phase.FAILED,
        tuple(RepositoryResult(f"{number:02}{'n' * 251}", Phase.FAILED, archive="a" * 255) for number in range(16)),
    )
    _, decoded = encoded(result)
    assert decoded.phase is Phase.FAILED
    assert 0 < len(decoded.repositories) < 16
    assert "of 16 repositories" in decoded.message


def test_broken_bytes_of_a_file_name_become_text() -> None:
    name = b"bad\xff\n".decode("utf-8", "surrogateescape")
    _, decoded = encoded(RunResult(Phase.COMPLETED, (repository(1, warnings=(name,)),), message="ü"))
    assert decoded.repositories[0].warnings == ("bad\ufffd\\x0a",)
    decoded.repositories[0].warnings[0].encode()


def test_any_result_fits() -> None:
    chance = random.Random(1)
    for _ in range(25):
        items = []
        for number in range(chance.randrange(17)):
            words = "".join(chance.choices('ab "\\é💾$', k=chance.randrange(3000)))
            items.append(repository(number, error=words or None, warnings=(words,) * chance.randrange(30)))
        encoded(RunResult(Phase.FAILED, tuple(items), "R", "m" * chance.randrange(4000)))


@pytest.mark.parametrize("length", range(60))
def test_shortened_text_is_never_longer_than_asked(length: int) -> None:
    assert len(shorten("0123456789" * 10, length)) == length


@pytest.mark.parametrize("containers", range(1, 13))
@pytest.mark.parametrize("number", [1, 5, 10])
def test_what_the_kubelet_leaves_of_a_result_beside_other_containers_says_how_each_repository_went(
    number: int, containers: int
) -> None:
    suspect = [
        replace(repository(each, warnings=("w" * 300,) * 9), name=f"r{each}", reason="SourceEmpty")
        for each in range(number)
    ]
    whole = summarize(suspect, None)
    left = encode_result(whole)[: OF_ALL_CONTAINERS // containers]
    decoded = decode_result(left)
    assert (decoded.phase, decoded.reason) == (whole.phase, whole.reason)
    assert [(item.name, item.phase, item.reason) for item in decoded.repositories] == [
        (item.name, item.phase, item.reason) for item in suspect
    ]
    assert ("many containers" in decoded.message) == (containers > 3)


def test_an_operator_that_knows_of_no_brief_result_reads_the_whole_one() -> None:
    result = RunResult(Phase.FAILED, (repository(1, error="broken", warnings=("w" * 300,) * 9),), "X", "message")
    value = json.loads(encode_result(result))
    del value["brief"]  # as a key that a version does not know
    assert decode_result(json.dumps(value)) == result


@pytest.mark.parametrize(
    "text", ['{"brief":{"phase":"Failed"', '{"brief":{"phase":"Running"},\n{', '{"phase":"Failed",\n']
)
def test_what_is_cut_before_the_brief_result_ends_is_no_result(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|phase|unfinished|delimiter"):
        decode_result(text)


@pytest.mark.parametrize("words", ["", "x" * 3000], ids=["shorter", "longer"])
def test_a_reader_finds_the_new_result_from_the_first_moment(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "termination-log"
    path.touch()
    write_result(summarize_so_far([repository(1, error="e" * 900)], ["a", "b"]), path)
    new = RunResult(Phase.FAILED, reason="X", message=words)
    with monkeypatch.context() as killed:
        killed.delattr(os, "ftruncate")
        with pytest.raises(AttributeError):
            write_result(new, path)
    assert decode_result(path.read_text()).message[:100] == words[:100]
    write_result(new, path)
    assert path.read_text() == encode_result(new)


def test_who_holds_the_lock_is_worth_more_than_why_each_of_many_repositories_failed() -> None:
    holder = f"borgoperator.io_{'n' * 40}_{'j' * 52}_0b1c_0123456789ab"
    locked = [replace(repository(each, error="e" * 500), archive=None, locked_by=holder) for each in range(16)]
    _, decoded = encoded(RunResult(Phase.FAILED, tuple(locked), "X", "m" * 500))
    assert decoded.repositories[0].locked_by == holder


@pytest.mark.parametrize("at", [0, 9, 15])
def test_of_too_many_repositories_the_one_that_failed_stays(at: int) -> None:
    items = [RepositoryResult(f"{number:02}{'n' * 251}", Phase.COMPLETED, archive="a" * 255) for number in range(16)]
    items[at] = replace(items[at], phase=Phase.FAILED, reason="DiskFull")
    _, decoded = encoded(RunResult(Phase.FAILED, tuple(items)))
    assert "DiskFull" in [item.reason for item in decoded.repositories]
    assert "0 failed" in decoded.message
    assert [item.name for item in decoded.repositories] == sorted(item.name for item in decoded.repositories)


@pytest.mark.parametrize("character", ["\x85", "\n", "x"])
def test_a_pattern_is_never_longer_than_a_status_takes(character: str) -> None:
    _, decoded = encoded(RunResult(Phase.COMPLETED, (replace(repository(1), unused_excludes=(character * 1024,)),)))
    assert decoded.repositories[0].unused_excludes[0]
