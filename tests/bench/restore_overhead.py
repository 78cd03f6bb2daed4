"""How much longer a restore takes with the runner than with `borg extract` alone, and what reading it back costs.

Usage: python tests/bench/restore_overhead.py [files] [megabytes] [rounds]      (no cluster needed)

Prints, for so many small files (100,000) and for so many megabytes in large ones (5,000), the median seconds of borg
alone, of the whole runner process without `verify`, and with it. All restore all of an archive into an empty folder;
borg alone is followed by `sync` of that folder's file system, as the runner ends with that.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from borg_contract.restore.plan import RestorePlan
from borg_contract.run import Operation
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod

LARGE_BYTES = 50_000_000


def main(files: int, megabytes: int, rounds: int) -> None:
    """Measure in folders of its own, which are removed afterwards."""
    print(f"{rounds} rounds; median seconds")
    print(f"{'':28}{'borg':>8}{'runner':>8}{'more':>8}{'verify':>8}{'more':>8}")
    for what, fill in (
        (f"{files:,} files of 1 kB", lambda folder: _fill_small(folder, files)),
        (f"{megabytes:,} MB in large files", lambda folder: _fill_large(folder, megabytes)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            _measure(what, Pod(Path(folder), find_borg(), user=[]), fill, rounds)


def _fill_small(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number // 100:04}" / f"{number:06}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(number.to_bytes(8, "big") * 125)


def _fill_large(folder: Path, megabytes: int) -> None:
    for number in range(max(1, megabytes * 1_000_000 // LARGE_BYTES)):
        (folder / f"large{number}").write_bytes(os.urandom(LARGE_BYTES))


def _measure(what: str, pod: Pod, fill: Callable[[Path], None], rounds: int) -> None:
    fill(pod.data)
    assert pod.run(pod.plan(archive_name_template="night")).code == 0
    shutil.rmtree(pod.data)
    told = _run(pod, Operation.PREVIEW)
    taken: dict[str, list[float]] = {"borg": [], "runner": [], "verify": []}
    for _ in range(rounds):
        for name, work in (
            ("borg", lambda: _extract(pod)),
            ("runner", lambda: _run(pod, Operation.RESTORE, archive_id=told[0], digest=told[1], verify=False)),
            ("verify", lambda: _run(pod, Operation.RESTORE, archive_id=told[0], digest=told[1])),
        ):
            shutil.rmtree(pod.root / "target", ignore_errors=True)
            (pod.root / "target").mkdir()
            began = time.monotonic()
            work()
            taken[name].append(time.monotonic() - began)
    borg, runner, verify = (statistics.median(taken[name]) for name in ("borg", "runner", "verify"))
    print(f"{what:28}{borg:8.2f}{runner:8.2f}{runner - borg:+8.2f}{verify:8.2f}{verify - runner:+8.2f}")


def _extract(pod: Pod) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "BORG_BASE_DIR": str(pod.root / "var/cache/borg/main"),
        "BORG_PASSPHRASE": PASSPHRASE,
        "BORG_EXIT_CODES": "modern",
    }
    depth = len((pod.root / "sources/data").parts) - 1
    words = [
        "extract",
        "--numeric-ids",
        "--sparse",
        f"--strip-components={depth}",
        f"{pod.repository().location}::night",
    ]
    subprocess.run([str(pod.borg), *words], env=environment, cwd=pod.root / "target", capture_output=True, check=True)
    subprocess.run(["sync", "--file-system", str(pod.root / "target")], check=True)


def _run(pod: Pod, operation: Operation, **changes: object) -> tuple[str, str]:
    (pod.root / "target").mkdir(exist_ok=True)
    restore = RestorePlan(name="back", archive="night", **changes)  # type: ignore[arg-type]
    ended = pod.run(pod.plan(operation=operation, restore=restore))
    assert ended.code == 0, ended.log
    found = ended.result.repositories[0].restore
    assert found is not None
    assert found.resolved is not None
    assert found.preview is not None
    return found.resolved.id, found.preview.digest


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(*given, *(100_000, 5_000, 3)[len(given) :]))
