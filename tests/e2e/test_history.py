"""Finished runs are kept up to a limit; beyond it both the BorgRun and its Job go."""

from e2e.team import Team


def test_only_the_newest_runs_and_their_jobs_stay_within_the_limit(team: Team) -> None:
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.schedule("night", runHistoryLimit=2)

    archives = [team.completed(f"run-{n}", "night")["repositories"][0]["archive"] for n in (1, 2, 3)]

    newest = {"run-2", "run-3"}
    kinds = ("borgruns", "jobs", "pods")
    seen = team.eventually(
        lambda: [team.names(kind, "borgoperator.io/schedule=night") for kind in kinds],
        "two runs, two Jobs and their pods are left",
        holds=lambda found: [len(names) for names in found] == [2, 2, 2],
    )
    assert seen[:2] == [newest, newest]
    assert team.archives("main") == archives  # history is no retention
