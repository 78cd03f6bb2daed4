"""Which files of an archive a round restores: pure functions of what the archive holds and of the rounds before.

A file's group follows from a digest of its path alone, so a file that stays keeps its group from archive to archive.
"""

import datetime as dt
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from borg_contract.restore.proof import Drilled, DrillPlan
from borg_runner.restore.archive.entry import Entry

_MOST_ROUNDS = 1 << 20


@dataclass(frozen=True)
class Sample:
    """The files of one round, and where the drills of these archives then stand."""

    paths: frozenset[str]
    bytes: int
    drilled: Drilled
    oversize: tuple[str, ...]
    """Files that are larger than all that one drill may restore: never drilled."""


def add_always(sample: Sample, files: Sequence[Entry], masters: dict[str, int], paths: Callable[[str], bool]) -> Sample:
    """Return the sample with all files that `paths` is true for, each with its hard links."""
    wanted = {entry.master or entry.path for entry in files if paths(entry.path)}
    more = frozenset(entry.path for entry in files if (entry.master or entry.path) in wanted) - sample.paths
    size = sample.bytes + _count_bytes(files, masters, more)
    return replace(sample, paths=sample.paths | more, bytes=size)


def find_files(entries: Iterable[Entry]) -> list[Entry]:
    """Return what a drill counts: files and symbolic links. Folders, pipes and devices hold nothing."""
    return [entry for entry in entries if stat.S_ISREG(entry.mode) or entry.is_symlink]


def choose_sample(
    files: Sequence[Entry], plan: DrillPlan, last: Drilled | None, *, archive: Drilled, masters: dict[str, int]
) -> Sample | None:
    """Return the next round's files, None where there is none that could be drilled.

    `last`: where the drills before stand, None at first. `archive`: names and time of the one that is drilled.
    `masters`: bytes of the first of each file's hard links, which are told with it alone.
    """
    sizes = {entry.path: masters.get(entry.master, entry.size) for entry in files}
    oversize = tuple(sorted(path for path, size in sizes.items() if size > plan.max_bytes))
    # Hard links to one file are one group's: they are restored together.
    apart = frozenset(oversize)
    digests = {entry.path: _digest(entry.master or entry.path) for entry in files if entry.path not in apart}
    if not digests:
        return None
    rounds = _count_rounds(digests, sizes, plan)
    there = {digest % rounds for digest in digests.values()}
    position = _advance(last, archive, rounds)
    while position.round not in there:  # a group without files is done
        position = _advance(position, archive, rounds)
    paths = frozenset(path for path, digest in digests.items() if digest % rounds == position.round)
    covered = sum(_is_covered(entry, digests, position) for entry in files)
    total = _count_bytes(files, masters, frozenset(sizes))
    drilled = replace(position, files=len(files), covered=covered, size=total)
    return Sample(paths, _count_bytes(files, masters, paths), drilled, oversize)


def _count_rounds(digests: dict[str, int], sizes: dict[str, int], plan: DrillPlan) -> int:
    """Return how many groups there are: as many as the sample asks for, or twice that, and so on until they fit.

    So the number, by which all groups change, stays as it is while an archive grows a little.
    """
    rounds = -(-100 // max(1, plan.sample))
    while rounds < _MOST_ROUNDS:
        held: Counter[int] = Counter()
        for path, digest in digests.items():
            held[digest % rounds] += sizes[path]
        if max(held.values()) <= plan.max_bytes:
            break
        rounds *= 2
    return rounds


def _advance(last: Drilled | None, archive: Drilled, rounds: int) -> Drilled:
    """Return the round after `last`; all begins anew where the groups are others."""
    if last is None or last.rounds != rounds:
        return replace(archive, round=0, rounds=rounds, since=archive.time, before="")
    if last.round + 1 < rounds:
        return replace(archive, round=last.round + 1, rounds=rounds, since=last.since, before=last.before)
    return replace(archive, round=0, rounds=rounds, since=archive.time, before=last.since)


def _is_covered(entry: Entry, digests: dict[str, int], position: Drilled) -> bool:
    """Tell whether it was drilled as it is now: in this round, or in one before and has not been touched since.

    Rather too few are counted than too many: who was changed after the first archive of the rounds waits for its turn.
    """
    if entry.path not in digests:
        return False
    group = digests[entry.path] % position.rounds
    if group == position.round:
        return True
    if group > position.round:
        return bool(position.before) and _is_older(entry, position.before)
    return position.since == position.time or _is_older(entry, position.since)


def _is_older(entry: Entry, time: str) -> bool:
    changed = entry.mtime if entry.ctime is None else entry.ctime
    return changed < dt.datetime.fromisoformat(time).timestamp() * 1_000_000_000


def _count_bytes(files: Sequence[Entry], masters: dict[str, int], paths: frozenset[str]) -> int:
    """Return the bytes of these, hard links to one file counted once."""
    held = {entry.master or entry.path: masters.get(entry.master, entry.size) for entry in files if entry.path in paths}
    return sum(held.values())


def _digest(path: str) -> int:
    return int.from_bytes(sha256(path.encode("utf-8", "surrogateescape")).digest()[:8])
