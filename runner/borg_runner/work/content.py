"""What an archive holds, compared with what is to be in it and with what earlier archives of its schedule held. Pure.

An empty folder is what a volume looks like that is not mounted, and a small one what a wrong volume looks like. Nobody
can tell that from the truth but a person, so a person is told, and old archives stay until there was time to look.
"""

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from borg_contract.ownership import ArchiveContent
from borg_contract.reasons import Reason
from borg_contract.retention import Retention
from borg_runner.fault import Fault
from borg_runner.verbs.prune import find_kept
from borg_runner.work.sources.survey import SourcePath, Survey

MEMORY = dt.timedelta(days=7)
"""For so long a source that became small is compared with what it was: the time that a person has to see it."""

_FEWEST_LOST = 5
"""One of two files is less than half of them, and nothing to wake anybody for."""

_ADVICE = "see what its volume is and whether it is mounted"
_ANY_NUMBER = "Where numbers go up and down, set `minFiles: 0` in the BorgRepository"
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
    content: ArchiveContent, began: dt.datetime, past: Sequence[PastArchive]
) -> dict[str, tuple[int, PastArchive]]:
    """Return, by the source's name, how many files it had, and in which archive; only those that have far fewer now.

    `past`: the other archives, oldest first. All of the last seven days count, and always the source's last one. A
    source with none is not here: that it is empty is told anyway. Nor is one of which other paths are asked for now.
    """
    levels = _Levels()
    for archive in past:
        levels.add(archive)
    return levels.find_shrunk(content, began)


class _Levels:
    """How many files each source had: of each archive only what no later one has as many of."""

    def __init__(self) -> None:
        self._falling: dict[tuple[str, str], deque[tuple[int, PastArchive]]] = {}

    def add(self, archive: PastArchive) -> None:
        """Take over one that is younger than those before."""
        for source, files in archive.content.files.items():
            falling = self._falling.setdefault((source, archive.content.paths.get(source, "")), deque())
            while falling and falling[-1][0] <= files:
                falling.pop()
            falling.append((files, archive))

    def find_shrunk(self, content: ArchiveContent, began: dt.datetime) -> dict[str, tuple[int, PastArchive]]:
        """Return what `find_shrunk` does. What is too old for `began` is forgotten."""
        found: dict[str, tuple[int, PastArchive]] = {}
        for source, now in content.files.items():
            falling = self._falling.get((source, content.paths.get(source, "")), deque())
            while len(falling) > 1 and began - falling[0][1].began > MEMORY:
                falling.popleft()
            if now and falling and has_shrunk(falling[0][0], now):
                found[source] = falling[0]
        return found


def find_suspect(past: Sequence[PastArchive], *, may_shrink: bool) -> frozenset[str]:
    """Return the names of the archives, given oldest first, that are not to take the place of a good one."""
    levels, found = _Levels(), set()
    for archive in past:
        if archive.content.suspect or (not may_shrink and levels.find_shrunk(archive.content, archive.began)):
            found.add(archive.name)
        levels.add(archive)
    return frozenset(found)


def has_good_of_late(past: Sequence[PastArchive], suspect: Collection[str], began: dt.datetime) -> bool:
    """Tell whether a good one is among those that were made in the seven days before `began`, or is the last of them.

    `past`: oldest first. Without one, a person has had the time to look: prune goes on, and leaves the good ones.
    """
    earlier = [archive for archive in past if archive.began < began]
    late = [archive for archive in earlier if began - archive.began <= MEMORY] or earlier[-1:]
    return any(archive.name not in suspect for archive in late)


def find_staying(
    past: Sequence[PastArchive],
    suspect: Collection[str],
    retention: Retention,
    *,
    now: dt.datetime,
    local_time: str = "",
) -> dict[str, str]:
    """Return the names of the archives that stay, each with the rule that keeps it.

    The rules are applied twice: to all archives, as borg does, and to the good ones alone, whose places no suspect one
    takes. So no more stay than twice what the rules ask for. Days and hours of `keepWithin` count back from `now`, for
    the good ones from the last of them: they do not go while no other comes.
    """
    times = {archive.name: archive.began for archive in past}
    good = {name: began for name, began in times.items() if name not in suspect}
    staying = find_kept(good, retention, now=max(good.values(), default=now), local_time=local_time)
    return find_kept(times, retention, now=now, local_time=local_time) | staying


