"""Containers that others put into backup pods: what borg did is the run's result, whatever its neighbours do."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from e2e.team import Object, Team
from support import injector, webhook
from support.pods import PodWatch, container, is_over, watch_pods
from support.rest import Rest, find_facade, make_account

_OBEDIENT = "trap 'exit 0' TERM; echo serving; while :; do sleep 0.2; done"
_STUBBORN = "trap '' TERM; echo serving; while :; do sleep 0.2; done"
SIDECARS: dict[str, Object] = {
    "before": {"name": "aaa-mesh", "command": ["sh", "-c", _OBEDIENT]},
    "after": {"name": "zzz-mesh", "command": ["sh", "-c", _OBEDIENT]},
    "stubborn": {"name": "aaa-mesh", "command": ["sh", "-c", _STUBBORN]},
    "dying": {"name": "aaa-mesh", "command": ["sh", "-c", "exit 3"]},
}
"""By schedule, what is put into its pods."""

SECONDS = 10
"""How much later than borg's own end a run may end."""


@pytest.fixture(scope="module")
def meshed(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Make a schedule for each of the sidecars, and the webhook that puts them in."""
    team.prepare()
    team.work("echo hello > /data/hello")
    team.script("talk", "for line in 1 2 3; do echo line $line; done")
    for name in SIDECARS:
        team.repository(name)
        team.schedule(name, name, hooks={"preBackup": {"scriptRef": {"name": "talk"}}})
    secret, certificate = webhook.make_certificate(tmp_path_factory.mktemp("tls"), team.namespace)
    team.apply(secret, webhook.service())
    serving, volumes = injector.container(SIDECARS)
    team.confined_pod(webhook.NAME, serving, volumes)
    with injector.injecting(team.kubectl, team.namespace, certificate):
        yield team


@pytest.fixture(scope="module")
def person(meshed: Team) -> Rest:
    token = make_account(meshed.kubectl, meshed.namespace, "person", "borg-admin")
    person = Rest(find_facade(), meshed.namespace, token)
    meshed.eventually(lambda: person.look("/api/scripts"), "the facade lets the person see something")
    return person


@pytest.mark.parametrize("schedule", ["before", "after", "dying"])
def test_the_run_ends_with_borg_and_with_borgs_result_and_so_does_the_pod(
    meshed: Team, person: Rest, schedule: str
) -> None:
    with watch_pods(meshed.kubectl, meshed.namespace, f"borgoperator.io/schedule={schedule}") as pods:
        _expect_borgs_result(meshed, person, schedule, pods)
        pods.until(lambda seen: all(is_over(pod) for pod in seen), "the sidecar has ended as well", within=20)


def test_a_sidecar_that_will_not_end_keeps_nobody_from_the_result(meshed: Team, person: Rest) -> None:
    with watch_pods(meshed.kubectl, meshed.namespace, "borgoperator.io/schedule=stubborn") as pods:
        _expect_borgs_result(meshed, person, "stubborn", pods)


def test_a_cancelled_run_with_a_sidecar_ends_and_the_next_one_runs(meshed: Team) -> None:
    meshed.script("dawdle", "sleep 600", timeout=900)
    meshed.schedule("before", "before", hooks={"preBackup": {"scriptRef": {"name": "dawdle"}}})
    with watch_pods(meshed.kubectl, meshed.namespace, "borgoperator.io/schedule=before") as pods:
        meshed.begin("regretted", "before")
        pods.running()
        meshed.cancel("regretted")
        meshed.schedule("before", "before")
        meshed.begin("next", "before")

        assert meshed.finished("regretted")["phase"] == "Cancelled"
        assert meshed.finished("next")["phase"] == "Completed", meshed.story()
    assert pods.overlaps() == []


def _expect_borgs_result(team: Team, person: Rest, schedule: str, pods: PodWatch) -> None:
    run = f"with-{schedule}"
    team.begin(run, schedule)

    status = team.finished(run, within=90)

    (pod,) = pods.until(lambda seen: [pod for pod in seen if _borg_has_ended(pod)], "borg has ended")
    assert container(pod, SIDECARS[schedule]["name"]), "the sidecar was not put in"
    assert status["phase"] == "Completed", team.story()
    assert status["repositories"][0]["archive"] == team.archives(schedule)[-1]
    ended = datetime.fromisoformat(container(pod)["state"]["terminated"]["finishedAt"])
    assert datetime.fromisoformat(status["completionTime"]) - ended <= timedelta(seconds=SECONDS)
    log = team.log(run)
    told = person.get(f"/api/backup/logs/{run}/stream")
    assert [line["content"] for line in told["lines"]] == log.splitlines()
    assert "line 3" in log
    assert "serving" not in log


def _borg_has_ended(pod: Object) -> bool:
    return "terminated" in container(pod).get("state", {})
