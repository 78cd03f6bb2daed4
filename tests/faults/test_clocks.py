"""Clocks that jump: the operator's, a node's, that of whoever wrote an archive. Nothing of it matters in the end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from borg_contract.archive_name import render_archive_name
from borg_contract.ownership import ArchiveContent, ArchiveOwner, render_comment
from borg_contract.retention import Retention
from borg_contract.run import Phase
from borg_core.formats import parse_time
from borg_core.kinds.repository import BorgRepository
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod, during
from support import builders
from support.running import BEGIN, Cluster, claims, run_by_hand
from support.virtual_time import run_virtually

DAY = timedelta(days=1)
TICK = "51 11 * * *"
"""Ten seconds after the cluster begins to live."""
JUMPS = [DAY, -DAY, timedelta(minutes=7), -timedelta(minutes=7)]


def cluster_with(schedule: str) -> Cluster:
    cluster = Cluster()
    for claim in claims():
        cluster.recorder.add("PersistentVolumeClaim", claim)
    cluster.add(builders.local_repository(), builders.schedule(schedule=schedule))
    return cluster


async def story(operator: timedelta, node: timedelta, *, lasting: bool) -> Cluster:
    """Let a tick and a run by hand go by, the clocks jumping in the middle of the first, for a while or for good."""
    cluster = cluster_with(TICK)
    await cluster.begin()
    await cluster.live(20, lambda: bool(cluster.node.at_work()))
    cluster.operator_ahead, cluster.node.ahead = operator, node
    await cluster.live(10)
    if not lasting:
        cluster.operator_ahead = cluster.node.ahead = timedelta(0)
    cluster.add(run_by_hand(at=cluster.recorder.now))
    await cluster.live(20)
    cluster.operator_ahead = timedelta(0)
    cluster.controller.enqueue_all()  # as it does by itself, now and then
    await cluster.live(10)
    await cluster.stop()
    return cluster


@pytest.mark.parametrize("lasting", [False, True], ids=["for ten seconds", "for good"])
@pytest.mark.parametrize("whose", ["operator", "node", "both"])
@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_clock_that_jumps_in_mid_run_changes_nothing_in_the_end(jump: timedelta, whose: str, lasting: bool) -> None:
    none = timedelta(0)
    undisturbed = run_virtually(story(none, none, lasting=False))
    operator, node = jump if whose != "node" else none, jump if whose != "operator" else none
    cluster = run_virtually(story(operator, node, lasting=lasting))
    assert cluster.state() == undisturbed.state()
    assert {said: times for said, times in cluster.events.items() if times > 1} == {}
    assert len(cluster.recorder.requests) < len(undisturbed.recorder.requests) + 25
    for run in cluster.runs:
        assert run.status.start_time
        assert run.status.completion_time
        assert run.status.start_time <= run.status.completion_time
        assert parse_time(run.status.completion_time) <= cluster.recorder.now + max(operator, none)
    assert cluster.schedule.status.next_run_time == undisturbed.schedule.status.next_run_time


@pytest.mark.parametrize("ahead", [DAY, -DAY], ids=str)
def test_a_failure_on_a_node_of_another_day_is_over_when_the_next_run_succeeds(ahead: timedelta) -> None:
    async def work() -> Cluster:
        cluster = cluster_with(TICK)
        cluster.node.ahead = ahead
        cluster.result = builders.result(Phase.FAILED, reason="BorgFailed", message="main: it does not work")
        await cluster.begin()
        await cluster.live(20)
        assert cluster.schedule.status.consecutive_failures == 1
        cluster.node.ahead, cluster.result = timedelta(0), None
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(20)
        await cluster.stop()
        return cluster

    cluster = run_virtually(work())
    status = cluster.schedule.status
    assert (status.last_run_name, status.last_run_phase, status.consecutive_failures) == ("now", Phase.COMPLETED, 0)
    repository = BorgRepository.model_validate(cluster.recorder.find("BorgRepository", "main"))
    ready = next(condition for condition in repository.status.conditions if condition.type == "Ready")
    assert (ready.status, 'BorgRun "now" succeeded' in ready.message) == ("True", True)
    assert repository.status.last_backup_time
    assert BEGIN <= parse_time(repository.status.last_backup_time) <= cluster.recorder.now


@pytest.mark.parametrize(
    "off", [DAY, *(pytest.param(off, marks=pytest.mark.long) for off in (-DAY, timedelta(days=4000)))], ids=str
)
def test_archives_of_a_wrong_clock_neither_go_by_mistake_nor_take_the_place_of_new_ones(
    tmp_path: Path, off: timedelta
) -> None:
    pod = Pod(tmp_path, find_borg())
    repository = pod.repository()
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    first = pod.run(plan)
    assert first.result.phase is Phase.COMPLETED, first.log
    there = datetime.now(UTC).replace(microsecond=0) + off
    name = render_archive_name("{job_name}-{timestamp}", schedule="db", repository="main", now=there)
    comment = render_comment(ArchiveOwner("team", "db", "main"), "db-0", ArchiveContent({"data": 1}))
    time_there = f"--timestamp={there:%Y-%m-%dT%H:%M:%S}"
    pod.ask_borg(repository, "create", f"--comment={comment}", time_there, f"REPO::{name}", str(pod.data))

    ended = pod.run(plan)

    assert ended.result.phase is Phase.COMPLETED, ended.log
    [result] = ended.result.repositories
    names = pod.archives(repository)
    assert result.archive in names
    assert result.previous
    assert result.previous.name == (name if off > timedelta(0) else first.result.repositories[0].archive)
    assert result.prune
    assert result.prune.kept == len(names)
    assert "Traceback" not in ended.log


def test_a_node_whose_clock_is_a_day_slow_tells_the_time_that_borg_wrote(tmp_path: Path) -> None:
    pod = Pod(tmp_path, find_borg())
    slow = datetime.now(UTC) - DAY
    during(pod, "create", f'shift; set -- create --timestamp={slow:%Y-%m-%dT%H:%M:%S} "$@"')
    [result] = pod.run(pod.plan()).result.repositories
    assert result.archive_time == f"{slow:%Y-%m-%dT%H:%M:%SZ}"
