"""How fast a session opens, lists 200,000 files and hands on a large one, with a real borg.

PYTHONPATH=tests .venv/bin/python tests/bench/session_real.py [FILES] [MEGABYTES]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from borg_contract.session.answers import TreeAnswer
from borg_contract.session.request import ReadRequest, SessionOperation
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod
from runner_kit.session import session_of

PER_FOLDER = 1000


def most_memory(pid: int) -> int:
    """Return MiB that a process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def main(files: int, megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        pod = Pod(Path(root), find_borg())
        for number in range(files):
            if number % PER_FOLDER == 0:
                folder = pod.data / f"{number // PER_FOLDER:04d}"
                folder.mkdir()
            (folder / f"file-{number}").touch()
        with (pod.data / "large").open("wb") as large:
            for _ in range(megabytes):
                large.write(os.urandom(1 << 20))
        repository = pod.repository()
        pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
        pod.ask_borg(repository, "create", "REPO::one", "data", directory=pod.root / "sources")
        began = time.monotonic()
        with session_of(pod, repository) as session:
            ready = time.monotonic() - began
            session.archives()
            opened = time.monotonic() - began
            began = time.monotonic()
            while session.ask(TreeAnswer, "tree", archive="one").entries < PER_FOLDER:
                time.sleep(0.02)
            first = time.monotonic() - began
            session.folder("one")
            print(f"ready after {ready:.1f} s, open after {opened:.1f} s; ", end="")
            print(f"the first thousand after {first:.1f} s, all {files:,} after {time.monotonic() - began:.1f} s")
            request = ReadRequest(SessionOperation.FILE, archive="one", path="data/large")
            for _ in range(2):
                began = time.monotonic()
                environment = {
                    "PATH": os.environ["PATH"],
                    "BORG_PASSPHRASE": PASSPHRASE,
                    "BORG_BASE_DIR": str(pod.root / "tmp/other-base"),
                    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
                }
                command = [str(pod.borg), "extract", "--stdout", f"{repository.location}::one", "pf:data/large"]
                with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as borg:
                    assert borg.stdout
                    while borg.stdout.read(1 << 18):
                        pass
                alone = time.monotonic() - began
                began = time.monotonic()
                headers = {"authorization": f"Bearer {session.sign(request)}"}
                with session.client.stream("GET", session.url(request), headers=headers) as answer:
                    size = sum(map(len, answer.iter_raw(1 << 18)))
                ours = time.monotonic() - began
                assert size == megabytes << 20
                rates = (megabytes / alone, megabytes / ours, alone / ours * 100)
                print("borg alone {:.0f} MiB/s, through the session {:.0f} MiB/s: {:.0f} %".format(*rates))
            print(f"the session's own memory: {most_memory(session.process.pid)} MiB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1024)
