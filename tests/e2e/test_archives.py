"""What the cluster knows of a repository's archives follows what is in it, and a drill restores some of it."""

from e2e.team import Team


def test_archives_are_listed_come_back_and_go(team: Team) -> None:
    team.prepare()
    team.work("echo one > /data/file")
    team.repository("main", archiveLimit=200)
    keep = {"keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0}
    team.schedule("night", prune=keep)
    first = team.completed("first", "night")["repositories"][0]["archive"]

    def known() -> dict[str, str]:
        return {item["spec"]["archive"]: item["metadata"]["name"] for item in team.items("barch")}

    names = team.eventually(known, "the archive is listed", holds=lambda seen: set(seen) == {first}, within=120)
    archive = team.get("barch", names[first])
    assert archive["spec"]["scheduleRef"] == {"name": "night"}
    assert archive["spec"]["files"] == 1
    assert archive["spec"]["sources"] == ["data"]

    team("delete", "barch", names[first])
    team.eventually(known, "it comes back", holds=lambda seen: set(seen) == {first}, within=120)

    team.work("echo two > /data/file")
    second = team.completed("second", "night")["repositories"][0]["archive"]
    team.completed("pruned", "night", "Prune")
    team.eventually(known, "what was pruned is gone", holds=lambda seen: set(seen) == {second}, within=120)
    assert team.archives("main") == [second]


def test_a_drill_restores_what_there_is(team: Team) -> None:
    team.begin("drill", operation="Drill", repository="main")
    status = team.finished("drill")
    assert status["phase"] == "Completed", team.story()
    repository = team.eventually(
        lambda: team.get("brepo", "main")["status"], "it is told", holds=lambda seen: "lastDrillTime" in seen
    )
    assert repository["lastDrillResult"] == "Completed"
