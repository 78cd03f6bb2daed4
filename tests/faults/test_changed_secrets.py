"""Secrets that change between two nights: nothing is written with a wrong one, and the right one is enough."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan
from borg_contract.run import Phase
from faults.ledger import read_tree
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Ended, Pod, powerless

OTHER = "another, long enough passphrase"


@dataclass
class Nights:
    """One repository's nights; `secret`: the file that the pod mounts."""

    pod: Pod
    repository: RepositoryPlan
    secret: Path
    count: int = 0

    def work(self) -> Ended:
        self.count += 1
        return self.pod.run(self.pod.plan(self.repository, archive_name_template=f"{{job_name}}-{self.count}"))

    def change_passphrase(self, old: str, new: str) -> None:
        subprocess.run(
            [*powerless(), str(self.pod.borg), "key", "change-passphrase", self.repository.location],
            env={
                "PATH": os.environ["PATH"],
                "BORG_BASE_DIR": str(self.pod.root / "tmp/other-base"),
                "BORG_PASSPHRASE": old,
                "BORG_NEW_PASSPHRASE": new,
            },
            capture_output=True,
            check=True,
        )

    def expect_nothing_done(self, reason: str, words: str) -> None:
        before = read_tree(Path(self.repository.location))
        [result] = self.work().result.repositories
        assert (result.phase, result.reason, result.archive) == (Phase.FAILED, reason, None)
        assert words in (result.error or "")
        assert read_tree(Path(self.repository.location)) == before

    def expect_good_night(self) -> None:
        ended = self.work()
        assert ended.result.phase is Phase.COMPLETED, ended.log


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    pod = Pod(tmp_path, find_borg())
    secret = pod.secret("borg-main", "passphrase")
    nights = Nights(pod, pod.repository(), Path(secret.path))
    nights.expect_good_night()
    return nights


def test_a_secret_with_another_passphrase_writes_nothing_and_the_old_one_heals(nights: Nights) -> None:
    nights.secret.write_text(OTHER)
    nights.expect_nothing_done("PassphraseWrong", "correct the Secret")
    nights.secret.write_text(PASSPHRASE)
    nights.expect_good_night()
    nights.pod.ask_borg(nights.repository, "check", "--verify-data", "REPO")


def test_a_passphrase_changed_in_the_repository_alone_writes_nothing_until_the_secret_has_it_too(
    nights: Nights,
) -> None:
    nights.change_passphrase(PASSPHRASE, OTHER)
    nights.expect_nothing_done("PassphraseWrong", "correct the Secret")
    nights.secret.write_text(OTHER)
    nights.expect_good_night()
    nights.change_passphrase(OTHER, PASSPHRASE)
    assert nights.pod.archives(nights.repository) == ["db-1", "db-3"]


def test_a_secret_that_the_pods_user_may_not_read_says_whose_it_must_be(nights: Nights) -> None:
    nights.secret.chmod(0o000)
    nights.expect_nothing_done("SecretMissing", "`job.fsGroup`")
    nights.secret.chmod(0o440)
    nights.expect_good_night()
