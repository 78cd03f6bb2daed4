"""What borg could not read is a warning with its path: no success without a word, and no failure of the rest."""

from e2e.team import RUNNER_UID, Team, condition

STRANGER = 20000


def test_a_file_of_somebody_else_is_named_in_a_warning_and_the_rest_is_backed_up(team: Team) -> None:
    team.prepare(user=STRANGER)
    team.work("echo open > /data/open; echo private > /data/private; chmod 0600 /data/private")
    assert team.work("stat --format '%u %a' /data/private").split() == [str(STRANGER), "600"]
    team.repository("main")
    team.schedule("night", job={"runAsUser": RUNNER_UID})

    status = team.run("unreadable", "night")

    assert status["phase"] == "CompletedWithWarnings", team.story()
    assert status["reason"] == "Warnings"
    (repository,) = status["repositories"]
    assert repository["phase"] == "CompletedWithWarnings"
    assert repository["warningCount"] == 1
    (warning,) = repository["warnings"]
    assert "/sources/data/private" in warning
    assert "Permission denied" in warning
    assert repository["files"] >= 1
    schedule = team.get("bsched", "night")
    last = condition(schedule, "LastRunSucceeded")
    assert (last["status"], last["reason"]) == ("True", "RunCompletedWithWarnings")
    assert schedule["status"]["lastSuccessTime"] == status["completionTime"]
    assert [reason for reason, _ in team.notes_with("night", kind="Warning")] == ["RunCompletedWithWarnings"]


def test_a_path_that_vanishes_during_the_backup_is_named_and_fails_the_run(team: Team) -> None:
    team.work(
        """
        rm /data/private
        head -c 20000000 /dev/urandom > /data/a-long-one
        echo soon gone > /data/gone
        """
    )
    # Borg takes the paths in their order, and the first one keeps it busy.
    source = {"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "app-data"}}}
    team.repository("fleeting", sources=[{**source, "paths": ["a-long-one", "gone"]}], compression="lzma,9")
    team.schedule("fleeting", "fleeting", job={"runAsUser": STRANGER, "fsGroup": RUNNER_UID})
    team.begin("vanishing", "fleeting")
    # As soon as borg holds the lock, all paths have been found to exist.
    team.work(
        """
        timeout 60 sh -c 'until [ -e /repositories/fleeting/lock.exclusive ]; do sleep 0.02; done'
        rm /data/gone
        """
    )

    status = team.finished("vanishing")

    assert status["phase"] == "Failed", team.story()
    (repository,) = status["repositories"]
    assert (repository["reason"], repository["warningCount"]) == ("SourceUnreadable", 1)
    assert 'Source "data" cannot be read: /sources/data/gone' in repository["error"]
    assert team.archives("fleeting") == [repository["archive"]]
    assert "/sources/data/gone" in repository["warnings"][0]
    assert repository["originalSize"] >= 20_000_000
