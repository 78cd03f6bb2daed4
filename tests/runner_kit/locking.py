"""A real borg that holds the lock of a repository."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from runner_kit.pod import PASSPHRASE, Pod, powerless, wait_until


@contextmanager
def locked(pod: Pod, repository: RepositoryPlan, host_id: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Let a borg under another host id hold the lock."""
    process = subprocess.Popen(
        [*powerless(), str(pod.borg), "with-lock", repository.location, "sleep", "600"],
        env={
            "PATH": os.environ["PATH"],
            "BORG_HOST_ID": host_id,
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_BASE_DIR": str(pod.root / "tmp/locker"),
        },
        start_new_session=True,
    )
    try:
        wait_until((Path(repository.location) / "lock.exclusive").exists)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
