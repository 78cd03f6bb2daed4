"""Runs the scripts around a backup.

A script is an executable file: its first line names the interpreter, without one it is for /bin/sh. Its environment:

- each parameter under its own name, byte for byte, secret ones too;
- BORG_NAMESPACE, BORG_SCHEDULE (empty for a run of no schedule), BORG_RUN_NAME, BORG_OPERATION; for a repository's own
  scripts also BORG_REPOSITORY;
- after the backup, for the post-backup script: BORG_RUN_PHASE (Completed, CompletedWithWarnings, Failed),
  BORG_RUN_MESSAGE (a sentence on one line, empty when all went well), BORG_ARCHIVES (a line "<repository> <archive>"
  for each archive written), BORG_FAILED_REPOSITORIES (names of repositories that failed or were skipped, by blanks).
  Before the backup, BORG_RUN_PHASE is Running.

HOME, where it also starts, is a folder of all scripts of the run. TMPDIR is one of its own: what cleans up there takes
nothing of others away. Neither holds anything that the runner needs.

A parameter wins over a value of the same name. Output goes to the pod's log line by line, secrets concealed. What a
script leaves running in the background lives until the pod ends, and should redirect its output.
"""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import HookPlan, RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_runner.fault import Fault, FaultError, explain_os_error
from borg_runner.interruption import Interruption
from borg_runner.log import Log, Tail, end_sentence, make_printable, shorten
from borg_runner.process import Command, Exit, StopStep, Stream, run_process
from borg_runner.run.secrets import read_secret
from borg_runner.run.summary import is_bad
from borg_runner.scratch import make_unique_folder

KILL_SECONDS = 10.0
"""Between SIGTERM and SIGKILL to a script's process group."""
SHUTDOWN_SECONDS = 5.0
"""What is left of the pod's grace period for writing the result."""
MESSAGE_CHARACTERS = 4096
"""An environment value of more than 128 KiB would keep the script from being started, and so would a NUL in it."""


def make_run_facts(plan: RunPlan, *, run_name: str) -> dict[str, str]:
    """Return what every script is told."""
    return {
        "BORG_NAMESPACE": plan.namespace,
        "BORG_SCHEDULE": plan.schedule,
        "BORG_RUN_NAME": run_name,
        "BORG_OPERATION": plan.operation.value,
    }


def make_post_facts(result: RunResult) -> dict[str, str]:
    """Return what a post-backup script is told besides."""
    return {
        "BORG_RUN_PHASE": result.phase.value,
        "BORG_RUN_MESSAGE": make_printable(shorten(result.message, MESSAGE_CHARACTERS)),
        "BORG_ARCHIVES": "\n".join(f"{item.name} {item.archive}" for item in result.repositories if item.archive),
        "BORG_FAILED_REPOSITORIES": " ".join(item.name for item in result.repositories if is_bad(item)),
    }


