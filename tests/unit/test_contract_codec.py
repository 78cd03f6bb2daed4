"""Plan and result as JSON: what goes in comes out, and whatever a pod says that is no result is a ValueError."""

import json
import math
import random
import string
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from borg_contract.codec import (
    LARGEST_NUMBER,
    decode_plan,
    decode_result,
    encode,
)
from borg_contract.plan import HookPlan, HooksPlan, RepositoryPlan, RunPlan, SecretFile, SourcePlan, SshPlan
from borg_contract.result import CompactResult, PruneResult, RepositoryResult, RepositoryTotals, RunResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase

RUN_CRD = Path(__file__).parents[2] / "crds/borgruns.yaml"

RESULT = RunResult(
    Phase.COMPLETED_WITH_WARNINGS,
    (
        RepositoryResult(
            name="main",
            phase=Phase.COMPLETED_WITH_WARNINGS,
            archive="db-2026-03-29T01:02:03",
            original_size=2**40,
            compressed_size=12,
            deduplicated_size=0,
            files=7,
            place="0123456789ab",
            seconds=1.5,
            lock_wait_seconds=0.1,
            prune=PruneResult(3, 1),
            compact=CompactResult(99),
            totals=RepositoryTotals(4, 5, 6),
            warnings=("$HOME é 💾",),
            warning_count=2,
            reason="Warnings",
            error=None,
            locked_by="host@1",
        ),
        RepositoryResult("second", Phase.SKIPPED, reason="Interrupted", error="stopped"),
    ),
    "Warnings",
    'one "sentence"\n',
)
SECRET = SecretFile("/run/s", "name", "key")
HOOK = HookPlan("wake", "echo $PATH\n", 30, {"A": "$(x)"}, {"B": SECRET})
REPOSITORY = RepositoryPlan(
    "main",
    "ssh://u@h/./r",
    "repokey",
    (SourcePlan("data", (".", "é")),),
    SECRET,
    SshPlan(SECRET, SECRET),
    repository_ids=("a" * 64, "b" * 64),
    exclude=("*.tmp",),
    hooks=HooksPlan(post_backup=HOOK),
)
PLAN = RunPlan(
    namespace="team",
    operation=Operation.BACKUP,
    repositories=(REPOSITORY,),
    schedule="db",
    hooks=HooksPlan(HOOK),
    prune=Retention.only(keep_daily=7),
    compact_threshold=10,
    dead_holders=("a", "b"),
)


def result_with(path: str, value: object) -> str:
    """Return the JSON of a good result with `value` at the dotted path."""
    document = json.loads(encode(RESULT))
    *folders, last = path.split(".")
    place: Any = document
    for name in folders:
        place = place[int(name)] if name.isdigit() else place[name]
    place[int(last) if last.isdigit() else last] = value
    return json.dumps(document)


@pytest.mark.parametrize("result", [RESULT, RunResult(Phase.FAILED), replace(RESULT, repositories=())])
def test_a_result_comes_back_as_it_was(result: RunResult) -> None:
    assert decode_result(encode(result)) == result


@pytest.mark.parametrize(
    "plan",
    [PLAN, RunPlan(namespace="n", operation=Operation.LIST, repositories=(RepositoryPlan("r", "/r", "none"),))],
)
def test_a_plan_comes_back_as_it_was_with_a_schedule_or_without(plan: RunPlan) -> None:
    text = encode(plan)
    assert "$" not in text
    assert decode_plan(text) == plan


def test_what_a_newer_runner_adds_is_ignored() -> None:
    text = result_with("repositories.0.mood", {"colour": ["green", None, 1e9]})
    assert decode_result(text.replace('{"phase"', '{"apiVersion": 2, "phase"', 1)) == RESULT


def test_operator_and_runner_of_two_versions_understand_each_other() -> None:
    document = json.loads(encode(PLAN))
    [repository] = document["repositories"]
    newer = {**document, "mood": "green", "repositories": [{**repository, "mood": ["green"]}]}
    assert decode_plan(json.dumps(newer)) == PLAN
    del repository["repositoryIds"]
    unknown = replace(PLAN, repositories=(replace(REPOSITORY, repository_ids=()),))
    assert decode_plan(json.dumps(document)) == unknown
    # What is not known yet is no reason to write a CronJob.
    assert encode(unknown) == json.dumps(document, separators=(",", ":")).replace("$", "\\u0024")


@pytest.mark.parametrize("phase", ["Completed", "CompletedWithWarnings", "Failed", "Cancelled", "Skipped"])
def test_every_phase_in_which_something_ends_is_taken(phase: str) -> None:
    assert decode_result(result_with("repositories.1.phase", phase)).repositories[1].phase.value == phase


