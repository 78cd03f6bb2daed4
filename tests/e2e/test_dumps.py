"""Dumps with a real kubelet: a second container whose output is archived, and one that is given it back.

The containers have the runner's image, which every cluster allows: what a database does is in
tests/integration/programs/test_runner_databases.py, with real ones.
"""

import json
from typing import Any

import pytest

from e2e.team import API_VERSION, Object, Team

PASSWORD = "canary-of-a-dump-4711"


@pytest.fixture(scope="module", autouse=True)
def prepared(team: Team) -> None:
    team.prepare()
    team.work("echo content >/data/file")
    team.secret("app-db", password=PASSWORD)
    team.repository("main")


def command(team: Team, script: str, **more: Any) -> Object:
    secret = {"secretKeyRef": {"name": "app-db", "key": "password"}}
    env = [{"name": "PASSWORD", "valueFrom": secret}]
    return {"image": team.images["runner"], "command": ["sh", "-c", script], "env": env, **more}


def dump(team: Team, script: str, name: str = "db", **more: Any) -> Object:
    return {"name": name, "dump": command(team, script, path="app.dump", **more)}


def volume() -> Object:
    return {"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "app-data"}}}


def test_a_dump_beside_a_volume_is_archived_and_given_back_to_a_command(team: Team) -> None:
    team.schedule("both", sources=[volume(), dump(team, 'id -u >&2; seq 100000; test -n "$PASSWORD"')])
    status = team.completed("both-1", "both")
    (repository,) = status["repositories"]
    assert repository["files"] == 2
    (pod,) = team.items("pods", "batch.kubernetes.io/job-name=both-1")
    assert {item["name"]: item["state"]["terminated"]["exitCode"] for item in pod["status"]["containerStatuses"]} == {
        "borg": 0,
        "stream-db": 0,
    }
    restore = {
        "repositoryRef": {"name": "main"},
        "archive": repository["archive"],
        "source": "db",
        "target": {"stream": command(team, 'test "$(cksum)" = "$(seq 100000 | cksum)"')},
    }
    team.make("BorgRestore", "back", **restore)
    found = team.eventually(
        lambda: team.get("brest", "back"),
        "the BorgRestore has ended",
        holds=lambda seen: "completionTime" in seen.get("status", {}),
        within=180,
    )
    assert found["status"]["phase"] == "Completed", json.dumps(found, indent=1)
    assert found["apiVersion"] == API_VERSION


@pytest.mark.parametrize(
    ("name", "script", "words"),
    [
        ("fails", 'echo half; echo "FATAL: $PASSWORD is wrong" >&2; exit 1', "Its last words: FATAL: *** is wrong"),
        ("missing", "exec /nowhere/pg_dump", "is not in its image"),
    ],
)
def test_a_dump_that_fails_says_why_and_leaves_no_archive(team: Team, name: str, script: str, words: str) -> None:
    team.schedule(name, sources=[dump(team, script)])
    before = team.archives("main")
    status = team.run(f"{name}-1", name)
    (repository,) = status["repositories"]
    assert (status["phase"], repository["reason"]) == ("Failed", "DumpFailed"), team.story()
    assert words in repository["error"]
    assert team.archives("main") == before
    assert PASSWORD not in json.dumps(status) + team("logs", f"job/{name}-1", "--all-containers").stdout


def test_a_dump_that_never_ends_ends_with_the_deadline_and_keeps_no_pod(team: Team) -> None:
    team.schedule("endless", sources=[dump(team, "echo half; sleep 100000")], activeDeadlineSeconds=60)
    status = team.run("endless-1", "endless", within=300)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded"), team.story()
    (pod,) = team.items("pods", "batch.kubernetes.io/job-name=endless-1")
    assert all("terminated" in item["state"] for item in pod["status"]["containerStatuses"])


def test_an_image_that_is_not_allowed_is_refused(team: Team) -> None:
    team.schedule("foreign", sources=[dump(team, "true", image="registry.invalid/postgres:17")])
    found = team.eventually(
        lambda: team.get("bsched", "foreign"),
        "the schedule says that the image is not allowed",
        holds=lambda seen: "ImageNotAllowed" in json.dumps(seen.get("status", {})),
    )
    assert 'dump of source \\"db\\"' in json.dumps(found["status"])
