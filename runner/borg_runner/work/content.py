"""What an archive holds, compared with what is to be in it and with what earlier archives of its schedule held. Pure.

An empty folder is what a volume looks like that is not mounted, and a small one what a wrong volume looks like. Nobody
can tell that from the truth but a person, so a person is told, and old archives stay until there was time to look.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from borg_contract.ownership import ArchiveContent
from borg_contract.reasons import Reason
from borg_runner.fault import Fault
from borg_runner.work.sources import SourcePath, Survey

MEMORY = dt.timedelta(days=7)
"""For so long a source that became small is compared with what it was: the time that a person has to see it."""

_FEWEST_LOST = 5
"""One of two files is less than half of them, and nothing to wake anybody for."""

_ADVICE = "see what its volume is and whether it is mounted"
_FOR_OTHER_USERS = "for files of other users set `job.fileAccess: ReadAll` or `job.runAsUser`"


@dataclass(frozen=True)
class PastArchive:
    """An archive of the same schedule in the same repository: when it was begun, and of what."""

    name: str
    began: dt.datetime
    content: ArchiveContent


def has_shrunk(before: int, now: int) -> bool:
    """Tell whether a source has far fewer files: less than half, and at least five fewer."""
    return now * 2 < before and before - now >= _FEWEST_LOST


def find_shrunk(
    files: Mapping[str, int], began: dt.datetime, past: Sequence[PastArchive]
) -> dict[str, tuple[int, PastArchive]]:
    """Return, by the source's name, how many files it had, and in which archive; only those that have far fewer now.

    `past`: what was made before `began`, oldest first. All of the last seven days count, and always the last one. A
    source with none is not here: that it is empty is told anyway.
    """
    found: dict[str, tuple[int, PastArchive]] = {}
    for age, archive in enumerate(reversed(past)):
        if age and began - archive.began > MEMORY:
            break
        for source, before in archive.content.files.items():
            now = files.get(source, 0)
            if now and has_shrunk(before, now) and before > found.get(source, (0, archive))[0]:
                found[source] = (before, archive)
    return found


def find_suspect(past: Sequence[PastArchive], *, may_shrink: bool) -> frozenset[str]:
    """Return the names of the archives, given oldest first, that are not to take the place of a good one."""
    return frozenset(
        archive.name
        for index, archive in enumerate(past)
        if archive.content.suspect
        or (not may_shrink and find_shrunk(archive.content.files, archive.began, past[:index]))
    )


def find_stand_ins(past: Sequence[PastArchive], suspect: Collection[str], kept: Collection[str]) -> frozenset[str]:
    """Return the names of the last good archives before suspect ones that are `kept`; `past`: oldest first.

    A rule keeps the last archive of a day or a month, whatever that holds: the one before it would have been kept else.
    """
    found, good = set(), ""
    for archive in past:
        if archive.name not in suspect:
            good = archive.name
        elif archive.name in kept and good:
            found.add(good)
    return frozenset(found)


def explain_unreadable(survey: Survey, archive: str | None) -> Fault | None:
    """Return the fault of the sources of which nothing can be read, None where there are none.

    `archive`: what was made of the others, None when that is nothing.
    """
    if not survey.found:
        text = "There is nothing to back up: give the BorgSchedule or BorgRepository sources."
        return Fault(Reason.SOURCE_UNREADABLE, text)
    if not (unreadable := survey.unreadable):
        return None
    text = f"{_describe_unreadable(unreadable)} Look at its volume and paths; {_FOR_OTHER_USERS}."
    if archive:
        good = _list_sources(item for item in survey.found if item.problem is None)
        text = f'Archive "{archive}" holds {good}, but not all: {text} Nothing was pruned.'
    return Fault(Reason.SOURCE_UNREADABLE, text)


def explain_too_few(files: int, min_files: int | None, archive: str) -> Fault | None:
    """Return the fault of an archive with fewer `files` than it must hold, None where it has enough."""
    if files >= (min_files or 0):
        return None
    text = (
        f'Archive "{archive}" was written and is kept, but it holds {files:,} files, and `minFiles` of the '
        f"BorgRepository asks for {min_files:,}. Look at the volumes of the sources, or correct `minFiles`. Nothing "
        "was pruned."
    )
    return Fault(Reason.TOO_FEW_FILES, text)


def find_suspicions(survey: Survey, *, files: int, excludes: bool) -> Iterator[Fault]:
    """Yield what seems to be missing by the look of this backup alone. `files`: how many the archive holds."""
    for item in survey.empty:
        yield Fault(Reason.SOURCE_EMPTY, _describe_empty(item))
    for item in survey.left_out:
        yield Fault(Reason.SOURCE_EMPTY, _describe_left_out(item))
    if not files and survey.regular and not survey.empty and not survey.left_out:
        text = "The archive holds no file: `exclude` of the BorgRepository leaves out all there is. Correct it."
        if not excludes:
            text = (
                f"The archive holds no file, but the sources held {survey.regular:,} when the run began: see what "
                "their volumes are and whether they are still mounted."
            )
        yield Fault(Reason.SOURCE_EMPTY, text)


def explain_shrunk(files: Mapping[str, int], shrunk: Mapping[str, tuple[int, PastArchive]]) -> Iterator[Fault]:
    """Yield a fault for each source with far fewer files than before."""
    for source, (before, archive) in shrunk.items():
        text = (
            f'Source "{source}" has {files[source]:,} files, and had {before:,} in archive "{archive.name}": '
            f"{_ADVICE}. If they were deleted on purpose, there is nothing to do: this is told for seven days."
        )
        yield Fault(Reason.SOURCE_SHRANK, text)


def _describe_empty(item: SourcePath) -> str:
    if item.is_link:
        return (
            f'Source "{item.source}": {item.path} is a symbolic link, of which borg keeps the link and nothing that it '
            "leads to. Name the folder itself in `paths`."
        )
    return (
        f'Source "{item.source}": {item.path} holds no file: {_ADVICE}. If it may be empty, set `minFiles: 0` in the '
        "BorgRepository."
    )


def _describe_left_out(item: SourcePath) -> str:
    count = "the only file" if item.files == 1 else f"all {item.files:,} files"
    return (
        f'Source "{item.source}": `exclude` of the BorgRepository leaves out {count} of {item.path}. Correct it; if '
        "that is meant, set `minFiles: 0` in the BorgRepository."
    )


def _describe_unreadable(unreadable: Sequence[SourcePath]) -> str:
    first = unreadable[0]
    others = f" (nor {', '.join(item.path for item in unreadable[1:6])})" if unreadable[1:] else ""
    return f'Source "{first.source}" cannot be read: {first.problem}{others}.'


def _list_sources(items: Iterator[SourcePath]) -> str:
    return ", ".join(dict.fromkeys(f'"{item.source}"' for item in items))
