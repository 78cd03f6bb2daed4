"""Scripts: parameters arrive as they are, secrets show nowhere, and every script comes to an end."""

import io
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from borg_contract.plan import HookPlan, SecretFile
from borg_contract.reasons import Reason
from borg_runner.fault import Fault
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.run.hooks import HookRunner

NASTY = {
    "BLANKS": "  two  words ",
    "QUOTES": 'it\'s "quoted"',
    "COMMAND": "$(touch /tmp/never) `id` ${HOME} $HOME",
    "LINES": "one\ntwo\n\n",
    "SIGNS": "*?[a] ; | & > < \\ ! # ~ %s {} é 💾",
    "EMPTY": "",
}
SECRET = "s3cret 'value'\nsecond line of it"


@dataclass
class Stage:
    """A place to run scripts in."""

    folder: Path
    output: io.StringIO
    interruption: Interruption
    runner: HookRunner

    def run(self, content: str, **changes: object) -> Fault | None:
        hook = HookPlan("wake-nas", content, 20)
        return self.runner.run(replace(hook, **changes), "pre-backup", {"BORG_RUN_PHASE": "Running"})  # type: ignore[arg-type]

    @property
    def log(self) -> str:
        return self.output.getvalue()


def make_runner(folder: Path, output: io.StringIO, interruption: Interruption) -> HookRunner:
    return HookRunner(
        namespace="team",
        environment={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        scratch=folder,
        log=Log(output),
        interruption=interruption,
    )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    output, interruption = io.StringIO(), Interruption(grace_seconds=60)
    runner = make_runner(tmp_path, output, interruption)
    runner.home.mkdir()
    return Stage(runner.home, output, interruption, runner)


@pytest.mark.parametrize("name", NASTY)
def test_a_parameter_arrives_byte_for_byte(stage: Stage, name: str) -> None:
    assert stage.run(f'printf %s "${name}" > got', parameters=NASTY) is None
    assert (stage.folder / "got").read_text() == NASTY[name]


def test_a_secret_parameter_arrives_byte_for_byte_and_is_concealed_in_the_log(stage: Stage) -> None:
    path = stage.folder / "secret"
    path.write_text(SECRET)
    fault = stage.run(
        'printf %s "$TOKEN" > got; echo "the token is $TOKEN"; echo "$TOKEN" >&2; exit 3',
        secret_parameters={"TOKEN": SecretFile(str(path), "nas", "token")},
    )
    assert (stage.folder / "got").read_text() == SECRET
    assert fault is not None
    assert "failed with exit code 3" in fault.text
    for line in SECRET.split("\n"):
        assert line not in stage.log
        assert line not in fault.text
    assert "[wake-nas] the token is ***" in stage.log


def test_a_missing_secret_names_the_secret_and_the_command_that_makes_it(stage: Stage) -> None:
    fault = stage.run("true", secret_parameters={"TOKEN": SecretFile("/nowhere", "nas", "token")})
    assert fault is not None
    assert fault.reason is Reason.SECRET_MISSING
    assert 'Secret "nas" has no key "token" (or does not exist) in namespace "team"' in fault.text
    assert "kubectl -n team create secret generic nas --from-literal=token=" in fault.text


@pytest.mark.parametrize(
    "content",
    [
        "#!/usr/bin/env python3\nprint('hi')",
        "\ufeff#!/usr/bin/env python3\r\nprint('hi')\r\n",
        "echo hi",
        "\ufeffecho hi",
        "\n# no shebang\necho hi",
        "#!/bin/sh -e\necho hi",
    ],
)
def test_the_first_line_names_the_interpreter_and_sh_is_the_default(stage: Stage, content: str) -> None:
    assert stage.run(content) is None
    assert "[wake-nas] hi\n" in stage.log


def test_a_script_leaves_no_file_behind(stage: Stage) -> None:
    stage.run("true")
    assert list(stage.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("exit 7", "failed with exit code 7"),
        ("kill -9 $$", "was killed by signal 9"),
        (
            "#!/no/such/interpreter -e\n",
            "the interpreter of its first line, /no/such/interpreter, is not in",
        ),
        ("#!/etc/passwd\necho", "could not be started: [Errno 13] Permission denied"),
        ("echo the reason; exit 1", "Its last output: the reason"),
    ],
)
def test_a_failure_says_how_and_with_which_last_words(stage: Stage, content: str, words: str) -> None:
    fault = stage.run(content)
    assert fault is not None
    assert fault.reason is Reason.HOOK_FAILED
    assert 'pre-backup script "wake-nas"' in fault.text
    assert words in fault.text


