"""Restores with a real borg: what a preview says, what a restore does."""

from borg_contract.restore.plan import RestorePlan
from borg_contract.run import Operation, Phase
from runner_kit.pod import Pod


def test_a_volume_that_was_lost_comes_back(pod: Pod) -> None:
    (pod.data / "sub").mkdir()
    (pod.data / "sub/file").write_text("x" * 1000)
    backup = pod.run(pod.plan()).result.repositories[0]
    assert backup.archive
    (pod.root / "target").mkdir()
    plan = RestorePlan(name="back", archive=backup.archive)
    previewed = pod.run(pod.plan(operation=Operation.PREVIEW, restore=plan))
    print(previewed.log)
    assert previewed.result.phase is Phase.COMPLETED
    ended = pod.run(pod.plan(operation=Operation.RESTORE, restore=plan))
    print(ended.log, ended.message)
    assert ended.result.phase is Phase.COMPLETED
    assert (pod.root / "target/sub/file").read_text() == "x" * 1000
