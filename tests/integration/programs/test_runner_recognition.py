"""A repository that is known: one that is gone is not made anew, and another one in its place is not worked on."""

import configparser
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.restore.plan import LatestPlan, RestorePlan
from borg_contract.restore.proof import DrillPlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from faults.ledger import read_tree
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod
from runner_kit.ssh_server import SshServer, serve_ssh

Change = Callable[[Path], object]

ANOTHER = "b" * 64
EVERY = (*Operation,)
TOLD_BEFORE = [operation for operation in EVERY if operation not in (Operation.BACKUP, Operation.BREAK_LOCK)]
"""What asks an SSH server which repository it is, before it does anything."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """Give a pod after a backup into `main`, and one into `other`, which is to come into its place."""
    pod = Pod(tmp_path_factory.mktemp("used"), find_borg())
    assert pod.run(pod.plan(pod.repository(), pod.repository("other"), archive_name_template="{job_name}-1")).code == 0
    return pod


@pytest.fixture
def pod(used: Pod, tmp_path: Path) -> Pod:
    shutil.copytree(used.root, tmp_path / "pod")
    return Pod(tmp_path / "pod", used.borg)


def id_of(folder: Path) -> str:
    config = configparser.ConfigParser()
    config.read(folder / "config")
    return config["repository"]["id"]


def folder_of(pod: Pod, name: str = "main") -> Path:
    return pod.root / "repositories" / name


def known(pod: Pod, **changes: object) -> RepositoryPlan:
    """Return the plan of a run that knows which repository `main` was."""
    return replace(pod.repository(), repository_ids=(id_of(folder_of(pod)),), **changes)  # type: ignore[arg-type]


def known_over_ssh(pod: Pod, server: SshServer) -> RepositoryPlan:
    keys = (pod.secret("borg-ssh", "id", server.user_key), pod.secret("borg-ssh", "known_hosts", server.known_hosts))
    return known(pod, location=server.url(folder_of(pod)), ssh=SshPlan(*keys), remote_path=str(pod.borg))


def run(pod: Pod, repository: RepositoryPlan, operation: Operation = Operation.BACKUP) -> RepositoryResult:
    plan = pod.plan(
        repository,
        operation=operation,
        archive_name_template="{job_name}-{now}",
        prune=Retention.only(keep_daily=1),
        compact_threshold=10,
        restore=RestorePlan(name="back", latest=LatestPlan()) if operation.needs_restore else None,
        drill=DrillPlan(schedules=("db",)) if operation is Operation.DRILL else None,
    )
    ended = pod.run(plan)
    print(ended.log)  # noqa: T201 - shown when the test fails
    return ended.result.repositories[0]


def put_another_in_its_place(pod: Pod) -> str:
    """Return its id."""
    shutil.rmtree(folder_of(pod))
    folder_of(pod, "other").rename(folder_of(pod))
    return id_of(folder_of(pod))


def leave_a_mount_point(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "lost+found").mkdir(parents=True)


def leave_an_empty_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def put_a_file_there(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (shutil.rmtree, "/main does not exist. "),
        (lambda folder: shutil.rmtree(folder.parent), "/main does not exist. "),
        (leave_a_mount_point, "/main is not a borg repository: it holds lost+found. "),
        (put_a_file_there, "/main is no folder. "),
    ],
    ids=["the folder", "the volume", "an empty disk is there", "a file is there"],
)
def test_one_that_is_gone_is_told_with_what_is_in_its_place_and_how_to_begin_anew(
    pod: Pod, lose: Change, words: str
) -> None:
    repository = known(pod)
    lose(folder_of(pod))
    left = read_tree(pod.root / "repositories")
    result = run(pod, repository)
    [id_] = repository.repository_ids
    assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "RepositoryMissing", None)
    assert result.error is not None
    assert words in result.error
    assert f"(borg's id {id_[:16]}…)" in result.error
    assert "Look at the volume (is it the same one, is it mounted, was the folder moved?)" in result.error
    assert f"`kubectl annotate brepo main --overwrite borgoperator.io/lost-repository-id={id_}`" in result.error
    assert read_tree(pod.root / "repositories") == left
    # Where a person has said that it is lost.
    begun = run(pod, replace(repository, location=str(folder_of(pod, "anew")), repository_ids=()))
    assert begun.phase is Phase.COMPLETED
    assert begun.repository_id not in (None, id_)


@pytest.mark.parametrize(
    ("put", "initialize", "reason", "words"),
    [
        (leave_a_mount_point, True, "NotARepository", "/main is not a borg repository: it holds lost+found. Name an "),
        (put_a_file_there, True, "NotARepository", "/main is no folder. Name an empty or new folder"),
        (shutil.rmtree, False, "RepositoryMissing", "/main does not exist. Set `initialize: true` to create"),
        (leave_an_empty_folder, False, "RepositoryMissing", "/main is empty. Set `initialize: true` to create"),
    ],
    ids=["an empty disk", "a file", "nothing", "an empty folder"],
)
def test_where_none_is_known_what_is_there_is_told_in_the_same_words(
    pod: Pod, put: Change, initialize: bool, reason: str, words: str
) -> None:
    put(folder_of(pod))
    left = read_tree(pod.root / "repositories")
    result = run(pod, pod.repository(initialize=initialize))
    assert (result.phase, result.reason) == (Phase.FAILED, reason)
    assert words in (result.error or "")
    assert read_tree(pod.root / "repositories") == left


@pytest.mark.parametrize("operation", EVERY)
def test_no_operation_hides_that_it_is_gone(pod: Pod, operation: Operation) -> None:
    repository = known(pod, initialize=False)
    shutil.rmtree(folder_of(pod))
    result = run(pod, repository, operation)
    assert (result.phase, result.reason) == (Phase.FAILED, "RepositoryMissing")
    assert "If it is lost for good: set `initialize: true`, and `kubectl annotate" in (result.error or "")
    assert not folder_of(pod).exists()


@pytest.mark.parametrize("operation", EVERY)
def test_a_run_tells_which_place_it_was_given_whatever_it_finds_there(pod: Pod, operation: Operation) -> None:
    repository = known(pod, place="0123456789ab")
    assert run(pod, repository, operation).place == "0123456789ab"
    assert run(pod, replace(repository, passphrase=pod.secret("not-there", "key")), operation).place == "0123456789ab"
    shutil.rmtree(folder_of(pod))
    assert run(pod, repository, operation).place == "0123456789ab"


@pytest.mark.parametrize("operation", EVERY)
def test_another_one_in_its_place_is_not_touched_until_a_person_accepts_it(pod: Pod, operation: Operation) -> None:
    repository = known(pod)
    found = put_another_in_its_place(pod)
    before = read_tree(folder_of(pod))
    result = run(pod, repository, operation)
    assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "RepositoryReplaced", None)
    assert result.repository_id == found
    assert result.error is not None
    assert f"({found[:16]}…) than runs before found ({repository.repository_ids[0][:16]}…)" in result.error
    assert "Nothing was written." in result.error
    assert f"`kubectl annotate brepo main --overwrite borgoperator.io/repository-id={found}`" in result.error
    assert read_tree(folder_of(pod)) == before
    accepting = replace(
        repository,
        repository_ids=(*repository.repository_ids, found),
        passphrase=pod.repository("other").passphrase,
    )
    assert run(pod, accepting).phase is Phase.COMPLETED, "and there is an archive of this very pod to restore"
    assert run(pod, accepting, operation).phase is Phase.COMPLETED


def test_locks_of_the_dead_go_whatever_is_there(pod: Pod) -> None:
    repository = known(pod)
    put_another_in_its_place(pod)
    dead = pod.holder("db-0", "uid-0")
    ended = pod.run(pod.plan(repository, operation=Operation.BREAK_LOCK, dead_holders=(dead,)))
    assert ended.result.phase is Phase.COMPLETED, ended.log


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "config").unlink(), "RepositoryDamaged"),
        (lambda folder: (folder / "config").write_text(""), "NotARepository"),
        (lambda folder: (folder / "config").write_bytes(b"\xff\xfe\x00"), "RepositoryDamaged"),
        (
            lambda folder: (folder / "config").write_text("[repository]\nversion = 1\nid = rm -rf\n"),
            "RepositoryDamaged",
        ),
    ],
    ids=["config gone", "config empty", "config of bytes", "no id"],
)
def test_a_damaged_one_is_not_called_gone(pod: Pod, damage: Change, reason: str) -> None:
    repository = known(pod)
    damage(folder_of(pod))
    assert run(pod, repository).reason == reason


@pytest.mark.parametrize("operation", EVERY)
def test_over_ssh_one_that_is_gone_is_not_made_anew(pod: Pod, server: SshServer, operation: Operation) -> None:
    repository = known_over_ssh(pod, server)
    shutil.rmtree(folder_of(pod))
    result = run(pod, repository, operation)
    assert (result.phase, result.reason) == (Phase.FAILED, "RepositoryMissing")
    assert "Look at the server (was it built anew, is its disk mounted?)" in (result.error or "")
    assert f"borgoperator.io/lost-repository-id={repository.repository_ids[0]}" in (result.error or "")
    assert not folder_of(pod).exists()


def test_over_ssh_an_empty_disk_is_not_made_a_repository(pod: Pod, server: SshServer) -> None:
    repository = known_over_ssh(pod, server)
    shutil.rmtree(folder_of(pod))
    folder_of(pod).mkdir()
    assert run(pod, repository).reason == "RepositoryMissing"
    assert list(folder_of(pod).iterdir()) == []


@pytest.mark.parametrize("operation", TOLD_BEFORE)
def test_over_ssh_another_one_is_noticed_before_anything_is_done(
    pod: Pod, server: SshServer, operation: Operation
) -> None:
    repository = known_over_ssh(pod, server)
    assert run(pod, repository).phase is Phase.COMPLETED, "and there is an archive of this very pod to restore"
    assert run(pod, repository, operation).phase is Phase.COMPLETED
    found = put_another_in_its_place(pod)
    result = run(pod, replace(repository, passphrase=pod.repository("other").passphrase), operation)
    assert (result.reason, result.repository_id) == ("RepositoryReplaced", found)
    assert "Nothing was written." in (result.error or "")
    assert (result.prune, result.compact, result.totals) == (None, None, None)


def test_over_ssh_nothing_is_written_once_another_one_was_found_there(pod: Pod, server: SshServer) -> None:
    repository = replace(known_over_ssh(pod, server), is_doubted=True)
    assert run(pod, repository).phase is Phase.COMPLETED, "it is the right one again"
    found = put_another_in_its_place(pod)
    doubted = replace(repository, passphrase=pod.repository("other").passphrase)
    before = read_tree(folder_of(pod))
    for _ in range(2):
        result = run(pod, doubted)
        assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "RepositoryReplaced", None)
        assert result.repository_id == found
        assert "Nothing was written." in (result.error or "")
    now = read_tree(folder_of(pod))
    assert {path: now[path][2] for path in now} == {path: before[path][2] for path in before}
    assert run(pod, replace(doubted, repository_ids=(*doubted.repository_ids, found))).phase is Phase.COMPLETED


def test_over_ssh_a_doubted_one_that_is_gone_is_told_and_its_locks_can_be_broken(pod: Pod, server: SshServer) -> None:
    repository = replace(known_over_ssh(pod, server), is_doubted=True)
    assert run(pod, repository, Operation.BREAK_LOCK).phase is Phase.COMPLETED
    shutil.rmtree(folder_of(pod))
    assert run(pod, repository).reason == "RepositoryMissing"


def test_over_ssh_a_backup_into_another_one_fails_and_names_its_archive_and_prunes_nothing(
    pod: Pod, server: SshServer
) -> None:
    repository = replace(known_over_ssh(pod, server), passphrase=pod.repository("other").passphrase)
    found = put_another_in_its_place(pod)
    result = run(pod, repository)
    assert (result.phase, result.reason, result.repository_id) == (Phase.FAILED, "RepositoryReplaced", found)
    assert result.archive is not None
    assert f'Archive "{result.archive}" was written into another borg repository' in (result.error or "")
    assert (result.prune, result.compact) == (None, None)
    plain = replace(pod.repository(), passphrase=repository.passphrase)
    assert pod.archives(plain) == ["db-1", result.archive]
    assert run(pod, replace(repository, repository_ids=(ANOTHER, found))).phase is Phase.COMPLETED
