"""A run over REST: asked for, followed line by line while it goes on, and told with all its figures."""

import time
from typing import Any

import pytest

from e2e.team import Team
from support.rest import Rest, find_facade, make_account


@pytest.fixture(scope="module")
def person(team: Team) -> Rest:
    """Give somebody who may do all with backups in the team's namespace, and nothing else."""
    team.prepare()
    team.work("head -c 3000000 /dev/urandom > /data/random; echo hello > /data/hello")
    team.repository("main")
    team.repository("other")
    team.script("slow", "echo line one; echo line two; sleep 3; echo line three")
    person = Rest(find_facade(), team.namespace, make_account(team.kubectl, team.namespace, "person", "borg-admin"))
    team.eventually(lambda: person.look("/api/scripts"), "the facade sees the script, and lets the person see it")
    return person


def test_a_run_is_followed_while_it_goes_on_and_told_when_it_has_ended(team: Team, person: Rest) -> None:
    scripts = {script["name"]: script["id"] for script in person.get("/api/scripts")}
    ids = {item["name"]: item["id"] for item in person.get("/api/repositories/")["repositories"]}
    targets = {"repository": None, "repository_ids": [ids["main"], ids["other"]]}
    fields = {"cron_expression": "0 0 1 1 *", "run_prune_after": True, "pre_backup_script_id": scripts["slow"]}
    job = person.create("Followed", **targets, **fields)
    run = person.send("POST", f"/api/schedule/{job['id']}/run-now")["job_id"]

    lines: list[str] = []
    seen_while_running = 0
    deadline = time.monotonic() + 90
    while True:
        status = person.get(f"/api/backup/status/{run}")["status"]
        log = person.get(f"/api/backup/logs/{run}/stream", params={"offset": len(lines)})
        assert [line["line_number"] for line in log["lines"]] == list(range(len(lines) + 1, log["total_lines"] + 1))
        lines += [line["content"] for line in log["lines"]]
        seen_while_running = len(lines) if status == "running" else seen_while_running
        if status not in ("pending", "running"):
            break
        assert time.monotonic() < deadline, team.story()
        time.sleep(0.2)

    assert status == "completed", team.story()
    assert seen_while_running >= 2
    text = "\n".join(lines)
    assert text.index("line one") < text.index("line two") < text.index("line three")
    assert text.splitlines() == team.log(team.items("brun")[0]["metadata"]["name"]).splitlines()
    told = person.get(f"/api/backup/status/{run}")
    assert [item["name"] for item in told["repositories"]] == ["main", "other"]
    assert all(item["archive_name"].startswith("followed-") for item in told["repositories"])
    assert told["original_size"] >= 2 * 3_000_000
    assert told["nfiles"] == 4
    assert told["triggered_by"] == "manual"
    assert told["started_at"] <= told["completed_at"]
    after = team.eventually(
        lambda: person.job(job["id"]),
        "the schedule tells of the run",
        holds=lambda seen: seen["last_prune"] == told["completed_at"],
    )
    assert after["last_run"] == told["started_at"]
    (shown, *_) = team.eventually(
        lambda: [item for item in person.get("/api/repositories/")["repositories"] if item["archive_count"] == 1],
        "the repositories count their archives",
        holds=lambda found: len(found) == 2,
    )
    assert shown["last_backup"] == told["completed_at"]
    assert shown["total_size"].endswith(" MB")


def test_a_run_that_fails_says_over_rest_what_to_do(team: Team, person: Rest) -> None:
    team.repository("wrong", passphrase="no-such-secret")
    job = team.eventually(lambda: _create_on(person, "wrong"), "every replica sees the repository")
    run = person.send("POST", f"/api/schedule/{job['id']}/run-now")["job_id"]
    ended = team.eventually(
        lambda: person.get(f"/api/backup/status/{run}"),
        "the run has ended",
        holds=lambda seen: seen["status"] not in ("pending", "running"),
        within=60,
    )
    assert ended["status"] == "failed"
    assert "no-such-secret" in ended["error_message"]
    assert "no-such-secret" in ended["repositories"][0]["error_message"]
    team.eventually(
        lambda: person.job(job["id"])["last_run"],
        "the schedule tells of the run",
        holds=lambda last: last == ended["started_at"],
    )


def _create_on(person: Rest, repository: str) -> dict[str, Any] | None:
    """Return the schedule `Failing` on the repository, none while the replica asked does not see that yet."""
    found = [item["id"] for item in person.get("/api/repositories/")["repositories"] if item["name"] == repository]
    if not found:
        return None
    body = {"name": "Failing", "cron_expression": "0 0 1 1 *", "repository_id": found[0]}
    answer = person("POST", "/api/schedule/", body)
    return answer.json()["job"] if answer.status_code == 200 else None
