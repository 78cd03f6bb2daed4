"""A repository that cannot be used: said at once, by name, with what to do; the others are backed up all the same."""

import json

import pytest

from e2e.team import Team, condition


@pytest.fixture(scope="module")
def two(team: Team) -> Team:
    """Back up into two repositories, `broken` first, and then change its passphrase: `night` is the schedule."""
    team.prepare()
    team.work("echo hello > /data/hello")
    team.secret("broken-passphrase", passphrase="the one it was made with")
    team.repository("broken", passphrase="broken-passphrase")
    team.repository("good")
    team.schedule("night", "broken", "good")
    team.completed("before", "night")
    team.secret("broken-passphrase", passphrase="another one")
    return team


def test_one_broken_repository_of_two_fails_the_run_and_not_the_other_repository(two: Team) -> None:
    status = two.run("broken-one", "night")

    assert status["phase"] == "Failed"
    assert status["reason"] == "RepositoriesFailed"
    assert "broken (PassphraseWrong)" in status["message"]
    broken, good = status["repositories"]
    assert (broken["name"], broken["phase"], broken["reason"]) == ("broken", "Failed", "PassphraseWrong")
    assert "The passphrase is wrong." in broken["error"]  # what happened
    assert 'Secret "broken-passphrase", key "passphrase"' in broken["error"]  # where
    assert "correct the Secret" in broken["error"]  # what to do
    assert "archive" not in broken
    assert (good["name"], good["phase"]) == ("good", "Completed")
    assert two.archives("good")[-1] == good["archive"]


def test_the_failure_shows_in_conditions_and_in_an_event(two: Team) -> None:
    schedule = two.get("bsched", "night")
    last = condition(schedule, "LastRunSucceeded")
    assert (last["status"], last["reason"]) == ("False", "RunFailed")
    assert "broken (PassphraseWrong)" in last["message"]
    assert condition(schedule, "Ready")["status"] == "True"  # the next run will be tried
    assert schedule["status"]["consecutiveFailures"] == 1
    assert schedule["status"]["lastRunPhase"] == "Failed"
    assert schedule["status"]["lastSuccessTime"] == two.get("brun", "before")["status"]["completionTime"]

    ready = two.eventually(
        lambda: condition(two.get("brepo", "broken"), "Ready"),
        "the repository is not ready",
        holds=lambda seen: seen["status"] == "False",
        within=30,
    )
    assert ready["reason"] == "PassphraseWrong"
    assert "correct the Secret" in ready["message"]
    assert condition(two.get("brepo", "good"), "Ready")["status"] == "True"

    assert [note for reason, note in two.notes_with("night", kind="Warning") if reason == "RunFailed"] == [
        f'BorgRun "broken-one" (Backup) failed: {two.get("brun", "broken-one")["status"]["message"]}'
    ]


def test_the_next_good_run_clears_the_failure(two: Team) -> None:
    two.secret("broken-passphrase", passphrase="the one it was made with")

    status = two.completed("mended", "night")

    assert [repository["phase"] for repository in status["repositories"]] == ["Completed", "Completed"]
    schedule = two.get("bsched", "night")
    assert condition(schedule, "LastRunSucceeded")["status"] == "True"
    assert schedule["status"]["consecutiveFailures"] == 0
    assert schedule["status"]["lastSuccessTime"] == status["completionTime"]
    two.eventually(
        lambda: condition(two.get("brepo", "broken"), "Ready"),
        "the repository is ready again",
        holds=lambda seen: seen["status"] == "True" and seen["reason"] != "PassphraseWrong",
        within=30,
    )


@pytest.mark.parametrize(
    ("secret", "key"), [("nowhere", "passphrase"), ("borg-passphrase", "forgotten")], ids=["no-secret", "no-key"]
)
def test_a_missing_secret_or_key_is_said_at_once(two: Team, secret: str, key: str) -> None:
    name = f"without-{key}"
    encryption = {"mode": "repokey-blake2", "passphraseSecretRef": {"name": secret, "key": key}}
    two.repository(name, encryption=encryption)
    two.schedule(name, name)

    status = two.run(name, name, within=60)

    assert status["phase"] == "Failed"
    (repository,) = status["repositories"]
    assert repository["reason"] == "SecretMissing"
    assert f'Secret "{secret}"' in repository["error"]
    assert f'key "{key}"' in repository["error"]
    assert f"kubectl -n {two.namespace} create secret generic {secret}" in repository["error"]
    assert "SecretMissing" in json.dumps(status["message"] + status["reason"])
