"""Prune takes the old archives of its own schedule and never one of another, whatever the names look like."""

import json

import pytest

from e2e.team import Team, condition


@pytest.fixture(scope="module", autouse=True)
def filled(team: Team) -> None:
    team.prepare()
    team.work("echo hello > /data/hello")


def test_prune_of_db_deletes_no_archive_of_db_daily(team: Team) -> None:
    team.repository("main")
    team.schedule("db", prune={"enabled": True, "keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0})
    team.schedule("db-daily")

    others = [team.completed(name, "db-daily")["repositories"][0]["archive"] for name in ("daily-1", "daily-2")]
    (first,) = team.completed("db-1", "db")["repositories"]
    others += [team.completed("daily-3", "db-daily")["repositories"][0]["archive"]]
    (second,) = team.completed("db-2", "db")["repositories"]

    assert first["prune"] == {"kept": 1, "deleted": 0}
    assert second["prune"] == {"kept": 1, "deleted": 1, "archives": [first["archive"]]}
    assert second["totals"]["archives"] == 4
    assert sorted(team.archives("main")) == sorted([*others, second["archive"]])


def test_two_repositories_of_one_place_prune_nothing_and_say_whose_the_others_are(team: Team) -> None:
    team.script("a-second-later", "sleep 1.1")  # names of archives are of the second
    place = {"volume": {"persistentVolumeClaim": {"claimName": "borg-repo"}}, "path": "one"}
    team.repository("one", local=place)
    team.repository("two", local=place, hooks={"preBackup": {"scriptRef": {"name": "a-second-later"}}})
    keep = {"enabled": True, "keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0}
    team.schedule("both", "one", "two", prune=keep, runRepositoryHooks=True)

    runs = [team.run(f"both-{number}", "both") for number in (1, 2)]

    done = [repository for run in runs for repository in run["repositories"]]
    phases = [repository["phase"] for repository in done]
    assert phases == ["Completed", *["CompletedWithWarnings"] * 3], json.dumps(runs, indent=1)
    assert sorted(repository["archive"] for repository in done) == sorted(team.archives("one"))
    assert "prune" not in done[2]
    assert '(BorgRepository "two")' in done[2]["warnings"][0]
    aliased = condition(team.get("brepo", "one"), "Aliased")
    assert aliased["status"] == "True"
    assert 'in the same place as BorgRepository "two"' in aliased["message"]
