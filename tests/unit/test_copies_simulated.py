"""Runs that read snapshots, played through: ticks, people, a storage that is slow or refuses, an operator that dies.

Whatever happens: a pod reads a snapshot of its own run alone, one that is ready; every run ends; nothing is left.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from borg_contract.reasons import Reason
from borg_core.labels import CONTROLLER_UID, OPERATION
from support.builders import DB
from support.controllers import is_finished
from unit.test_turns_simulated import Town, play

KIND = "VolumeSnapshot"


@dataclass
class Storage(Town):
    """A town whose schedule reads a snapshot of its claim."""

    def __post_init__(self) -> None:
        super().__post_init__()
        copied = {"name": "data", "copy": "Snapshot", "volume": {"persistentVolumeClaim": {"claimName": "app-data"}}}
        spec = {"sources": [copied], "job": {"fileAccess": "ReadAll"}}
        self.recorder.edit("BorgSchedule", "db", {"spec": spec})
        claim = {
            "metadata": {"annotations": {"volume.kubernetes.io/storage-provisioner": "csi.test"}},
            "spec": {"storageClassName": "csi", **_sized(1)},
        }
        self.size = 1
        self.recorder.edit("PersistentVolumeClaim", "app-data", claim)
        self.read: set[str] = set()
        """Uids of Jobs whose pods have begun to read."""

    def step(self) -> None:
        if self.chance.random() < 0.15:
            self._do(self.store)
        elif self.chance.random() < 0.02:
            self._do(self.grow)
        else:
            super().step()

    def store(self) -> None:
        """Let the storage answer for a snapshot: it is ready, or refused, or both one after the other."""
        waiting = [item for item in self.recorder.all_of(KIND) if not item["status"].get("readyToUse")]
        if waiting:
            refused = self.chance.random() < 0.2 and self.operator is not None
            status: dict[str, Any] = (
                {"readyToUse": False, "error": {"message": "no room"}} if refused else {"readyToUse": True}
            )
            self.recorder.edit(KIND, self.chance.choice(waiting)["metadata"]["name"], {"status": status})

    def grow(self) -> None:
        """Let somebody make the claim larger: Jobs that wait are made anew."""
        self.size += 1
        self.recorder.edit("PersistentVolumeClaim", "app-data", {"spec": _sized(self.size)})

    def notice(self) -> None:
        super().notice()
        self.store()

    def _check(self) -> None:
        super()._check()
        jobs = {job["metadata"]["uid"]: job for job in self.recorder.all_of("Job")}
        if any(not is_finished(job) for job in jobs.values()):
            self.busy.append(self.recorder.now)  # one that waits for its snapshot keeps ticks waiting as well
        for pod in self.node.at_work():
            marks = pod["metadata"]["labels"]
            uid = marks[CONTROLLER_UID]
            if marks[OPERATION] == "Backup" and uid in jobs and uid not in self.read:
                self.read.add(uid)
                found = [item for item in self.recorder.all_of(KIND) if item["status"].get("readyToUse")]
                owners = [owner["uid"] for item in found for owner in item["metadata"]["ownerReferences"]]
                assert owners == [uid], self.told(f"{jobs[uid]['metadata']['name']} reads {owners}")


@pytest.mark.parametrize("late", [False, True], ids=["watches that are quick", "watches that lag"])
@pytest.mark.parametrize("dies", [False, True], ids=["an operator that lives", "an operator that dies"])
def test_whatever_happens_a_run_reads_its_own_snapshot_and_leaves_none(dies: bool, late: bool) -> None:
    read = [_play(Storage(seed, late=late, dies=dies)) for seed in range(4)]
    assert sum(read) > len(read), "hardly a run read a snapshot"


def _sized(gibibytes: int) -> dict[str, Any]:
    return {"resources": {"requests": {"storage": f"{gibibytes}Gi"}}}


def _play(town: Storage) -> int:
    """Return how many runs read snapshots."""
    play(town)
    assert town.lost() == [], town.told("ticks were lost")
    assert town.operator
    for _ in range(30):  # in which a tick that has come since ends, too
        for action in town.operator.plan(DB, town.recorder.now).actions:
            town.operator.apply(action)
        for act in (town.look, town.act, town.begin, town.end, town.notice, town.collect):
            act()
        town.operator.deliver_all()
    assert town.recorder.names(KIND) == []
    kept = {job["metadata"]["uid"] for job in town.recorder.all_of("Job")} & town.read
    went_well = {run.status.job_uid for run in town.runs() if run.status.phase and run.status.phase.succeeded}
    assert not kept & went_well, town.told("Jobs keep copies that nobody needs")
    failed = [run for run in town.runs() if run.status.reason == Reason.COPY_FAILED]
    assert all("no room" in (run.status.message or "") for run in failed)
    return len(town.read)
