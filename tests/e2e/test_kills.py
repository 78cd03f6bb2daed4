"""Kill whatever a run stands on, at random moments: no archive is lost or wrong, and the next run needs no human.

`KILLS` (how many) and `SEED` in the environment make a longer one, or the same one again.
"""

import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from e2e.conftest import Operator
from e2e.team import Object, Team
from support import node_processes

KILLS, SEED = int(os.environ.get("KILLS", "5")), int(os.environ.get("SEED", "1"))
SCHEDULES = ("keeps", "prunes")
LONGEST_RUN_SECONDS = 3.0
ATTEMPTS = 5
"""How often a weapon is tried in a night until it hits, each time twice as early."""
_DIGESTS = "find data -type f -exec sha256sum {} + | sort"

logger = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.disturbs,
    pytest.mark.skipif(
        not node_processes.is_made_of_processes(),
        reason="only the local cluster's node is made of processes",
    ),
]


@dataclass
class Siege:
    """Runs under attack, and what must be true of the archives of those that ended well."""

    team: Team
    operator: Operator
    chance: random.Random
    archives: dict[str, str] = field(default_factory=dict)
    """What is in each archive that a run called Completed, as digests, by its name."""
    newest: dict[str, str] = field(default_factory=dict)
    """By schedule."""
    told: list[str] = field(default_factory=list)
    pod: Object = field(default_factory=dict)
    """Of the run that is attacked."""

    def night(self, number: int, weapon: str) -> None:
        """Let a run be hit, and the next one be in peace."""
        schedule = self.chance.choice(SCHEDULES)
        delay = self.chance.uniform(0, LONGEST_RUN_SECONDS)
        attacks = (
            self._attack(number, f"{schedule}-{number}-{attempt}", schedule, weapon, delay / 2**attempt)
            for attempt in range(ATTEMPTS)
        )
        assert any(attacks), self.story(f"{weapon} never hit")

    def _attack(self, number: int, attacked: str, schedule: str, weapon: str, delay: float) -> int:
        """Return how many processes were hit; none where the run was over by then."""
        self._change_data(number)
        self.team.begin(attacked, schedule)
        self.pod = self._pod_of(attacked)
        time.sleep(delay)
        hits = WEAPONS[weapon](self)
        status = self.team.finished(attacked, within=180)
        self.told.append(
            f"{attacked}: {weapon} after {delay:.2f} s hit {hits}: {status['phase']} {status.get('reason')}"
        )
        self._note(schedule, status)
        # Nothing is done by a person in between.
        status = self.team.run(f"{attacked}-after", schedule, within=180)
        assert status["phase"] == "Completed", self.story(f"the run after {attacked}: {status}")
        self._note(schedule, status)
        return hits

    def check(self) -> None:
        """Look into the repository: all is there that was said to be, as it was."""
        team = self.team
        team.borg("main", "check --verify-data 2>&1")
        there = set(team.archives("main"))
        kept = {name for name in self.archives if name.startswith("keeps-")}
        assert kept <= there, self.story(f"archives of a schedule without prune are gone: {kept - there}")
        assert set(self.newest.values()) <= there, self.story(f"of {self.newest} not all are there: {there}")
        for name in sorted(there & self.archives.keys()):
            team.borg("main", f"extract ::{name}", folder=f"/tmp/{name}")
            found = team.work(f"cd /tmp/{name}/sources; {_DIGESTS}; rm -rf /tmp/{name}")
            assert found == self.archives[name], self.story(f"{name} is not what was backed up")

    def story(self, what: str) -> str:
        return "\n".join([f"SEED={SEED} KILLS={KILLS}: {what}", *self.told, self.team.story()])

    def _change_data(self, number: int) -> None:
        self.team.work(
            f"""
            head -c 3000000 /dev/urandom > /data/{number % 4}
            head -c 200000 /dev/urandom | split --bytes=1000 - /data/small/{number % 3}-
            """
        )

    def _note(self, schedule: str, status: Object) -> None:
        if status["phase"] == "Completed":
            [repository] = status["repositories"]
            self.archives[repository["archive"]] = self.team.work(f"cd /; {_DIGESTS}")
            self.newest[schedule] = repository["archive"]
        else:
            assert status.get("reason"), self.story(f"a run that failed without a reason: {status}")

    def _pod_of(self, run: str) -> Object:
        self.team.eventually(lambda: self.team.get("brun", run).get("status", {}).get("jobUid"), f"{run} has its Job")

        def running(pods: list[Object]) -> bool:
            return bool(pods) and pods[0]["status"]["phase"] != "Pending"

        pods = self.team.eventually(
            lambda: self.team.items("pods", self.team.pods_of(run)), f"{run} has begun", holds=running
        )
        pod: Object = pods[0]
        return pod


