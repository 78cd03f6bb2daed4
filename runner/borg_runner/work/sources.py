"""Sources: the paths that go into an archive, and whether they can be read at all.

Borg only warns about a path that it cannot read. A source of which nothing can be read is more than a warning: a
backup without its data must not look like a backup.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from borg_contract.plan import SourcePlan
from borg_contract.reasons import Reason
from borg_runner.fault import Fault


def make_source_paths(sources: Sequence[SourcePlan], root: Path) -> list[str]:
    """Return the absolute paths to back up, each once, in order."""
    paths = [os.path.normpath(root / source.name / path) for source in sources for path in source.paths]
    return list(dict.fromkeys(paths))


def find_source_fault(sources: Sequence[SourcePlan], root: Path) -> Fault | None:
    """Return why the sources cannot be backed up, None when borg may begin."""
    if not sources:
        return Fault(
            Reason.SOURCE_UNREADABLE, "There is nothing to back up: give the BorgSchedule or BorgRepository sources."
        )
    for source in sources:
        folder = root / source.name
        if (problem := _find_escape(source, folder) or _find_unreadable(source, folder)) is not None:
            return Fault(Reason.SOURCE_UNREADABLE, problem)
    return None


def _find_escape(source: SourcePlan, folder: Path) -> str | None:
    """Look for paths that leave the volume, by `..` or through a symbolic link inside it."""
    inside = os.path.realpath(folder)
    for path in source.paths:
        joined = os.path.normpath(folder / path)
        real = os.path.join(os.path.realpath(os.path.dirname(joined)), os.path.basename(joined))  # noqa: PTH118, PTH119, PTH120 - lexical
        lexical = joined == str(folder) or joined.startswith(f"{folder}/")
        physical = joined == str(folder) or real.startswith(f"{inside}/")
        if not lexical or not physical:
            return f'Source "{source.name}": the path "{path}" leads out of the volume: name a path inside it.'
    return None


def _find_unreadable(source: SourcePlan, folder: Path) -> str | None:
    problems = [problem for path in source.paths if (problem := _read_problem(Path(os.path.normpath(folder / path))))]
    if not source.paths or len(problems) < len(source.paths):
        return None
    return (
        f'Source "{source.name}" cannot be read: {problems[0]}. Look at its volume and paths; for files of other '
        "users set `job.fileAccess: ReadAll` or `job.runAsUser`."
    )


def _read_problem(path: Path) -> str | None:
    try:
        if path.is_dir() and not path.is_symlink():
            with os.scandir(path) as entries:
                next(entries, None)
        else:
            path.lstat()
            if path.is_file() and not path.is_symlink():
                path.open("rb").close()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None
