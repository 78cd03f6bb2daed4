"""Scripts around a backup: parameters arrive byte for byte, secrets stay secret, a failure has its consequences."""

import base64
import json
import re

import pytest

from e2e.team import Team

PARAMETERS = {
    "PLAIN": "nas.example.com",
    "SPACES": "  two words  and blanks ",
    "QUOTES": 'it\'s "quoted" and `not run`',
    "EXPANSION": "$(BORG_JOB_NAME) $(HOSTNAME) ${HOME} $HOME $(touch /tmp/never)",
    "DOLLARS": "$$ $$(BORG_JOB_NAME) $$$ $",
    "LINES": "first\nsecond\n\n\tfourth with a tab\n",
    "BACKSLASHES": r"C:\new\table \\ \u0024 \"",
    "UNICODE": "größer ✓ 🗄",
    "OPTION": "--help; exit 1 #",
    "BRACES": "{now} {{hostname}} %s %(x)s *",
    "EMPTY": "",
}
SECRET = "s3cr3t $(HOME) 'of' \"two\"\nlines-and-a-tail\n"
SECRET_LINES = ["s3cr3t $(HOME) 'of' \"two\"", "lines-and-a-tail"]

TELL = """#!/usr/bin/python3
import base64, os
for name in os.environ["NAMES"].split():
    print("value", name, base64.b64encode(os.environb[name.encode()]).decode())
"""

BETRAY = r"""#!/bin/bash
echo "the secret is $TOKEN"
printf '%s\n' "$TOKEN" >&2
set -x
: "$TOKEN"
set +x
printenv | grep --text --after-context=1 ^TOKEN
python3 - <<'END'
import os
from pathlib import Path

words = [line.encode() for line in os.environ["TOKEN"].splitlines()]
for path in Path("/proc").glob("[0-9]*/cmdline"):
    arguments = path.read_bytes()
    print("arguments", "betray it" if any(word in arguments for word in words) else "are silent", path.parent.name)
print("pid 1", "betrays it" if any(word in Path("/proc/1/environ").read_bytes() for word in words) else "is silent")
END
echo "failing with $TOKEN"
exit 7
"""


@pytest.fixture(scope="module")
def scripted(team: Team) -> Team:
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.script("tell", TELL, "NAMES", *PARAMETERS, secret=["TOKEN"])
    facts = "BORG_RUN_PHASE BORG_RUN_MESSAGE BORG_ARCHIVES BORG_FAILED_REPOSITORIES BORG_RUN_NAME BORG_SCHEDULE"
    team.script("report", TELL.replace('os.environ["NAMES"]', f'"{facts}"'))
    return team


def test_parameters_and_secrets_reach_the_script_byte_for_byte(scripted: Team) -> None:
    scripted.secret("token", value=SECRET)
    given = {**PARAMETERS, "NAMES": " ".join([*PARAMETERS, "TOKEN"])}
    plain = [{"name": name, "value": value} for name, value in given.items()]
    parameters = [*plain, _from_secret("TOKEN", "token", "value")]
    scripted.schedule("exact", hooks={"preBackup": {"scriptRef": {"name": "tell"}, "parameters": parameters}})

    scripted.completed("exact", "exact")

    assert _told(scripted.log("exact")) == {**PARAMETERS, "TOKEN": SECRET}


def test_a_failed_pre_backup_script_means_no_backup_and_the_post_backup_script_knows(scripted: Team) -> None:
    scripted.script("fail", "echo the dump is broken; exit 3")
    hooks = {"preBackup": {"scriptRef": {"name": "fail"}}, "postBackup": {"scriptRef": {"name": "report"}}}
    scripted.repository("untouched")
    scripted.schedule("failing", "untouched", hooks=hooks)

    status = scripted.run("failing", "failing")

    assert (status["phase"], status["reason"]) == ("Failed", "HookFailed")
    assert 'pre-backup script "fail" failed with exit code 3' in status["message"]
    assert "the dump is broken" in status["message"]
    (repository,) = status["repositories"]
    assert repository["phase"] == "Skipped"
    assert "archive" not in repository
    assert scripted.work("ls /repositories") == "main\n"
    told = _told(scripted.log("failing"))
    assert told["BORG_RUN_PHASE"] == "Failed"
    assert "exit code 3" in told["BORG_RUN_MESSAGE"]
    assert told["BORG_FAILED_REPOSITORIES"] == "untouched"
    assert told["BORG_ARCHIVES"] == ""
    assert (told["BORG_RUN_NAME"], told["BORG_SCHEDULE"]) == ("failing", "failing")