def test_only_the_last_500_characters_of_output_are_in_the_error(stage: Stage) -> None:
    fault = stage.run("for i in $(seq 2000); do echo line $i; done; exit 1")
    assert fault is not None
    assert "line 2000" in fault.text
    assert "line 1000" not in fault.text
    assert len(fault.text) < 700


def test_a_script_that_hangs_is_killed_with_all_that_it_started(stage: Stage) -> None:
    began = time.monotonic()
    fault = stage.run("sleep 300 & echo $! > child; sleep 300", timeout_seconds=2)
    assert time.monotonic() - began < 60
    assert fault is not None
    assert "did not end within 2 s (timeoutSeconds" in fault.text
    child = int((stage.folder / "child").read_text())
    while not _gone(child):
        assert time.monotonic() - began < 60


def test_a_script_that_ignores_sigterm_is_killed_all_the_same(stage: Stage) -> None:
    stage.runner = replace(stage.runner, kill_seconds=0.5)
    assert stage.run("trap '' TERM; while true; do sleep 0.1; done", timeout_seconds=1) is not None


def test_what_a_script_leaves_running_does_not_hold_up_the_run(stage: Stage) -> None:
    began = time.monotonic()
    assert stage.run("sleep 300 & echo $! > child") is None
    assert time.monotonic() - began < 60
    os.kill(int((stage.folder / "child").read_text()), signal.SIGKILL)


def test_an_interruption_stops_a_script(stage: Stage) -> None:
    threading.Timer(0.5, stage.interruption.request).start()
    fault = stage.run("sleep 300")
    assert fault is not None
    assert fault.reason is Reason.INTERRUPTED


def test_the_script_after_the_backup_may_go_on_for_what_is_left_of_the_grace_period(tmp_path: Path) -> None:
    output, interruption = io.StringIO(), Interruption(grace_seconds=17)
    runner = make_runner(tmp_path, output, interruption)
    interruption.request()
    hook = HookPlan("sleep-nas", "sleep 0.5; echo done", 300)
    assert runner.run(hook, "post-backup", {}, until_killed=True) is None
    fault = runner.run(replace(hook, content="sleep 300"), "post-backup", {}, until_killed=True)
    assert fault is not None
    assert "because the pod is being stopped" in fault.text


def test_output_without_line_ends_and_control_characters_stays_one_line(stage: Stage) -> None:
    stage.run("printf 'a\\033[31mb\\rc\\000d'")
    assert "[wake-nas] a\\x1b[31mb\\x0dc\\x00d\n" in stage.log


def test_a_script_learns_which_run_it_belongs_to(stage: Stage) -> None:
    stage.run('echo "phase $BORG_RUN_PHASE"')
    assert "phase Running" in stage.log


def _gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("first", ["", "#!/bin/sh\r\n"], ids=["without an interpreter", "with one"])
def test_a_script_that_was_written_on_windows_does_the_same(stage: Stage, first: str) -> None:
    assert stage.run(f'{first}set -eu\r\nif true; then\r\n  echo "[$BORG_RUN_PHASE]"\r\nfi\r\n') is None
    assert "[Running]\n" in stage.log


@pytest.mark.parametrize(
    "careless",
    [
        'rm -rf "$TMPDIR"',
        'rm -rf "$HOME"',
        'chmod 500 "$HOME"',
        'chmod 0 "$TMPDIR"',
        'rm -rf "$HOME/.."/*',
        'rm -rf "$HOME/.."',
    ],
)
def test_the_next_script_runs_whatever_one_has_removed(stage: Stage, careless: str) -> None:
    stage.run(careless)
    assert stage.run('echo temporary > "$TMPDIR/file"; echo hi') is None
    assert "[wake-nas] hi\n" in stage.log


def test_a_script_that_cannot_be_written_is_told_of(stage: Stage) -> None:
    stage.runner.scratch.joinpath("home").rmdir()
    stage.runner.scratch.rmdir()
    stage.runner.scratch.write_text("a file in its place")
    fault = stage.run("echo hi")
    assert fault is not None
    assert fault.reason is Reason.HOOK_FAILED
    assert 'pre-backup script "wake-nas" did not run' in fault.text


def test_scripts_of_a_run_share_a_home_and_each_has_a_temporary_folder(stage: Stage) -> None:
    assert stage.run('echo kept > "$HOME/for-later"; echo mine > "$TMPDIR/x"') is None
    assert stage.run('test "$(cat "$HOME/for-later")" = kept && test ! -e "$TMPDIR/x"') is None
