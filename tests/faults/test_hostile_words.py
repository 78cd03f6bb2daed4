"""Ten thousand hostile texts, from a seed: whatever files are called and borg, servers and scripts print.

Nothing of it ends a run with a traceback, forges a result or loses one, hides a line of the log or becomes an argument.
"""

import io
import json
import re
import time
from dataclasses import replace
from random import Random

import pytest

from borg_contract.codec import decode_plan, decode_result, encode
from borg_contract.plan import HookPlan, HooksPlan, RepositoryPlan, RunPlan, SourcePlan
from borg_contract.pod import RESULT_LIMIT_BYTES
from borg_contract.result import PreviousArchive, RepositoryResult, RunResult
from borg_contract.run import Operation, Phase
from borg_runner.borg.failure import explain_failure
from borg_runner.borg.listener import Listener
from borg_runner.borg.patterns import PATIENCE_SECONDS, UnusedPatterns
from borg_runner.log import Log
from borg_runner.process import Exit, Stream
from borg_runner.run.hooks import make_post_facts
from borg_runner.run.report import encode_result
from borg_runner.run.summary import summarize
from borg_runner.verbs.create import Request, make_create_arguments
from borg_runner.verbs.delete import make_delete_arguments
from faults.hostile import texts
from faults.seed import SEED

LOCAL = RepositoryPlan("main", "/repositories/main", "repokey-blake2", (SourcePlan("data"),))
HARMLESS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*")


def is_readable(line: str) -> bool:
    """Tell whether the line shows all that is in it, and is UTF-8."""
    line.encode()
    return HARMLESS.fullmatch(line) is not None


def test_what_borg_and_servers_print_gives_a_readable_log_and_a_result_that_the_operator_can_read() -> None:
    wrong: list[str] = []
    for number, text in enumerate(texts(1)):
        stream = io.StringIO()
        log = Log(stream)
        listener = Listener(log=log)
        began = time.monotonic()
        wrapped = {
            "type": "log_message",
            "levelname": ("WARNING", "ERROR")[number % 2],
            "message": text,
            "name": "root",
        }
        for line in (*text.split("\n"), json.dumps(wrapped), json.dumps({**wrapped, "message": f"Remote: {text}"})):
            listener.hear(Stream.ERROR, line)
        listener.close()
        fault = explain_failure(listener.outcome(Exit(2)), LOCAL)
        log.say(fault.text)
        failed = RepositoryResult(
            "main", Phase.FAILED, reason=fault.reason.value, error=fault.text, warnings=tuple(listener.warnings)
        )
        result = summarize([failed], None)
        decoded = decode_result(encode_result(result))
        lines = stream.getvalue().split("\n")
        if not all(map(is_readable, lines)):
            wrong.append(f"{text[:200]!r}: not readable in the log")
        if (decoded.phase, decoded.repositories[0].archive) != (Phase.FAILED, None):
            wrong.append(f"{text[:200]!r}: a forged result")
        if time.monotonic() - began > 1:
            wrong.append(f"{text[:200]!r}: took {time.monotonic() - began:.1f} s")
    assert wrong == []


def test_any_result_fits_into_the_termination_message_and_names_all_archives() -> None:
    chance, kept = Random(SEED), list(texts(2, 2_000))
    for text in texts(3, 2_000):
        a, b, c = (chance.choice(kept) for _ in range(3))
        archive = "".join(letter for letter in a if letter.isprintable())[:240] or "db-1"
        first = RepositoryResult(
            "main",
            Phase.COMPLETED_WITH_WARNINGS,
            archive=archive,
            previous=PreviousArchive(b, "2026-01-01T00:00:00Z"),
            unused_excludes=(text, c),
            warnings=(text, a, b),
            warning_count=3,
            locked_by=c,
        )
        second = replace(first, name="second", phase=Phase.FAILED, reason="BorgFailed", error=text, archive=None)
        message = encode_result(RunResult(Phase.FAILED, (first, second), "RepositoriesFailed", text))
        assert len(message.encode()) <= RESULT_LIMIT_BYTES
        assert "$" not in message
        decoded = decode_result(message)
        assert [item.archive for item in decoded.repositories] == [archive, None]
        assert [item.phase for item in decoded.repositories] == [first.phase, second.phase]


def test_a_post_backup_script_can_be_told_of_any_failure() -> None:
    for text in texts(4):
        failed = RepositoryResult("main", Phase.FAILED, reason="HookFailed", error=text)
        for value in make_post_facts(RunResult(Phase.FAILED, (failed,), "HookFailed", text)).values():
            assert "\0" not in value
            assert "\n" not in value
            assert len(value.encode("utf-8", "surrogateescape")) < 128 * 1024


def test_a_plan_arrives_as_it_was_whatever_is_in_its_texts() -> None:
    chance, kept = Random(SEED), list(texts(5))
    for text in kept:
        if re.search("[\ud800-\udfff]", text):  # no JSON of an API server holds such
            continue
        script = HookPlan(text, text, 30, {"HOST": text, "PLACE": chance.choice(kept[:6])})
        repository = replace(LOCAL, exclude=(text,), sources=(SourcePlan("data", (text,)),), hooks=HooksPlan(script))
        plan = RunPlan(
            namespace="team",
            schedule="db",
            operation=Operation.BACKUP,
            repositories=(repository,),
            archive_name_template=text,
        )
        line = encode(plan)
        assert "$" not in line
        assert line.isascii()
        assert line.isprintable()
        assert decode_plan(line) == plan


def test_no_text_becomes_an_argument_of_its_own() -> None:
    words = make_create_arguments(LOCAL, Request("db-1", ["/sources/data"], "c"), lock_wait=1)
    options = {word.split("=")[0] for word in words if word.startswith("-")} | {"--list", "--filter", "--exclude"}
    for text in texts(6):
        repository = replace(LOCAL, exclude=(text, "b"), location=f"/repositories/main/{text}")
        found = make_create_arguments(repository, Request(text, [f"/sources/data/{text}"], text), lock_wait=1)
        assert len(found) == len(words) + 4
        assert {word.split("=")[0] for word in found if word.startswith("-")} <= options
        if text:
            deletion = make_delete_arguments(repository, [text, text], lock_wait=1)
            assert deletion[-4:] == ["--", deletion[-3], text, text]


BOMBS = {
    "nested repetition": ("re:(a+)+b", "sources/data/" + "a" * 60),
    "alternatives that overlap": ("re:^sources/(x|xx)+y$", "sources/" + "x" * 60),
    "many folders": ("sh:" + "**/" * 12 + "b", "a/" * 60 + "c"),
    "many stars": ("sh:s" + "*a" * 12 + "b", "s" + "a" * 200),
}


@pytest.mark.parametrize(("pattern", "path"), BOMBS.values(), ids=BOMBS)
def test_an_expression_without_end_is_given_up_and_the_others_are_told(pattern: str, path: str) -> None:
    patterns = UnusedPatterns(["pp:sources/data/here", pattern, "re:never", "re:^s"])
    began = time.monotonic()
    patterns.see(path)
    assert time.monotonic() - began < PATIENCE_SECONDS + 20, "left alone it takes years"
    assert pattern not in patterns.names
    patterns.see("sources/data/here")
    assert patterns.names == ("re:never",)
