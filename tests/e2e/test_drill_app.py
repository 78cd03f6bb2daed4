"""An application tries what a drill restored, in a pod of the restricted Pod Security Standard."""

from typing import Any

import pytest

from e2e.team import Object, Team

DUMP = "/restored/night/sources/data/dump.sql"


@pytest.fixture(scope="module")
def filled(team: Team) -> Team:
    team.prepare()
    team.work("echo 'select 1;' > /data/dump.sql; echo other > /data/other")
    team.repository("main")
    team.schedule("night")
    team.completed("backup", "night")
    return team


def drilled(team: Team, name: str, script: str, **app: Any) -> tuple[Object, Object]:
    """Return how a drill ended whose application is this script, in the one image that every cluster allows."""
    asked = {"image": team.images["runner"], "command": ["sh", "-c", script], "paths": ["sources/data/dump.sql"], **app}
    team.repository("main", verification={"drill": {"schedule": "0 5 * * 6", "app": asked}})
    team.begin(name, operation="Drill", repository="main")
    status = team.finished(name)
    [result] = status["repositories"]
    return status, result


def test_an_application_reads_what_was_drilled_and_nothing_else(filled: Team) -> None:
    script = (
        f"grep -q 'select 1' {DUMP} && ! touch {DUMP} 2>/dev/null && touch /tmp/mine && "
        "! ls /var/run/secrets/kubernetes.io /run/borg/secrets 2>/dev/null"
    )
    status, result = drilled(filled, "good", script)
    assert status["phase"] == "Completed", filled.story()
    assert result["drill"]["files"] >= 1


def test_an_application_that_fails_fails_the_drill_with_what_it_said(filled: Team) -> None:
    status, result = drilled(filled, "bad", "echo no such table; exit 3")
    assert (status["phase"], status["reason"]) == ("Failed", "AppFailed"), filled.story()
    assert "exit code 3. It last said: no such table" in result["error"]
    filled.eventually(
        lambda: filled.get("brepo", "main")["status"].get("lastDrillResult"),
        "the repository says so",
        holds=lambda found: found == "Failed",
    )


def test_an_application_that_never_ends_is_ended(filled: Team) -> None:
    status, result = drilled(filled, "slow", "trap 'exit 9' TERM; sleep 3600 & wait", timeoutSeconds=5)
    assert (status["phase"], status["reason"]) == ("Failed", "AppTimedOut"), filled.story()
    assert "had not ended 5 s" in result["error"]


def test_a_secret_that_it_prints_is_told_by_nobody(filled: Team) -> None:
    filled("create", "secret", "generic", "pg", "--from-literal=password=hunter2")
    variable = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "pg", "key": "password"}}}
    status, _ = drilled(filled, "loud", 'echo "$PGPASSWORD" | tee /dev/stderr; exit 1', env=[variable])
    assert status["reason"] == "AppFailed", filled.story()
    pods = filled("get", "pods,brun,brepo,events", "-o", "yaml").stdout
    assert "hunter2" not in pods
