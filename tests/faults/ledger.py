"""What runs have promised about one repository, and whether it holds."""

import hashlib
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Phase
from borg_runner.locks.reading import read_holders
from runner_kit.pod import Pod

KEEP = 2
OTHERS = "other-2026-01-01T01:02:03"
"""An archive of another schedule, which must never go."""

Tree = dict[str, tuple[int, int, str]]


def read_tree(folder: Path) -> Tree:
    """Return mode, time of the last change in ns, and content of all that is in `folder`, by path."""
    return {str(path.relative_to(folder)): _describe(path) for path in sorted(folder.rglob("*"))}


def _describe(path: Path) -> tuple[int, int, str]:
    status = path.lstat()
    if path.is_symlink():
        content = str(path.readlink())
    else:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return stat.S_IMODE(status.st_mode), status.st_mtime_ns, content


@dataclass
class Ledger:
    """`repository` as it lies on this machine's disk; `own`: the schedule's archives, the oldest first."""

    pod: Pod
    repository: RepositoryPlan
    own: list[str] = field(default_factory=list)
    trees: dict[str, Tree] = field(default_factory=dict)

    def add_archive_of_others(self) -> None:
        self.trees[OTHERS] = read_tree(self.pod.data)
        self.pod.ask_borg(self.repository, "create", "--comment=theirs", f"REPO::{OTHERS}", str(self.pod.data))

    def settle(
        self,
        recovered: RunResult,
        *,
        hurt: RunResult | None = None,
        hurt_tree: Tree | None = None,
        thorough: bool = True,
    ) -> None:
        """Compare the repository with all promises, after a run of which something was ended and the good one after it.

        `hurt`: what the former said, if anything; `hurt_tree`: what it was to back up. `thorough`: the content, too.
        """
        [good] = recovered.repositories
        assert (recovered.phase, good.reason, good.warning_count) == (Phase.COMPLETED, None, 0), recovered
        names = self.pod.archives(self.repository)
        others = [name for name in names if not name.startswith("db-")]
        assert others == [name for name in self.trees if name == OTHERS], "an archive of another schedule is gone"
        own = [name for name in names if name not in others]
        new = [name for name in own if name not in self.own]
        assert new[-1:] == [good.archive], "the archive of a run that said Completed is not there"
        unsaid = new[:-1]
        assert len(unsaid) <= (hurt_tree is not None), f"archives that nobody made: {unsaid}"
        self.trees[str(good.archive)] = read_tree(self.pod.data)
        if unsaid and hurt_tree is not None:
            self.trees[unsaid[0]] = hurt_tree
        if hurt is not None:
            self._believe(hurt.repositories[0], unsaid)
        assert own == [*self.own, *new][-KEEP:], "prune took other archives than its rules say"
        self.own = own
        assert good.totals is not None
        assert good.totals.archives == len(names)
        assert good.prune is not None
        assert good.prune.kept == len(own)
        self._find_no_locks()
        if thorough:
            self.pod.ask_borg(self.repository, "check", "--verify-data", "REPO")
            for name in new:
                self.compare(name)

    def compare_all(self) -> None:
        for name in self.pod.archives(self.repository):
            self.compare(name)

    def compare(self, name: str) -> None:
        """Extract the archive, and compare it with what was backed up."""
        folder = self.pod.root / "extracted"
        folder.mkdir()
        self.pod.ask_borg(self.repository, "extract", f"REPO::{name}", directory=folder)
        assert read_tree(folder / str(self.pod.data).lstrip("/")) == self.trees[name], f"{name} is not what it was"
        shutil.rmtree(folder)

    def _believe(self, hurt: RepositoryResult, unsaid: list[str]) -> None:
        """Whatever a run said, it must be true."""
        if hurt.archive is not None:
            assert hurt.archive in unsaid, "a run named an archive that is not there"
        if hurt.phase.succeeded and hurt.files is None:
            assert hurt.archive is None
        if hurt.phase is Phase.FAILED:
            assert hurt.reason, hurt
            assert hurt.error, hurt
        if hurt.totals is not None:
            before = len([name for name in self.trees if name == OTHERS]) + len([*self.own, *unsaid][-KEEP:])
            assert hurt.totals.archives == before, "totals claim more than there is"

    def _find_no_locks(self) -> None:
        caches = self.pod.root.glob("var/cache/borg/*/.cache/borg/*")
        for folder in (Path(self.repository.location), *(path for path in caches if path.is_dir())):
            assert read_holders(folder) == [], f"a lock was left in {folder}"