def test_a_script_that_takes_too_long_is_stopped_with_all_that_it_started(scripted: Team) -> None:
    scripted.script("slow", "sleep 601 & echo waiting; sleep 600", timeout=1)
    scripted.script("look", 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done')
    hooks = {"preBackup": {"scriptRef": {"name": "slow"}}, "postBackup": {"scriptRef": {"name": "look"}}}
    scripted.schedule("slow", hooks=hooks)

    status = scripted.run("slow", "slow", within=40)

    assert (status["phase"], status["reason"]) == ("Failed", "HookFailed")
    assert "did not end within 1 s (timeoutSeconds of the BorgScript)" in status["message"]
    assert status["repositories"][0]["phase"] == "Skipped"
    log = scripted.log("slow")
    assert "[look] /usr/bin/python3" in log or "[look] python" in log  # it saw the pod's processes
    assert "sleep 60" not in log


def test_a_failed_post_backup_script_is_a_warning_for_the_archive_is_good(scripted: Team) -> None:
    scripted.script("grumble", "echo no route; exit 1")
    scripted.schedule("grumbling", hooks={"postBackup": {"scriptRef": {"name": "grumble"}}})

    status = scripted.run("grumbling", "grumbling")

    assert (status["phase"], status["reason"]) == ("CompletedWithWarnings", "HookFailed")
    assert 'post-backup script "grumble" failed with exit code 1' in status["message"]
    assert status["repositories"][0]["archive"]


def test_a_secret_parameter_appears_nowhere_even_when_the_script_betrays_it(scripted: Team) -> None:
    scripted.secret("token", value=SECRET)
    scripted.script("betray", BETRAY, secret=["TOKEN"])
    hook = {"scriptRef": {"name": "betray"}, "parameters": [_from_secret("TOKEN", "token", "value")]}
    scripted.schedule("treason", hooks={"preBackup": hook, "postBackup": hook})

    status = scripted.run("treason", "treason")

    assert status["reason"] == "HookFailed"
    log = scripted.log("treason")
    assert "the secret is ***" in log  # it tried
    assert "arguments are silent" in log
    assert "betray it" not in log
    assert "pid 1 is silent" in log
    assert "failing with ***" in status["message"]
    everything = "\n".join([*_all_objects(scripted), log])
    assert "failing with ***" in everything
    for word in SECRET_LINES:
        for form in (word, json.dumps(word)[1:-1], base64.b64encode(word.encode()).decode().rstrip("=")):
            assert form not in everything, f"{form!r} is in …{_around(everything, form)}…"


def _from_secret(parameter: str, secret: str, key: str) -> dict[str, object]:
    return {"name": parameter, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _told(log: str) -> dict[str, str]:
    """Return what the scripts `tell` and `report` said of each value."""
    found = re.findall(r"^\[\w+\] value (\w+) ?(\S*)$", log, re.MULTILINE)
    return {name: base64.b64decode(value).decode() for name, value in found}


def _all_objects(team: Team) -> list[str]:
    """Return every object of the namespace that is not the Secret itself, of every kind that can be listed."""
    kinds = team("api-resources", "--namespaced", "--verbs=list", "--output=name").stdout.split()
    assert {"pods", "jobs.batch", "borgruns.borgoperator.io", "configmaps", "events"} <= set(kinds)
    listed = ",".join(kind for kind in kinds if kind != "secrets")
    return [team("get", listed, "--output=yaml").stdout, team("get", listed, "--output=json").stdout]


def _around(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 300) : at + 100]