def _kill_in_pod(program: str) -> Callable[[Siege], int]:
    return lambda siege: node_processes.kill(node_processes.in_pod(siege.pod["metadata"]["uid"], program))


def _delete_pod(siege: Siege) -> int:
    at_work = node_processes.in_pod(siege.pod["metadata"]["uid"], "borg_runner")
    siege.team("delete", "pod", siege.pod["metadata"]["name"], "--grace-period=0", "--force", "--ignore-not-found")
    return len(at_work)


def _kill_operator(siege: Siege) -> int:
    selector = f"--selector={siege.operator.selector}"
    pods = siege.team.kubectl.get("pods", "--namespace", siege.operator.namespace, selector)["items"]
    return sum(node_processes.kill(node_processes.in_pod(pod["metadata"]["uid"], "borg-operator")) for pod in pods)


def _kill_daemon(program: str) -> Callable[[Siege], int]:
    def kill(siege: Siege) -> int:
        hits = node_processes.kill(node_processes.daemons(program))
        _wait_for_the_node(siege.team)
        return hits

    return kill


def _silence_the_api_server(siege: Siege) -> int:
    stopped = node_processes.daemons("kube-apiserver", "etcd")
    try:
        hits = node_processes.kill(stopped, signal.SIGSTOP)
        time.sleep(30)
    finally:
        node_processes.kill(stopped, signal.SIGCONT)
    _wait_for_the_node(siege.team)
    return hits


def _wait_for_the_node(team: Team) -> None:
    """Wait until API server, kubelet and containerd answer those who look."""
    look = ("exec", "workbench", "--", "true")
    team.eventually(lambda: team(*look, check=False).returncode, "the node is back", holds=lambda code: code == 0)


WEAPONS: dict[str, Callable[[Siege], int]] = {
    "runner": _kill_in_pod("borg_runner"),
    "pod": _delete_pod,
    "etcd": _kill_daemon("etcd"),
    "operator": _kill_operator,
    "containerd": _kill_daemon("containerd"),
    "borg": _kill_in_pod("borg"),
    "kubelet": _kill_daemon("kubelet"),
    "API server": _kill_daemon("kube-apiserver"),
    "API server and etcd silent for 30 s": _silence_the_api_server,
}
"""In the order of their turns: a short siege has the first ones."""


def test_whatever_is_killed_no_archive_is_lost_and_the_next_run_goes_well(team: Team, operator: Operator) -> None:
    team.prepare()
    team.work("mkdir /data/small; echo hello > /data/hello")
    team.repository("main", compression="lzma,6")
    team.schedule("keeps", "main", runHistoryLimit=100)
    rules = {"enabled": True, "keepHourly": 1, "keepDaily": 0, "keepWeekly": 0, "keepMonthly": 0}
    team.schedule(
        "prunes",
        "main",
        prune=rules,
        compact={"enabled": True},
        runHistoryLimit=100,
    )
    siege = Siege(team, operator, random.Random(SEED))
    weapons = list(WEAPONS)
    for number in range(KILLS):
        siege.night(number, weapons[number % len(weapons)])
    siege.check()
    endings = Counter(line.rpartition(": ")[2] for line in siege.told)
    logger.info("%s", "\n".join([*siege.told, str(endings)]))
