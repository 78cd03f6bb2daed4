"""A volume that does not answer while borg works on it: borg hangs in one call, which a stopped borg looks like."""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from borg_runner.borg.client import Borg
from borg_runner.borg.invocation import make_borg_environment
from borg_runner.interruption import Interruption
from borg_runner.locks.reading import read_exclusive
from borg_runner.log import Log
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod, wait_until
from runner_kit.told import Told


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    pod = Pod(tmp_path, find_borg())
    (pod.data / "much").write_bytes(os.urandom(4_000_000))
    return pod


def test_a_borg_that_hangs_is_told_and_not_ended_and_its_backup_goes_on(pod: Pod) -> None:
    repository = pod.repository()
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    told: list[str] = []
    own = make_borg_environment(repository, base_dir=str(pod.root / "tmp"), schedule="db", host_id=None, rsh=None)
    borg = Borg(
        environment={"PATH": os.environ["PATH"], **own},
        passphrase=PASSPHRASE,
        log=Log(),
        interruption=Interruption(1.0),
        executable=str(pod.borg),
        notice=Told(pod.root / "tmp/borg-waits", Log(), told),
        hang_seconds=2.0,
    )
    seen: list[str] = []

    def stop() -> None:
        wait_until(lambda: pod.written_bytes(repository) > 1_000_000, 60)
        pid = read_exclusive(Path(repository.location))[0].pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            wait_until(pod.notice, 60)
            seen.append(pod.notice())
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    slow = ("--progress", "--log-json", "--compression=lzma,9", "--files-cache=disabled")
    outcome = borg.run(["create", *slow, f"{repository.location}::one", str(pod.data)])
    thread.join()
    assert outcome.succeeded
    assert seen == told
    [words] = told
    assert words.startswith("No answer from a volume: borg waits for one since ")
    assert pod.notice() == "", "it is taken back"
