"""Paths as Borg UI has them, from an archive's root, become those of a BorgRestore, below a source."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from borg_api.edge.errors import InvalidValueError, quote
from borg_api.picture.restoring import ArchiveRecord
from borg_contract.session.answers import DIRECTORY

ROOT = "sources"
"""The folder of an archive that holds a folder for each source."""


def split_paths(
    sent: Sequence[str], source: str | None, archive: ArchiveRecord | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the source that is meant, None for the only one, and the paths below it, () for all of it.

    `archive`: what is known of it, None for nothing; then a path that begins as those of sources do is taken for one.
    The folder of all sources is all of the only one. Raises InvalidValueError for a path with a `..`, for paths of two
    sources, and for the folder of several.
    """
    paths = [normalize(path, f"/paths/{number}") for number, path in enumerate(sent)]
    if source is not None or not _has_sources(archive):
        return source, _merged(paths)
    named = archive.sources if archive else ()
    found: dict[str | None, list[str]] = {}
    for number, path in enumerate(paths):
        if path == ROOT:
            found.setdefault(_only_source(archive, f"/paths/{number}"), []).append("")
            continue
        root, _, rest = path.partition("/")
        name, _, below = rest.partition("/")
        is_of_source = root == ROOT and name and (not named or name in named)
        found.setdefault(name if is_of_source else None, []).append(below if is_of_source else path)
    if len(found) > 1:
        raise InvalidValueError(
            "Paths of one source can be restored at a time: make a restore for each source.", "/paths"
        )
    for name_of_all, below_it in found.items():
        return name_of_all, _merged(below_it)
    return None, ()


def normalize(path: str, pointer: str) -> str:
    """Return the path relative and without what means nothing. Raises InvalidValueError for one with a `..`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidValueError(f'{quote(path)} has a part "..", which leads out of where it begins.', pointer)
    return "/".join(parts)


def count_stripped(types: Mapping[str, str]) -> int:
    """Return how many folders Borg UI's layout `contents_only` leaves away from the front of all paths.

    `types`: of each path; what is no `directory` is in one.
    """
    split = [path.split("/") for path in types]
    if len(split) == 1:
        return len(split[0]) - (next(iter(types.values())) != DIRECTORY)
    levels = zip(*(parts[:-1] for parts in split), strict=False)
    return sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))


def _has_sources(archive: ArchiveRecord | None) -> bool:
    """Whether it is laid out as this operator's are; one that nobody knows may be."""
    return archive is None or bool(archive.sources or archive.schedule)


def _only_source(archive: ArchiveRecord | None, pointer: str) -> str | None:
    """Return the only source, None where nobody knows its name. Raises InvalidValueError where there are more."""
    named = archive.sources if archive else ()
    if len(named) > 1 or (archive and archive.is_cut):
        example = f', "{ROOT}/{named[0]}" for example' if named else ""
        raise InvalidValueError(
            f'"{ROOT}" is the folder of all sources, and this archive has several: name one{example}, and make a '
            "restore for each.",
            pointer,
        )
    return named[0] if named else None


def _merged(paths: Iterable[str]) -> tuple[str, ...]:
    """Return each path once, none where one of them is the root."""
    unique = dict.fromkeys(paths)
    return () if "" in unique else tuple(unique)
