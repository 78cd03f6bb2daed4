"""What the steps of a run say they did: real borg, append-only servers, patterns, and repositories of old borgs."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.result import CompactResult, PreviousArchive, RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from runner_kit.pod import Ended, Pod, during
from runner_kit.ssh_server import SshServer, serve_ssh

OLD_REPOSITORIES = Path(__file__).parents[2] / "runner_kit/old_repositories"
NOTHING_GIVEN_BACK = "append-only: nothing was given back"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with serve_ssh(tmp_path / "server") as running:
        yield running


def restrict(server: SshServer, command: str) -> None:
    """Let whoever comes with the key do nothing but `command`."""
    keys = server.folder / "authorized_keys"
    keys.write_text(f'command="{command}",restrict {keys.read_text()}')


def remote(pod: Pod, server: SshServer) -> RepositoryPlan:
    return pod.repository(
        location=server.url(pod.root / "repositories/main"),
        ssh=SshPlan(
            pod.secret("borg-ssh", "id", server.user_key), pod.secret("borg-ssh", "known_hosts", server.known_hosts)
        ),
    )


def nights(pod: Pod, repository: RepositoryPlan, *, amount: int) -> list[Ended]:
    """Return how so many backups went, each of data that nobody had before, with prune and compact."""
    ended = []
    for _ in range(amount):
        (pod.data / "big").write_bytes(os.urandom(1_000_000))
        ended.append(pod.run(pod.plan(repository, prune=Retention.only(keep_daily=1), compact_threshold=10)))
    return ended


def assert_nothing_given_back(ended: Ended) -> None:
    """Such a night is a good one, makes no alarm, and claims nothing that did not happen."""
    assert ended.result.phase is Phase.COMPLETED, ended.log
    [result] = ended.result.repositories
    assert result.warning_count == 0
    assert result.prune
    assert (result.prune.kept, result.prune.deleted) == (1, 1)
    assert result.compact == CompactResult(0, append_only=True)
    assert NOTHING_GIVEN_BACK in ended.log
    assert "freed" not in ended.log


def test_a_repository_that_only_ever_adds_gives_nothing_back_and_says_so(pod: Pod) -> None:
    repository = pod.repository()
    nights(pod, repository, amount=1)
    pod.ask_borg(repository, "config", "REPO", "append_only", "1")
    assert_nothing_given_back(nights(pod, repository, amount=1)[0])
    before = pod.written_bytes(repository)
    asked = pod.run(pod.plan(repository, operation=Operation.COMPACT))
    assert asked.result.phase is Phase.COMPLETED_WITH_WARNINGS
    assert NOTHING_GIVEN_BACK in asked.result.repositories[0].warnings[0]
    assert pod.written_bytes(repository) >= before > 2_000_000
    pod.ask_borg(repository, "config", "REPO", "append_only", "0")
    [result] = pod.run(pod.plan(repository, operation=Operation.COMPACT)).result.repositories
    assert result.compact is not None
    assert result.compact.freed_bytes > 900_000
    assert not result.compact.append_only


def test_a_server_that_only_ever_adds_gives_nothing_back_and_says_so(pod: Pod, server: SshServer) -> None:
    repository = remote(pod, server)
    folder = pod.root / "repositories"
    restrict(server, f"{pod.borg} serve --append-only --restrict-to-path {folder} --storage-quota 1G")
    assert_nothing_given_back(nights(pod, repository, amount=2)[1])
    local = pod.repository()
    assert pod.written_bytes(local) > 2_000_000  # of an archive that is in no list any more as well
    assert len(pod.archives(local)) == 1


def test_a_server_that_compacts_is_not_taken_for_one_that_only_adds(pod: Pod, server: SshServer) -> None:
    restrict(server, f"{pod.borg} serve --restrict-to-path {pod.root}/repositories")
    [result] = nights(pod, remote(pod, server), amount=2)[1].result.repositories
    assert result.compact is not None
    assert result.compact.freed_bytes > 900_000


def test_patterns_that_left_nothing_out_are_named_without_a_warning(pod: Pod) -> None:
    (pod.data / "x.tmp").write_text("x")
    (pod.data / "cache/deep").mkdir(parents=True)
    (pod.data / "cache/deep/file").write_text("x")
    at = str(pod.data).lstrip("/")
    repository = pod.repository(exclude=("*.tmp", f"sh:{at}/**/deep", f"{at}/gone", "re:nowhere$"))
    ended = pod.run(pod.plan(repository))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    [result] = ended.result.repositories
    assert result.unused_excludes == (f"{at}/gone", "re:nowhere$")
    assert f"left nothing out: {at}/gone, re:nowhere$" in ended.log
    assert result.files == 1


def test_a_result_says_which_repository_it_is_and_which_archive_was_the_newest_before(pod: Pod) -> None:
    repository = pod.repository()
    keep = Retention.only(keep_within="1d")
    first = result_of(pod, repository)
    second = result_of(pod, repository, prune=keep)
    third = result_of(pod, repository)
    identity = pod.ask_borg(repository, "config", "REPO", "id").strip()
    assert [item.repository_id for item in (first, second, third)] == [identity] * 3
    assert first.previous == PreviousArchive("", "")
    assert second.previous is not None
    assert second.previous.name == first.archive
    assert third.previous is not None
    assert third.previous.name == second.archive
    assert third.previous.time >= second.previous.time > "2026"
    [listed] = pod.run(pod.plan(repository, operation=Operation.LIST)).result.repositories
    assert (listed.repository_id, listed.previous) == (identity, None)


def test_whatever_ends_prune_the_archive_is_told_to_be_there(pod: Pod) -> None:
    during(pod, "create", f"rm {pod.root}/bin/borg")
    [result] = pod.run(pod.plan(prune=Retention.only(keep_daily=1))).result.repositories
    assert result.reason == "PruneFailed"
    assert f'Archive "{result.archive}" was written, but prune failed: ' in (result.error or "")


def result_of(pod: Pod, repository: RepositoryPlan, **changes: object) -> RepositoryResult:
    template = "{job_name}-{now}"
    ended = pod.run(pod.plan(repository, archive_name_template=template, **changes))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    return ended.result.repositories[0]


def test_an_older_copy_in_the_repositorys_place_shows_without_a_cache(pod: Pod) -> None:
    repository = pod.repository()
    first = result_of(pod, repository)
    shutil.copytree(repository.location, pod.root / "copy")
    lost = result_of(pod, repository)
    shutil.rmtree(repository.location)
    shutil.move(pod.root / "copy", repository.location)
    shutil.rmtree(pod.root / "var/cache/borg/main")
    after = result_of(pod, repository)
    assert lost.archive is not None
    assert after.previous is not None
    assert after.previous.name == first.archive
    assert after.repository_id == lost.repository_id


def old_repository(pod: Pod, name: str) -> RepositoryPlan:
    with tarfile.open(OLD_REPOSITORIES / f"{name}.tar.gz") as archive:
        archive.extractall(pod.root / "repositories", filter="data")
    (pod.root / "repositories" / name).rename(pod.root / "repositories/main")
    return pod.repository()


@pytest.mark.parametrize("operation", [Operation.BACKUP, Operation.LIST, Operation.CHECK])
def test_archives_that_borg_1_2_4_renamed_are_no_damage_and_nobody_is_told_to_repair(
    pod: Pod, operation: Operation
) -> None:
    repository = old_repository(pod, "renamed-by-1.2.4")
    [result] = pod.run(pod.plan(repository, operation=operation)).result.repositories
    assert result.reason == "ArchiveUnauthenticated"
    assert result.error is not None
    assert "no damage" in result.error
    assert "`borg upgrade --archives-tam`" in result.error
    assert "Do not run `borg check --repair`, it would delete them" in result.error
    if operation is Operation.CHECK:
        assert '"renamed"' in result.error
    # Borg's documented way out keeps all of them.
    pod.ask_borg(repository, "upgrade", "--archives-tam", "REPO")
    assert pod.run(pod.plan(repository, operation=operation)).result.phase is Phase.COMPLETED
    assert set(pod.archives(repository)) >= {"renamed", "second"}


def test_what_a_repair_would_delete_really_is_good(pod: Pod) -> None:
    repository = old_repository(pod, "renamed-by-1.2.4")
    environment = {"BORG_BASE_DIR": str(pod.root / "tmp/base"), "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
    environment |= {"BORG_PASSPHRASE": "correct horse 'battery' \"staple\"", "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES"}
    subprocess.run(
        [pod.borg, "check", "--repair", repository.location], env=environment, capture_output=True, check=False
    )
    assert pod.archives(repository) == ["second"]


@pytest.mark.parametrize("operation", [Operation.BACKUP, Operation.CHECK])
def test_a_list_of_archives_without_a_signature_has_a_reason_of_its_own(pod: Pod, operation: Operation) -> None:
    repository = old_repository(pod, "manifest-unsigned")
    [result] = pod.run(pod.plan(repository, operation=operation)).result.repositories
    assert result.reason == "ManifestUnauthenticated"
    assert result.error is not None
    assert "`borg upgrade --tam --force`" in result.error
    assert "Do not run `borg check --repair`" in result.error
    pod.ask_borg(repository, "upgrade", "--tam", "--force", "REPO")
    assert pod.run(pod.plan(repository, operation=operation)).result.phase is Phase.COMPLETED


def test_objects_that_belong_to_no_archive_are_no_damage(pod: Pod) -> None:
    repository = pod.repository()
    assert pod.run(pod.plan(repository)).code == 0
    (pod.root / "object").write_text("left over")
    pod.ask_borg(repository, "debug", "put-obj", "REPO", f"{7:064}", str(pod.root / "object"))
    ended = pod.run(pod.plan(repository, operation=Operation.CHECK))
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS, ended.log
    [result] = ended.result.repositories
    assert result.warnings[0].startswith("1 orphaned objects found: leftovers")
    assert result.warning_count == 1


def test_damage_is_told_with_what_a_repair_would_do(pod: Pod) -> None:
    repository = pod.repository()
    (pod.data / "big").write_bytes(os.urandom(300_000))
    assert pod.run(pod.plan(repository)).code == 0
    segment = max(Path(repository.location).glob("data/*/*"), key=lambda path: path.stat().st_size)
    segment.chmod(0o600)
    with segment.open("r+b") as file:
        file.seek(150_000)
        file.write(bytes(1000))
    [result] = pod.run(pod.plan(repository, operation=Operation.CHECK)).result.repositories
    assert result.reason == "CheckFailed"
    assert result.error is not None
    assert "Do not repair it before you have copied the repository" in result.error
    assert "puts zeros where parts of files are missing" in result.error
