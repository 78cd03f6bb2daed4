"""A restore is killed at a random moment; the next attempt finishes it, and undo still brings back what was there."""

import os
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RunPlan
from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.restore.result import RestoreResult
from borg_contract.run import Operation
from faults.seed import SEED
from faults.test_full_disks import fill, only_root, small
from runner_kit.borg_binary import find_borg
from runner_kit.killer import RUNNER, Death, Killer, Moment, Victim
from runner_kit.pod import Pod
from runner_kit.trees import Gardener, snapshot

STEPS = ("extract.1", "create.1", RUNNER, "extract.1", "extract.2")
"""The extraction, the undo archive, the runner itself (deletions, the journal), reading back."""


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


def restored(death: Death) -> RestoreResult:
    assert death.result is not None, death.log
    assert death.result.phase.succeeded, death.log
    found = death.result.repositories[0].restore
    assert found is not None
    return found


def check(pod: Pod, number: int) -> None:
    chance = random.Random(f"{SEED} {number}")
    gardener = Gardener(chance)
    gardener.plant(pod.data, 60)
    repository = pod.repository(encryption="none", passphrase=None)
    assert pod.run(pod.plan(repository, archive_name_template="night")).code == 0
    archived, target, saved = snapshot(pod.data), pod.root / "target", pod.root / "saved"
    pod.data.rename(saved)
    gardener.change(saved, 30)
    subprocess.run(["cp", "-a", saved, target], check=True)
    before = snapshot(target)
    plan = pod.plan(
        repository, operation=Operation.RESTORE, restore=RestorePlan(name="back", archive="night", mode=Mode.MIRROR)
    )
    killer = Killer(pod)
    whole = restored(killer.run(plan))
    shutil.rmtree(target)
    subprocess.run(["cp", "-a", saved, target], check=True)
    moment = Moment(STEPS[number % len(STEPS)], chance.random(), chance.choice((Victim.POD, Victim.BORG, Victim.TERM)))
    if moment.step == RUNNER and moment.victim is Victim.BORG:
        moment = Moment(RUNNER, moment.at, Victim.POD)
    dead = pod.holder(pod.job_name, pod.job_uid)
    death = killer.run(plan, moment)
    print(f"{moment}: {death.hit or 'missed'}\n{death.log}\n{death.result}")  # noqa: T201 - shown when the test fails
    plan = replace(plan, dead_holders=(dead,))  # as the operator proves it
    goes_on = any(target.glob(".borg-restore.*.json"))
    finished = restored(killer.run(plan))
    if goes_on:
        assert _figures(finished) == _figures(whole), death.log
    after = snapshot(target)
    assert {path for path in after if path} == {path for path in archived if path}
    assert all(after[path].like(archived[path]) for path in archived), death.log
    assert all(after[path].links == archived[path].links for path in archived)
    undo = _undo_of(death) or finished.undo_archive  # as the operator chooses it
    assert undo is not None
    restored(killer.run(_undo(plan, undo)))
    assert snapshot(target) == before


def _figures(found: RestoreResult) -> tuple[int | None, ...]:
    assert found.preview is not None
    shown = found.preview
    return found.files, found.bytes, found.deleted, shown.create, shown.overwrite, shown.delete, shown.same


def _undo_of(death: Death) -> str | None:
    if death.result is None or not death.result.repositories:
        return None
    found = death.result.repositories[0].restore
    return found.undo_archive if found is not None else None


def _undo(plan: RunPlan, archive: str) -> RunPlan:
    restore = RestorePlan(name="undo", archive=archive, mode=Mode.MIRROR, undo=False)
    return RunPlan(plan.namespace, plan.operation, plan.repositories, schedule=plan.schedule, restore=restore)


@pytest.mark.parametrize("number", list(range(5)))
def test_a_killed_restore_is_finished_by_the_next_attempt(pod: Pod, number: int) -> None:
    check(pod, number)


@pytest.mark.long
@pytest.mark.parametrize("number", list(range(5, 105)))
def test_so_it_is_a_hundred_times(pod: Pod, number: int) -> None:
    check(pod, number)


@only_root
def test_a_target_that_is_too_small_is_told_before_and_one_that_fills_up_after(pod: Pod) -> None:
    (pod.data / "big").write_bytes(os.urandom(3_000_000))
    assert pod.run(pod.plan(archive_name_template="night")).code == 0
    target = pod.root / "target"
    target.mkdir()
    plan = pod.plan(operation=Operation.RESTORE, restore=RestorePlan(name="back", archive="night", verify=False))
    with small(target, "4m"):
        filler = fill(target, leave=2_000_000)
        [result] = pod.run(plan).result.repositories
        assert result.reason == "NotEnoughSpace"
        assert "Nothing was changed" in (result.error or "")
        assert [path.name for path in target.iterdir()] == ["filler"]
        filler.unlink()
        meddler = pod.root / "bin/borg"
        meddler.parent.mkdir()
        meddler.write_text(
            f'#!/bin/sh\n[ "$1" != extract ] || head -c 2000000 /dev/zero > {target}/other\nexec {pod.borg} "$@"\n'
        )
        meddler.chmod(0o755)
        pod.borg = meddler
        ended = pod.run(plan)
        [result] = ended.result.repositories
        assert result.reason == "NotEnoughSpace", ended.log
        assert "became full meanwhile" in (result.error or "")
        (target / "other").unlink()
        meddler.write_text(meddler.read_text().replace("extract ]", "nothing ]"))
        assert pod.run(plan).result.phase.succeeded
        assert (target / "big").read_bytes() == (pod.data / "big").read_bytes()
