"""Deleting a schedule removes what the operator made for it, and no archive."""

from e2e.team import Team


def test_deleting_the_schedule_removes_its_objects_and_leaves_the_archives(team: Team) -> None:
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.schedule("night")
    archive = team.completed("only", "night")["repositories"][0]["archive"]
    kinds = ("cronjobs", "jobs", "borgruns", "pods")
    assert [len(team.names(kind, "borgoperator.io/schedule=night")) for kind in kinds] == [1, 1, 1, 1]

    team("delete", "bsched", "night")

    team.eventually(
        lambda: [team.names(kind, "borgoperator.io/schedule=night") for kind in kinds],
        "CronJob, Job, run and pod are gone",
        holds=lambda found: not any(found),
    )
    assert team.archives("main") == [archive]
    assert team.find("brepo", "main")
