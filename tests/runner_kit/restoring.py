"""Backs up, previews and restores in a pod, and looks how it ended."""

from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.result import RestoreResult
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from runner_kit.pod import Ended, Pod


def back_up(pod: Pod, name: str = "night", **changes: object) -> str:
    ended = pod.run(pod.plan(archive_name_template=name, **changes))
    assert ended.code == 0, ended.log
    return name


def run(pod: Pod, operation: Operation, restore: RestorePlan) -> Ended:
    return pod.run(pod.plan(operation=operation, restore=restore))


def restored(ended: Ended) -> RestoreResult:
    [repository] = ended.result.repositories
    assert repository.phase in (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS), ended.log
    assert repository.restore is not None
    return repository.restore


def failed(ended: Ended) -> RepositoryResult:
    [repository] = ended.result.repositories
    assert repository.phase is Phase.FAILED, ended.log
    return repository
