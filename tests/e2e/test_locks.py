"""Locks that somebody left: a run that waits says so where people look, and only what is proven dead is broken."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from borg_contract.pod import digest_node, lock_holder
from e2e.conftest import Operator
from e2e.team import Team
from support.cluster import RESTRICTED, Kubectl, fresh_namespace

NOBODY = "00000000-0000-4000-8000-000000000000"
"""uid of a Job that neither the cluster nor any record knows, as after its schedule was deleted."""
LAPTOP = "laptop@1"


@pytest.fixture(scope="module")
def locked(team: Team) -> Team:
    prepare(team, "main")
    return team


@dataclass(frozen=True)
class LeftLocks:
    """A team with two repositories, each locked by a pod that nobody knows of, and with a run that waits for it."""

    team: Team
    dead: str
    unproven: str
    """Of a node that is not there either."""
    folder: str
    """Where the unproven lock is."""


@pytest.fixture
def left_locks(kubectl: Kubectl, operator: Operator) -> Iterator[LeftLocks]:
    with fresh_namespace(kubectl, RESTRICTED) as namespace:
        team = Team(kubectl, namespace, operator.images)
        prepare(team, "gone", "lost")
        dead = lock_holder(namespace, "db-1", NOBODY, place_of(team, None))
        unproven = lock_holder(namespace, "db-2", NOBODY, place_of(team, "a-node-whose-object-was-deleted"))
        lock(team, "gone", dead)
        folder = lock(team, "lost", unproven)
        team.begin("next", "gone")
        team.begin("stuck", "lost")
        yield LeftLocks(team, dead, unproven, folder)


def prepare(team: Team, *repositories: str) -> None:
    """Make repositories with an archive in each, and a schedule of the same name."""
    team.prepare()
    team.work("echo hello > /data/hello")
    for name in repositories:
        team.repository(name)
        team.schedule(name, name)
        team.completed(f"{name}-first", name)


def place_of(team: Team, node: str | None) -> str:
    """Return the place of that node, or of the one where the team's pods run."""
    cluster = team.kubectl.get("namespace", "kube-system")["metadata"]["uid"]
    return digest_node(cluster, node or team.get("pod", "workbench")["spec"]["nodeName"])


def lock(team: Team, repository: str, holder: str) -> str:
    """Let somebody hold the lock of a repository; return where it is."""
    folder = f"/repositories/{repository}/lock.exclusive"
    team.work(f"mkdir {folder} && touch '{folder}/{holder}.42-0'")
    return folder


def waiting(team: Team, name: str, words: str, within: float = 90) -> Any:
    """Return the run's status as soon as it says these words."""
    run = team.eventually(
        lambda: team.get("brun", name),
        f'{name} says "{words}"',
        holds=lambda seen: words in seen.get("status", {}).get("message", ""),
        within=within,
    )
    return run["status"]


def test_a_run_that_waits_for_a_lock_says_for_whose_within_a_minute_and_the_cure_of_a_person_goes_before_it(
    locked: Team,
) -> None:
    folder = lock(locked, "main", LAPTOP)
    locked.begin("patient", "main")
    began = time.monotonic()
    status = waiting(locked, "patient", LAPTOP)
    assert time.monotonic() - began < 75
    assert (status["phase"], status["reason"]) == ("Running", "WaitingForLock")
    assert status["message"].startswith(f'Locked by process 42 on host "{LAPTOP}"')

    assert locked.run("cure", "main", "BreakLock")["phase"] == "Completed"

    ended = locked.finished("patient", within=120)
    assert (ended["phase"], ended.get("reason"), ended.get("message", "")) == ("Completed", None, "")
    assert locked.work(f"ls {folder} 2>/dev/null || true") == ""
    assert "patient-unlock" not in locked.names("brun")


@pytest.mark.takes_minutes
def test_the_lock_of_a_pod_whose_records_are_all_gone_is_broken_once_its_node_proves_it_dead_and_no_other(
    left_locks: LeftLocks,
) -> None:
    team = left_locks.team
    waiting(team, "next", left_locks.dead)
    waiting(team, "stuck", left_locks.unproven)

    ended = team.finished("next", within=420)

    assert ended["phase"] == "Completed", team.story()
    unlock = team.finished("next-unlock")
    assert (unlock["phase"], unlock["trigger"]) == ("Completed", "Automatic")
    assert 'run "db-1"' in team.log("next-unlock")
    assert team.work(f"ls {left_locks.folder}") == f"{left_locks.unproven}.42-0\n"
    assert "stuck-unlock" not in team.names("brun")
    stuck = waiting(team, "stuck", "so is the Node of its machine")
    assert stuck["reason"] == "WaitingForLock"
    assert stuck["message"].endswith(f"| kubectl -n {team.namespace} create -f -")
    team.cancel("stuck")
    assert team.finished("stuck")["phase"] == "Cancelled"
