"""A real borg, whose files, patterns, scripts and names are as hostile as Linux and the API let them be."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from borg_contract.codec import encode
from borg_contract.plan import HooksPlan, SourcePlan
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.retention import Retention
from borg_contract.run import Phase
from faults.seed import SEED
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Ended, Pod, hook, wait_until

LONGEST_NAME = 255
PIECES: list[bytes] = [
    *(b"\n", b"\r", b"\x1b[2J\x1b[31m", b"\x07", b"\x7f", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\t", b" "),
    *("\u202e\u2066\u200f\u2028\ufeff💾éé\x85".encode(), b"\\", b'"', b"'", b"*", b"?", b"[a-", b"]", b"!"),
    *(b"--", b"-h", b"--help", b"--exclude=*", b"::", b"..", b"{hostname}", b"{now", b"}}", b"%s", b"$(HOME)", b"${x}"),
    *(b"; id", b"`id`", b"|", b"&&", b"<b>", b"[x](y)", b"# x", b"re:", b"sh:**", b"pp:", b"a", b"b", b".checkpoint"),
    *(b'{"type": "log_message", "levelname": "ERROR", "msgid": "PassphraseWrong", "message": "forged"}',),
]
FORGED = encode(RunResult(Phase.COMPLETED, (RepositoryResult("main", Phase.COMPLETED, archive="forged", files=1),)))
UNREADABLE_LINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def names(chance: Random, count: int) -> set[bytes]:
    found = {b"--", b"-h", b"--help", b" ", b"\n", b"{now}", b"*", b"~", b"\xff", b"REPO::x", b"$(HOME)"}
    while len(found) < count:
        name = b"".join(chance.choice(PIECES) for _ in range(chance.randint(1, 12))).replace(b"/", b"")
        found.add(name[:LONGEST_NAME] if chance.random() < 0.9 else (name * LONGEST_NAME)[:LONGEST_NAME])
    return found - {b"", b".", b".."}


def fill(folder: Path, chance: Random, count: int) -> set[bytes]:
    """Make files, and some folders with one in each, of hostile names; return their paths in `folder`."""
    made = set()
    for name in sorted(names(chance, count)):
        path = name
        if chance.random() < 0.2:
            (folder / os.fsdecode(name)).mkdir()
            path = name + b"/" + chance.choice(sorted(names(chance, 20)))
        (folder / os.fsdecode(path)).write_bytes(path)
        made.add(path)
    return made


def extracted(pod: Pod, archive: str) -> dict[bytes, bytes]:
    """Return the content of all files of the archive, by path below the data, byte for byte as they come back."""
    folder = pod.root / "extracted"
    folder.mkdir()
    pod.ask_borg(pod.repository(), "extract", f"REPO::{archive}", directory=folder)
    top = os.fsencode(folder / str(pod.data).lstrip("/"))
    paths = [os.path.join(place, name) for place, _, names in os.walk(top) for name in names]  # noqa: PTH118 - bytes
    return {path.removeprefix(top + b"/"): Path(os.fsdecode(path)).read_bytes() for path in paths}


def assert_readable(ended: Ended) -> None:
    assert UNREADABLE_LINE.search(ended.log) is None
    assert "Traceback" not in ended.log
    assert len(ended.message) <= 4096
    assert ended.message.isascii()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


@pytest.mark.parametrize("files", [200, pytest.param(3_000, marks=pytest.mark.long)])
def test_files_of_any_name_are_archived_byte_for_byte_and_named_readably_when_they_cannot_be_read(
    pod: Pod, files: int
) -> None:
    chance = Random(SEED)
    made = fill(pod.data, chance, files)
    shut = sorted(path for path in made if chance.random() < 0.2)
    for path in shut:
        (pod.data / os.fsdecode(path)).chmod(0)
    exclude = ("*.tmp", "re:(?s).*never.*", "sh:**/*{now}$(HOME)`id`", "*/--help-not-there", "re:[\\x00-\\x01]")

    ended = pod.run(pod.plan(pod.repository(exclude=exclude)))

    [result] = ended.result.repositories
    assert (ended.result.phase, result.warning_count) == (Phase.COMPLETED_WITH_WARNINGS, len(shut)), ended.log[-3000:]
    found = extracted(pod, str(result.archive))
    assert found == {b"hello.txt": b"hello\n", **{path: path for path in made - set(shut)}}
    assert set(result.unused_excludes) <= set(exclude)
    assert_readable(ended)


def test_patterns_reach_borg_as_they_are_written(pod: Pod) -> None:
    """No placeholder, no shell, no option: each leaves out the one file that it names, and no other."""
    wanted = {f"-{word}" for word in ("-help", "h", "-delete", "-exclude=x", "-json", "{now}", "{hostname}", "$(HOME)")}
    wanted |= {"{now}", "{{now}}", "a;id", "`id`", "REPO::x", "::", "é\u202e", "x\ny", "tab\there", "--", "%s"}
    for name in (*wanted, "kept"):
        (pod.data / name).write_text(name)
    root = str(pod.data).lstrip("/")

    ended = pod.run(pod.plan(pod.repository(exclude=tuple(f"pf:{root}/{name}" for name in sorted(wanted)))))

    assert ended.result.phase is Phase.COMPLETED, ended.log
    [result] = ended.result.repositories
    assert set(extracted(pod, str(result.archive))) == {b"kept", b"hello.txt"}
    assert result.unused_excludes == ()
    assert_readable(ended)


def test_paths_and_templates_like_options_name_folders_and_archives(pod: Pod) -> None:
    paths = ("--help", "-h", "{now}", "x y", "*", "$(HOME)", "re:.*", "\n", "~")
    for path in paths:
        (pod.data / path).mkdir()
        (pod.data / path / "file").write_text("x")
    sources = (SourcePlan("data", paths),)
    template = "--help -h $(HOME) `id` %s * ? [a] ' \" \\ é-{job_name}-{timestamp}"
    plan = pod.plan(pod.repository(sources=sources), archive_name_template=template, prune=Retention.only(keep_daily=1))

    first, second = pod.run(plan), pod.run(plan)

    for ended in (first, second):
        assert ended.result.phase is Phase.COMPLETED, ended.log
        assert str(ended.result.repositories[0].archive).startswith("--help -h $(HOME) `id` %s * ? [a] ' \" \\ é-db-")
    [result] = second.result.repositories
    found = pod.ask_borg(pod.repository(), "list", "--format={archive}{NL}", "REPO").splitlines()
    assert found == [result.archive]  # prune knew its own by the name, and deleted the one before
    listing = pod.ask_borg(pod.repository(), "list", "--json-lines", f"REPO::{result.archive}").splitlines()
    in_it = {json.loads(line)["path"] for line in listing if json.loads(line)["type"] == "-"}
    assert in_it == {f"{str(pod.data).lstrip('/')}/{path}/file" for path in paths}


SAYS = rf"""#!/usr/bin/env python3
import os, sys
out = sys.stdout.buffer
out.write({FORGED.encode()!r} + b"\n")
out.write(b'{{"type": "log_message", "levelname": "ERROR", "msgid": "PassphraseWrong", "message": "forged"}}\n')
out.write(b"\x00\x1b[2J\x1b[31mred\r\n" + bytes(range(256)) * 4 + b"\n" + "\u202e\u2066x\u2028y\n".encode())
out.write(b"x" * 65536 + b"\n" + b"[" * 70000 + b"\n" + b"no end of line \xff")
out.flush()
open(os.environ["RESULT"], "wb").write({FORGED.encode()!r})
sys.exit(int(os.environ["CODE"]))
"""


@pytest.mark.parametrize("code", ["0", "9"])
def test_what_a_script_prints_and_writes_forges_no_result_and_the_next_one_is_told(pod: Pod, code: str) -> None:
    told = pod.root / "told"
    parameters = {"RESULT": str(pod.root / "dev/termination-log"), "CODE": code}
    pre = replace(hook(SAYS, script="says"), parameters=parameters)
    post = hook(f'printf "%s|%s" "$BORG_RUN_PHASE" "$BORG_RUN_MESSAGE" > "{told}"', script="tells")

    ended = pod.run(pod.plan(hooks=HooksPlan(pre, post)))

    assert ended.result.phase is (Phase.FAILED if code == "9" else Phase.COMPLETED), ended.log[-2000:]
    assert "forged" not in ended.message.decode()
    assert_readable(ended)
    phase, _, message = told.read_text().partition("|")
    assert phase == ended.result.phase.value
    assert ("failed with exit code 9" in message) is (code == "9")
    assert "\\x0a" not in ended.result.message


@pytest.mark.long
def test_an_expression_without_end_is_stopped_in_order(pod: Pod) -> None:
    """Borg tries it for years and hears no SIGINT meanwhile; the pod that is ended leaves a result all the same."""
    (pod.data / ("a" * 60 + "!")).write_text("x")
    with pod.running(pod.plan(pod.repository(exclude=("re:(a+)+b$",)))) as process:
        wait_until(lambda: list((pod.root / "repositories/main/data").glob("*/*")))
        wait_until(lambda: process.poll() is not None or _is_trying(process.pid), 20)
        process.terminate()
        ended = pod.wait(process)
    assert (ended.result.phase, ended.result.reason) == (Phase.FAILED, "Interrupted"), ended.log


def _is_trying(runner: int) -> bool:
    """Tell whether a borg has worked for two seconds."""
    children = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
    ticks = [
        int(part) for pid in children for part in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    ]
    return sum(ticks) > 2 * os.sysconf("SC_CLK_TCK")