@dataclass(frozen=True)
class Doubt:
    """A path that was not the same when borg had ended, or of which borg may have read less than there was."""

    before: SourcePath
    after: SourcePath

    @property
    def went_away(self) -> bool:
        return self.after.problem is not None

    @property
    def shrank(self) -> bool:
        return not self.went_away and _is_far_less(self.before.files, self.after.files)

    @property
    def was_swapped(self) -> bool:
        return not self.went_away and self.before.identity != self.after.identity

    def least(self, *, excludes: bool) -> int:
        """Return how many files borg must have found of it, as far as that is known."""
        if excludes:
            return min(self.before.kept, self.after.kept)
        return min(self.before.files, self.after.files)


def find_doubts(before: Survey, after: Survey, *, archived: int | None) -> Iterator[Doubt]:
    """Yield the paths of which borg is to be asked what it read.

    `archived`: how many files the archive holds or borg warned of; None where that tells nothing, as `exclude` leaves
    some out. What it lacks of those that were there before and afterwards may all be of one path, that went away
    meanwhile and came back. Borg counts hard links once, so it may seem to lack some and does not.
    """
    pairs = [Doubt(*pair) for pair in zip(before.found, after.found, strict=True) if pair[0].problem is None]
    there = sum(min(doubt.before.regular, doubt.after.regular) for doubt in pairs if not doubt.before.is_within)
    lacking = 0 if archived is None else there - archived
    for doubt in pairs:
        files = doubt.least(excludes=False)
        notable = min(files, max(_FEWEST_LOST, files // 2 + 1))
        if doubt.went_away or doubt.shrank or doubt.was_swapped or 0 < notable <= lacking:
            yield doubt


def explain_lost(doubts: Sequence[tuple[Doubt, int | None]], archive: str) -> Fault | None:
    """Return the fault of a path that went away before borg had read it; None for none.

    `doubts`: each with how many files the archive holds of it, None where borg could not tell.
    """
    lost = [doubt.after for doubt, held in doubts if doubt.went_away and (held is None or held < doubt.before.files)]
    if not lost:
        return None
    text = (
        f'Archive "{archive}" was written, but a source went away while the run was at work: '
        f"{_describe_unreadable(lost)} Look at its volume."
    )
    return Fault(Reason.SOURCE_UNREADABLE, text)


def find_losses(doubts: Sequence[tuple[Doubt, int | None]], *, excludes: bool) -> Iterator[Fault]:
    """Yield what was there when the run began, or still is, and is not in the archive. `doubts`: see `explain_lost`."""
    for doubt, held in doubts:
        files = doubt.before.files if doubt.shrank else doubt.least(excludes=excludes)
        if doubt.went_away or (held is not None and not _is_far_less(files, held)):
            continue
        then, now = doubt.before.files, doubt.after.files
        read = "nobody knows how many borg read" if held is None else f"the archive holds {held:,}"
        text = (
            f'Source "{doubt.before.source}": {doubt.before.path} held {then:,} files when the run began, and {now:,} '
            f"when borg had ended, but {read}: {_ADVICE}. {_ANY_NUMBER}."
        )
        yield Fault(Reason.SOURCE_SHRANK if held or (held is None and now) else Reason.SOURCE_EMPTY, text)


def _is_far_less(before: int, now: int) -> bool:
    return before > 0 and (not now or has_shrunk(before, now))


def explain_unreadable(survey: Survey, archive: str | None) -> Fault | None:
    """Return the fault of the sources of which nothing can be read, None where there are none.

    `archive`: what was made of the others, None when that is nothing.
    """
    if not survey.found:
        text = (
            "There is nothing to back up: give the BorgSchedule or BorgRepository sources, or a claim the labels that "
            "their `claimSelector` asks for."
        )
        return Fault(Reason.SOURCE_UNREADABLE, text)
    if not (unreadable := survey.unreadable):
        return None
    text = f"{_describe_unreadable(unreadable)} Look at its volume and paths; {_FOR_OTHER_USERS}."
    if archive:
        good = _list_sources(item for item in survey.found if item.problem is None)
        text = f'Archive "{archive}" holds {good}, but not all: {text}'
    return Fault(Reason.SOURCE_UNREADABLE, text)


def explain_too_few(files: int, min_files: int | None, archive: str) -> Fault | None:
    """Return the fault of an archive with fewer `files` than it must hold, None where it has enough."""
    if files >= (min_files or 0):
        return None
    text = (
        f'Archive "{archive}" was written and is kept, but it holds {files:,} files, and `minFiles` of the '
        f"BorgRepository asks for {min_files:,}. Look at the volumes of the sources, or correct `minFiles`."
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
            f"{_ADVICE}. If they were deleted on purpose, there is nothing to do: this is told for seven days. "
            f"{_ANY_NUMBER}."
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
