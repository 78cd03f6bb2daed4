"""The pod's log: lines for people, without any secret. The kubelet adds the time to each."""

import os
import re
import sys
from collections import deque
from collections.abc import Iterable
from typing import TextIO

SHORTEST_SECRET = 3
"""Values below this length are not concealed: doing so would blacken half of each line and protect nothing."""

TAIL_CHARACTERS = 500
_SHOWN_PATHS = 3

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # turns what follows around: a name can look like another
    r"|[\ud800-\udc7f\udd00-\udfff]"  # halves of surrogate pairs, which JSON can hold; the rest are bytes of a name
)


class Log:
    """Writes lines to one stream, with all known secret values concealed and control characters made visible."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._secrets: list[str] = []

    def learn_secret(self, value: str) -> None:
        """Conceal `value` from now on, and each line of it, as output comes line by line."""
        texts = {value, value.strip(), *(line.strip() for line in value.splitlines())}
        new = {text for text in texts if len(text) >= SHORTEST_SECRET}
        # The longest first: a secret may be part of another one.
        self._secrets = sorted(new.union(self._secrets), key=len, reverse=True)

    def conceal(self, text: str) -> str:
        """Return `text` with `***` in place of each known secret value."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def say(self, text: str, prefix: str = "") -> None:
        """Write `text`, each of its lines behind `prefix`."""
        try:
            for line in self.conceal(text).split("\n"):
                visible = make_printable(line)
                self._stream.write(f"{prefix}{visible}\n")
            self._stream.flush()
        except OSError:
            _silence(self._stream)


def _silence(stream: TextIO) -> None:
    """Let the stream lead nowhere from now on: its disk is full, or its reader gone. The backup must not end by that.

    Nor may the interpreter, which writes what is left in the stream when it ends.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


_GAP = " ... "


def shorten(text: str, length: int, *, end: int = 0) -> str:
    """Return at most `length` characters of `text`: its beginning (what happened) and its end (what to do).

    `end`: of how many characters the end is, if there is room; at least two fifths.
    """
    if len(text) <= length:
        return text
    if length <= 4 * len(_GAP):
        return text[:length]
    room = length - len(_GAP)
    tail = max(room - room * 3 // 5, min(end, room * 3 // 4))
    head = room - tail
    return f"{text[:head]}{_GAP}{text[-tail:]}"


def make_printable(text: str) -> str:
    """Return `text` on one line that UTF-8 can carry: names of files may hold newlines, escapes and broken bytes."""
    escaped = _INVISIBLE.sub(_escape, text)
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def describe_paths(paths: Iterable[str]) -> str:
    """Return, for people, how many there are and which come first."""
    named = list(paths)
    more = f" and {len(named) - _SHOWN_PATHS:,} more" if len(named) > _SHOWN_PATHS else ""
    return f"{', '.join(map(make_printable, named[:_SHOWN_PATHS]))}{more}"


def join_lines(text: str) -> str:
    """Return the lines of `text` on one, a slash between two: without colours, blanks at their ends, empty ones."""
    lines = (_COLOUR.sub("", line).strip() for line in text.splitlines())
    return " / ".join(line for line in lines if line)


def end_sentence(text: str) -> str:
    """Return `text`, words of others, as a sentence that another one can follow."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


class Tail:
    """The last characters of what a program says, for an error message."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=50)

    def add(self, line: str) -> None:
        self._lines.append(line[-TAIL_CHARACTERS:])

    def text(self) -> str:
        return join_lines("\n".join(self._lines))[-TAIL_CHARACTERS:]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - where Latin-1 ends
