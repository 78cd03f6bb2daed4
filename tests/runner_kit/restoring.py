"""Backs up, previews and restores in a pod, and looks how it ended."""

from pathlib import Path

from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.result import RestoreResult
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Ended, Pod, during


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


def fail_in_a_file(pod: Pod, plan: RestorePlan, file: Path) -> None:
    """Let the restore end in the middle of that file."""
    fail_after(pod, plan, f"mkdir -p {file.parent}; printf he >{file}")


def fail_after(pod: Pod, plan: RestorePlan, script: str) -> None:
    """Let the restore end once a shell has done in place of borg's extraction what the script says."""
    during(pod, "extract", f'case "$*" in *--dry-run*|*--stdout*) ;; *) {script}; exit 2 ;; esac')
    failed(run(pod, Operation.RESTORE, plan))
    pod.borg = find_borg()
