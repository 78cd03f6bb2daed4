"""Names exact paths of an archive to borg, any number of them, whatever bytes are in them.

Borg finds a full path (`pf:`) at once, however many there are. Its file of patterns is text: it takes no line breaks
and no bytes that are no UTF-8, so such names go into the command line, and what has no room there is an expression.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from borg_runner.restore.archive.scope import Selection

_ARGUMENTS_BYTES = 500_000
"""Linux takes 2 MiB, a quarter of the stack's limit, for arguments and environment, and 128 KiB for each of them."""
_ODD = re.compile("[\r\n\ud800-\udfff]")


@dataclass(frozen=True)
class Choice:
    """Which paths borg shall work on: only those `listed`, or all but those."""

    listed: frozenset[str]
    """Paths as the archive has them."""
    is_only: bool


def choose(selection: Selection, wanted: set[str], unwanted: Iterable[str]) -> Choice:
    """Return the shorter way to say which of the source's paths are `wanted`; `unwanted` and `dropped` are all others.

    Nothing at all has to be said where all of a source is wanted.
    """
    others = {*unwanted, *selection.dropped} - wanted
    if selection.unsafe or len(wanted) < len(others):
        return Choice(frozenset(map(selection.archive_path, wanted)), is_only=True)
    return Choice(frozenset(map(selection.archive_path, others)), is_only=False)


def write_patterns(choice: Choice, selection: Selection, path: Path, *, creates: bool = False) -> list[str]:
    """Write the file of patterns and return the arguments that make borg work on the chosen paths.

    `creates`: for `borg create`, which cannot keep a command line in the archive that is no UTF-8.
    """
    if not choice.is_only and not choice.listed and selection.is_alone:
        return []
    sign = "+" if choice.is_only else "-"
    plain = sorted(name for name in choice.listed if not _ODD.search(name))
    odd = sorted(name for name in choice.listed if _ODD.search(name))
    arguments, rest = ([], odd) if creates else _split(odd)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{sign} {_name(name)}\n" for name in plain)
        if rest:
            file.write(f"{sign} re:\\A(?:{'|'.join(map(_escape, rest))})\\Z\n")
        if not choice.is_only and selection.prefix:
            file.write(f"+ pp:{selection.prefix}\n")
        if choice.is_only or not selection.is_alone:
            file.write("- re:.\n")
    return [*(f"--pattern={sign} {_name(name)}" for name in arguments), f"--patterns-from={path}"]


def _split(names: list[str]) -> tuple[list[str], list[str]]:
    """Return those that the command line has room for, and the rest."""
    room = _ARGUMENTS_BYTES
    for number, name in enumerate(names):
        room -= len(name.encode("utf-8", "surrogateescape")) + 32
        if room < 0:
            return names[:number], names[number:]
    return names, []


def _name(path: str) -> str:
    """Return the pattern of a path; borg strips blanks at the end of a line, and a slash off a path."""
    return f"pf:{path}/" if path[-1:].isspace() else f"pf:{path}"


def _escape(path: str) -> str:
    return "".join(_escape_characters(path))


def _escape_characters(path: str) -> Iterator[str]:
    for character in path:
        yield f"\\u{ord(character):04x}" if _ODD.match(character) or character.isspace() else re.escape(character)
