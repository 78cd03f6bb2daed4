"""A repository that is gone: told by run, schedule and repository, and made anew only when a person says so."""

import json
import re

import pytest

from e2e.team import Team, condition

LOST = "borgoperator.io/lost-repository-id"


@pytest.fixture(scope="module")
def used(team: Team) -> Team:
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.schedule("night")
    team.completed("first", "night")
    return team


def identity(team: Team) -> dict[str, str]:
    found: dict[str, str] = team.get("brepo", "main")["status"].get("identity", {})
    return found


def test_what_the_first_run_found_is_in_the_cron_job_and_stays_there(used: Team) -> None:
    id_ = used.eventually(lambda: identity(used).get("id"), "the id is known")
    assert f"id = {id_}" in used.work("cat /repositories/main/config")
    cron_job = used.eventually(
        lambda: used.get("cronjob", "night"), "the CronJob has it", holds=lambda seen: id_ in json.dumps(seen["spec"])
    )
    used.completed("second", "night")
    again = used.get("cronjob", "night")["metadata"]
    assert again["generation"] == cron_job["metadata"]["generation"] == 2


def test_one_that_is_gone_is_told_and_not_made_anew(used: Team) -> None:
    id_ = identity(used)["id"]
    used.work("mv /repositories/main /repositories/elsewhere")

    status = used.run("gone", "night")

    assert (status["phase"], status["repositories"][0]["reason"]) == ("Failed", "RepositoryMissing")
    assert status["repositories"][0]["error"].startswith("/repositories/main/main does not exist. Runs before found")
    assert used.work("ls -A /repositories").split() == ["elsewhere"]
    used.eventually(
        lambda: condition(used.get("brepo", "main"), "Missing"),
        "the repository says so",
        holds=lambda seen: seen.get("status") == "True" and f"brepo main --overwrite {LOST}={id_}" in seen["message"],
    )
    shown = used("get", "brun,bsched,brepo").stdout
    print(shown)  # noqa: T201 - what a person sees, shown when the test fails
    assert re.search(r"borgrun\S*/gone .* Failed .* RepositoriesFailed\b", shown)
    assert re.search(r"borgschedule\S*/night .* Failed +1 ", shown)
    assert re.search(r"borgrepository\S*/main .* False +RepositoryMissing ", shown)
    assert "main (RepositoryMissing)" in condition(used.get("bsched", "night"), "LastRunSucceeded")["message"]


def test_when_it_is_back_runs_go_on_as_if_nothing_had_been(used: Team) -> None:
    used.work("mv /repositories/elsewhere /repositories/main")
    used.completed("back", "night")
    assert len(used.archives("main")) == 3
    used.eventually(
        lambda: condition(used.get("brepo", "main"), "Missing"), "it is not missing", holds=lambda seen: not seen
    )


def test_it_is_made_anew_once_a_person_says_that_it_is_lost(used: Team) -> None:
    id_ = identity(used)["id"]
    used.work("rm -rf /repositories/main")
    assert used.run("deleted", "night")["repositories"][0]["reason"] == "RepositoryMissing"
    told = used.eventually(
        lambda: condition(used.get("brepo", "main"), "Missing").get("message", ""),
        "the repository says what to do",
        holds=lambda message: '"deleted"' in message,
    )
    # As it stands there; a run that is asked for in the same moment goes by it.
    line = re.search(rf"kubectl -n {used.namespace} (annotate brepo main --overwrite {LOST}={id_})$", told)
    assert line, told
    used(*line[1].split())

    used.completed("anew", "night")

    assert len(used.archives("main")) == 1
    now = used.eventually(lambda: identity(used), "the new one is known", holds=lambda seen: "id" in seen)
    assert (now["id"] != id_, now["lost"]) == (True, id_)
    used.completed("after", "night")
    assert len(used.archives("main")) == 2
    # What was said of the old one says nothing of this one.
    used.work("rm -rf /repositories/main")
    assert used.run("deleted-again", "night")["repositories"][0]["reason"] == "RepositoryMissing"


def test_a_claim_that_is_made_anew_under_its_name_is_no_consent(team: Team) -> None:
    team.claim("fleeting")
    team.repository("fleeting", local={"volume": {"persistentVolumeClaim": {"claimName": "fleeting"}}, "path": "r"})
    team.schedule("fleeting", "fleeting")
    team.completed("into-the-old-claim", "fleeting")
    team.eventually(
        lambda: team.get("brepo", "fleeting")["status"].get("identity", {}).get("id"), "the repository is known"
    )
    team("delete", "job,pod", f"--selector={team.pods_of('into-the-old-claim')}", "--wait")
    team("delete", "pvc", "fleeting", "--wait")
    team.claim("fleeting")

    status = team.run("into-the-new-claim", "fleeting")

    assert status["repositories"][0]["reason"] == "RepositoryMissing"
    # Making the BorgRepository anew is one.
    team("delete", "brepo", "fleeting", "--wait")
    team.repository("fleeting", local={"volume": {"persistentVolumeClaim": {"claimName": "fleeting"}}, "path": "r"})
    team.completed("into-one-made-anew", "fleeting")
