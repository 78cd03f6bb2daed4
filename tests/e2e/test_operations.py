"""What is asked for by hand beside backups: Prune, Compact, Check, BreakLock; one after the other, in their order."""

from itertools import pairwise

from e2e.team import Team


def test_prune_compact_and_check_by_hand_wait_for_each_other_and_complete(team: Team) -> None:
    team.prepare()
    team.work("head -c 3000000 /dev/urandom > /data/random")
    team.repository("main")
    # Only the daily rule: of a rule that has not all it may keep, borg keeps the oldest archive as well.
    team.schedule("night", prune={"keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0})
    (first,) = team.completed("backup-1", "night")["repositories"]
    team.work("head -c 3000000 /dev/urandom > /data/random")
    team.completed("backup-2", "night")

    asked = {"hand-1": "Prune", "hand-2": "Compact", "hand-3": "Check"}
    for name, operation in asked.items():
        team.begin(name, "night", operation)
    statuses = [team.finished(name) for name in asked]

    assert [status["phase"] for status in statuses] == ["Completed"] * 3, team.story()
    for earlier, later in pairwise(statuses):
        assert earlier["completionTime"] <= later["startTime"]
    prune, compact, check = (status["repositories"][0] for status in statuses)
    assert prune["prune"] == {"kept": 1, "deleted": 1, "archives": [first["archive"]]}
    assert compact["compact"]["freedBytes"] > 2_900_000
    assert check.keys() == {"name", "phase", "place", "repositoryId", "seconds", "check"}
    assert check["check"] == {"complete": True}
    schedule = team.get("bsched", "night")["status"]
    assert schedule["lastRunName"] == "backup-2"  # an operation is not a backup
    assert schedule["lastPruneTime"] == statuses[0]["completionTime"]
    assert schedule["lastCompactTime"] == statuses[1]["completionTime"]


def test_break_lock_by_hand_removes_the_lock_of_a_holder_that_the_operator_cannot_judge(team: Team) -> None:
    team.work("mkdir /repositories/main/lock.exclusive; touch /repositories/main/lock.exclusive/elsewhere.7-0")

    status = team.run("break-lock", "night", "BreakLock")

    assert status["phase"] == "Completed", team.story()
    assert "elsewhere" in team.log("break-lock")
    assert "elsewhere" not in team.lock_holders("main")
    team.completed("backup-3", "night")