@dataclass(frozen=True, kw_only=True)
class HookRunner:
    """What all scripts of a run have in common."""

    namespace: str
    environment: Mapping[str, str]
    scratch: Path
    """The runner's own folder: scripts live below."""
    log: Log
    interruption: Interruption
    kill_seconds: float = KILL_SECONDS

    @property
    def home(self) -> Path:
        return self.scratch / "home"

    def run(self, hook: HookPlan, title: str, facts: Mapping[str, str], *, until_killed: bool = False) -> Fault | None:
        """Run `hook`, return what went wrong or None.

        A shutdown stops it, unless `until_killed`: then it may use what is left of the pod's grace period.
        """
        self.log.say(f'{title} script "{hook.script}" begins')
        began = time.monotonic()
        try:
            parameters = self._read_parameters(hook)
            fault = self._execute(hook, title, {**facts, **parameters}, until_killed=until_killed)
        except FaultError as error:
            fault = Fault(error.fault.reason, f'{title} script "{hook.script}" did not run: {error.fault.text}')
        except OSError as error:  # of the scratch folder: what was backed up by now is not to be forgotten for that
            text = explain_os_error(error).text
            fault = Fault(Reason.HOOK_FAILED, f'{title} script "{hook.script}" did not run: {text}')
        if fault is None:
            self.log.say(f'{title} script "{hook.script}" ended well after {time.monotonic() - began:.1f} s')
        else:
            self.log.say(f"error: {fault.text}")
        return fault

    def _read_parameters(self, hook: HookPlan) -> dict[str, str]:
        secrets = {
            name: os.fsdecode(read_secret(secret, self.namespace, self.log))
            for name, secret in hook.secret_parameters.items()
        }
        return {**hook.parameters, **secrets}

    def _execute(self, hook: HookPlan, title: str, told: Mapping[str, str], *, until_killed: bool) -> Fault | None:
        folder = self._make_folder()
        content = _normalize(hook.content)
        path = _write_script(content, folder)
        (folder / "tmp").mkdir(mode=0o700)
        own = {"HOME": str(self.home), "TMPDIR": str(folder / "tmp")}
        tail = Tail()
        deadline = time.monotonic() + hook.timeout_seconds
        started = False

        def time_left() -> float:
            return min(
                deadline - time.monotonic(), self.interruption.seconds_left() - SHUTDOWN_SECONDS - self.kill_seconds
            )

        def on_line(_stream: Stream, line: str) -> None:
            text = self.log.conceal(line)
            tail.add(text)
            self.log.say(text, f"[{hook.script}] ")

        arguments = [str(path)] if content.startswith("#!") else ["/bin/sh", str(path)]
        try:
            ending = run_process(
                Command(
                    arguments=arguments,
                    environment={**self.environment, **own, **told},
                    directory=str(self.home),
                    merge_errors=True,
                    stop_group=True,
                ),
                on_line=on_line,
                stop_steps=lambda: (StopStep(signal.SIGTERM, self.kill_seconds), StopStep(signal.SIGKILL, 1.0)),
                time_left=time_left,
                interruption=None if until_killed else self.interruption,
            )
            started = True
        except (OSError, ValueError) as error:
            what = f"could not be started: {_describe_start(error, content)}."
        finally:
            path.unlink(missing_ok=True)
        if started:
            what = _describe(ending, hook, self.interruption)
        if not what:
            return None
        said = f" Its last output: {end_sentence(tail.text())}" if tail.text() else ""
        reason = Reason.INTERRUPTED if started and ending.interrupted else Reason.HOOK_FAILED
        return Fault(reason, f'{title} script "{hook.script}" {self.log.conceal(what)}{said}')

    def _make_folder(self) -> Path:
        """Return a new folder for one script. A script may have removed all above it: that is made anew."""
        self.scratch.mkdir(mode=0o700, exist_ok=True)
        self.home.mkdir(mode=0o700, exist_ok=True)
        return make_unique_folder(self.scratch, "script-", "")


def _normalize(content: str) -> str:
    """Return the script as Unix has it. Windows puts a byte order mark first, by which `#!` begins no line.

    To a shell the CR would be part of the last word of each line, and of the interpreter's name.
    """
    return content.removeprefix("\ufeff").replace("\r\n", "\n")


def _write_script(content: str, folder: Path) -> Path:
    path = folder / "script"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(content)
    return path


def _describe_start(error: OSError | ValueError, content: str) -> str:
    """Return why a script did not start. For an interpreter that is missing, the kernel names the script instead."""
    if content.startswith("#!") and isinstance(error, FileNotFoundError):
        interpreter = content.splitlines()[0].removeprefix("#!").strip().partition(" ")[0]
        return f"the interpreter of its first line, {interpreter}, is not in the runner's image"
    return f"{error}. Look at its first line, and for NUL characters in parameters"


def _describe(ending: Exit, hook: HookPlan, interruption: Interruption) -> str:
    if ending.interrupted or (ending.timed_out and interruption.requested):
        return "was stopped because the pod is being stopped."
    if ending.timed_out:
        return (
            f"did not end within {hook.timeout_seconds} s (timeoutSeconds of the BorgScript) and was killed, with what "
            "it started (but for what made a session of its own: `setsid`)."
        )
    if ending.code < 0:
        return f"was killed by signal {-ending.code}."
    if ending.code:
        return f"failed with exit code {ending.code}."
    return ""
