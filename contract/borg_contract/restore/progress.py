"""How far a restore has come: a line of its run's log, for people, from which the facade reads it.

A pod has no API token, so its log is the one way. Lines that have names of files in them begin with blanks in that log;
this one does not, and of names it has only one, quoted: no file can be called so that it is taken for progress.
"""

import json
import re
from dataclasses import dataclass

from borg_contract.restore.sizes import SIZE, describe_size, parse_size

_MINUTE = 60
_SHORT = 2 * _MINUTE
_LONGEST_NAME = 512

_COUNT = r"[0-9]{1,3}(?:,[0-9]{3}){0,5}"
_LINE = re.compile(
    rf"(?P<doing>restoring|reading back): (?P<percent>[0-9]{{1,3}}) % "
    rf"\((?:(?P<files>{_COUNT}) of )?(?P<all>{_COUNT}) files, (?P<size>{SIZE}), "
    rf"(?P<rate>{SIZE})/s(?:, about (?P<left>[0-9]{{1,12}}) (?P<unit>s|min) left)?\)(?: at (?P<at>\".*\"))?"
)


@dataclass(frozen=True)
class Progress:
    """`percent` of what it is at, restoring or reading back; `files`: how many are done; None: nobody knows.

    `seconds_left` of what it is at, None: nobody knows.
    """

    percent: int
    all_files: int
    bytes: int
    bytes_per_second: int
    files: int | None = None
    seconds_left: int | None = None
    current: str = ""
    """The file that is being written or read, below the target; empty where nobody knows."""
    reads_back: bool = False
    """All is there, and is held against the archive."""


def describe_progress(progress: Progress) -> str:
    """Return the line, `reading back` in place of `restoring` where that is over.

    `restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85.0 MiB/s, about 40 s left) at "a/b"`.
    """
    counted = f"{progress.all_files:,} files"
    if progress.files is not None:
        counted = f"{progress.files:,} of {counted}"
    said = [counted, describe_size(progress.bytes), f"{describe_size(progress.bytes_per_second)}/s"]
    if (left := progress.seconds_left) is not None:
        said.append(f"about {left} s left" if left < _SHORT else f"about {round(left / _MINUTE)} min left")
    at = f" at {json.dumps(progress.current)}" if progress.current and len(progress.current) <= _LONGEST_NAME else ""
    doing = "reading back" if progress.reads_back else "restoring"
    return f"{doing}: {progress.percent} % ({', '.join(said)}){at}"


def parse_progress(line: str) -> Progress | None:
    """Return what the line tells, rounded as it is; None: it tells something else."""
    found = _LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        return None
    left = int(found["left"]) * (_MINUTE if found["unit"] == "min" else 1) if found["left"] else None
    try:
        current = json.loads(found["at"] or '""')
    except ValueError:
        return None
    return Progress(
        percent=min(100, int(found["percent"])),
        all_files=_parse_count(found["all"]),
        bytes=parse_size(found["size"]),
        bytes_per_second=parse_size(found["rate"]),
        files=_parse_count(found["files"]) if found["files"] else None,
        seconds_left=left,
        # JSON can hold halves of surrogate pairs, and an answer cannot.
        current=str(current).encode("utf-8", "replace").decode(),
        reads_back=found["doing"] != "restoring",
    )


def _parse_count(text: str) -> int:
    return int(text.replace(",", ""))