@pytest.mark.parametrize(
    "text",
    [
        "",
        "panic: runtime error",
        "null",
        "true",
        "3",
        '"Completed"',
        "[]",
        "{}",
        '[{"phase":"Completed"}]',
        '{"phase":"Completed"',
        '{"phase":"Completed"}{"phase":"Failed"}',
        "\ufeff" + '{"phase":"Completed"}',
        "[" * 100_000,
        '{"phase":' * 50_000,
        '{"phase":"Completed","repositories":' + "[" * 4_000 + "]" * 4_000 + "}",
        '{"phase":"Completed","new":' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}",
        '{"phase":"Completed","message":"' + "\x00" + '"}',
        '{"phase":"Completed","repositories":[{"name":"a","phase":"Completed","files":' + "9" * 5_000 + "}]}",
    ],
    ids=lambda text: text[:30].encode("unicode_escape").decode(),
)
def test_what_is_no_result_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
        decode_result(text)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("phase", "Running", "has not ended"),
        ("phase", "completed", "Phase"),
        ("phase", None, "phase"),
        ("phase", ["Failed"], "phase"),
        ("message", 5, "message"),
        ("message", None, "message"),
        ("message", "\ud83d", "surrogate"),
        ("message", "x" * 32769, "message"),
        ("reason", {}, "reason"),
        ("reason", "", "reason"),
        ("reason", "two words", "reason"),
        ("reason", "Nice\n", "reason"),
        ("repositories", {"0": {}}, "repositories"),
        ("repositories", "main", "repositories"),
        ("repositories.1", None, "repositories[1]"),
        ("repositories.1", [], "repositories[1]"),
        ("repositories.1", {"name": "second"}, "phase is missing"),
        ("repositories.1", {"phase": "Failed"}, "name is missing"),
        ("repositories.1.name", "main", "one name"),
        ("repositories.1.name", "", "name"),
        ("repositories.1.name", "n" * 254, "name"),
        ("repositories.1.phase", "Pending", "has not ended"),
        ("repositories.0.files", "seven", "files"),
        ("repositories.0.files", -2, "files"),
        ("repositories.0.files", 1.5, "files"),
        ("repositories.0.files", True, "files"),
        ("repositories.0.originalSize", LARGEST_NUMBER + 1, "originalSize"),
        ("repositories.0.seconds", "1.5", "seconds"),
        ("repositories.0.seconds", False, "seconds"),
        ("repositories.0.seconds", math.nan, "NaN"),
        ("repositories.0.seconds", math.inf, "Infinity"),
        ("repositories.0.seconds", -0.1, "seconds"),
        ("repositories.0.seconds", 10**400, "seconds"),
        ("repositories.0.lockWaitSeconds", -math.inf, "Infinity"),
        ("repositories.0.warningCount", -1, "warningCount"),
        ("repositories.0.warningCount", None, "warningCount"),
        ("repositories.0.warnings", "one", "warnings"),
        ("repositories.0.warnings", [["one"]], "warnings[0]"),
        ("repositories.0.warnings", ["w"] * 129, "warnings"),
        ("repositories.0.warnings", ["w" * 4097], "warnings[0]"),
        ("repositories.0.archive", "a" * 1025, "archive"),
        ("repositories.0.lockedBy", "h" * 1025, "lockedBy"),
        ("repositories.0.prune", 3, "prune"),
        ("repositories.0.prune", {"kept": 1}, "deleted is missing"),
        ("repositories.0.prune", {"kept": 1, "deleted": -1}, "prune.deleted"),
        ("repositories.0.compact", [], "compact"),
        ("repositories.0.totals", {"archives": "4", "originalSize": 5, "deduplicatedSize": 6}, "totals.archives"),
        ("repositories.0.totals", {"archives": 4, "originalSize": 5, "deduplicatedSize": -6}, "deduplicatedSize"),
        ("repositories", [{"name": f"r{number}", "phase": "Completed"} for number in range(17)], "repositories"),
    ],
)
def test_a_field_that_is_not_as_it_should_be_is_named(path: str, value: object, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the type is what is promised
        decode_result(result_with(path, value))
    assert words in str(caught.value)


def test_a_number_that_overflows_to_infinity_is_refused() -> None:
    with pytest.raises(ValueError, match="without bounds"):
        decode_result(result_with("repositories.0.seconds", 24680).replace("24680", "1e999"))


def test_whatever_is_put_anywhere_into_a_result_it_is_a_result_or_a_value_error() -> None:
    chance = random.Random(8)
    paths = list(paths_of(json.loads(encode(RESULT))))
    for _ in range(1_500):
        text = result_with(chance.choice(paths), junk(chance, 3))
        try:
            decoded = decode_result(text)
        except ValueError:
            continue
        assert decode_result(encode(decoded)) == decoded


def test_a_result_cut_off_or_damaged_anywhere_is_a_result_or_a_value_error() -> None:
    chance = random.Random(9)
    text = encode(RESULT)
    for cut in range(len(text)):
        with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
            decode_result(text[:cut])
    for _ in range(1_500):
        place = chance.randrange(len(text))
        damaged = text[:place] + chance.choice(string.printable) + text[place + chance.randrange(3) :]
        try:
            decode_result(damaged)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"namespace":"n","operation":"Backup","repositories":[5]}', "[" * 100_000]
)
def test_a_plan_that_is_none_is_a_value_error_too(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
        decode_plan(text)


def test_the_bounds_of_a_result_are_those_of_a_runs_status_in_the_crd() -> None:
    (version,) = yaml.safe_load(RUN_CRD.read_text())["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    of_no_status = {"part"}
    for field in (field for field in fields(RunResult) if field.name not in of_no_status):
        for keyword, bound in [
            pair for note in getattr(field.type, "__metadata__", ()) for pair in note.keywords.items()
        ]:
            assert status[field.name].get(keyword, bound) == bound


def paths_of(value: Any, prefix: str = "") -> list[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in items for path in (f"{prefix}{key}", *paths_of(item, f"{prefix}{key}."))]


def junk(chance: random.Random, depth: int) -> Any:
    """Return any JSON, now and then what would be right at some place."""
    plain: list[Any] = [None, True, -1, 0, 2**63, 1.5, -0.0, "", "main", "Failed", "Running", "x" * 300, "é\ud800"]
    if depth == 0 or chance.random() < 0.6:
        return chance.choice(plain)
    if chance.random() < 0.5:
        return [junk(chance, depth - 1) for _ in range(chance.randrange(4))]
    names = ["name", "phase", "files", "kept", "deleted", "seconds"]
    return {chance.choice(names): junk(chance, depth - 1) for _ in range(chance.randrange(5))}
