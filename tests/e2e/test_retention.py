"""Prune takes the old archives of its own schedule and never one of another, whatever the names look like."""

from e2e.team import Team


def test_prune_of_db_deletes_no_archive_of_db_daily(team: Team) -> None:
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.schedule("db", prune={"enabled": True, "keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0})
    team.schedule("db-daily")

    others = [team.completed(name, "db-daily")["repositories"][0]["archive"] for name in ("daily-1", "daily-2")]
    (first,) = team.completed("db-1", "db")["repositories"]
    others += [team.completed("daily-3", "db-daily")["repositories"][0]["archive"]]
    (second,) = team.completed("db-2", "db")["repositories"]

    assert first["prune"] == {"kept": 1, "deleted": 0}
    assert second["prune"] == {"kept": 1, "deleted": 1}
    assert second["totals"]["archives"] == 4
    assert sorted(team.archives("main")) == sorted([*others, second["archive"]])
