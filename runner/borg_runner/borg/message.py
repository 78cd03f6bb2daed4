"""What borg says with --log-json, line by line, and how its progress reads to people."""

import json
import re
from dataclasses import dataclass

from borg_contract.restore.sizes import describe_size
from borg_runner.log import make_printable

_FAILED_CALL = re.compile(r"(?P<why>.*\[Errno \d{1,4}\] [^:'\"]{1,80}): b?['\"].*", re.DOTALL)
"""Linux's words are shorter. Without a bound, a long line that is made for it would take minutes."""
_WARNING_LEVELS = ("WARNING",)
_ERROR_LEVELS = ("ERROR", "CRITICAL")


@dataclass(frozen=True)
class BorgMessage:
    """One line of borg's stderr. Text that is not JSON (argparse, tracebacks, ssh) is a message of level ERROR."""

    kind: str
    level: str = ""
    text: str = ""
    msgid: str = ""
    logger: str = ""
    progress: str = ""
    excluded: str = ""
    """The path that borg says it left out."""
    reads_input: bool = False
    """Borg is about to read its standard input."""

    @property
    def is_warning(self) -> bool:
        return self.kind == "log_message" and self.level in _WARNING_LEVELS

    @property
    def tells_of_work(self) -> bool:
        """Whether borg says it in the course of its work, for which it has its locks."""
        return self.kind != "log_message" or self.logger.startswith("borg.output.")

    @property
    def gist(self) -> str:
        """The text without the file's name behind the system's words: it begins with the path already."""
        found = _FAILED_CALL.fullmatch(self.text)
        return found["why"] if found else self.text

    @property
    def is_error(self) -> bool:
        return self.kind == "log_message" and self.level in _ERROR_LEVELS


def parse_message(line: str) -> BorgMessage:
    """Return the message in one line of stderr, whatever it is."""
    try:
        value = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or "type" not in value:
        return BorgMessage("log_message", "ERROR", line, logger="plain")
    kind = str(value["type"])
    if kind == "file_status":
        status, path = value.get("status"), str(value.get("path") or "")
        return BorgMessage(kind, excluded=path if status == "x" else "", reads_input=status == "i")
    if kind == "archive_progress":
        return BorgMessage(kind, progress=_describe_archive(value))
    if kind.startswith("progress_"):
        return BorgMessage(kind, msgid=str(value.get("msgid") or ""), progress=str(value.get("message") or ""))
    return BorgMessage(
        kind,
        str(value.get("levelname") or ""),
        str(value.get("message") or ""),
        str(value.get("msgid") or ""),
        str(value.get("name") or ""),
    )


def _describe_archive(value: dict[str, object]) -> str:
    if value.get("finished"):
        return ""
    sizes = [_number(value.get(key)) for key in ("original_size", "compressed_size", "deduplicated_size")]
    original, compressed, deduplicated = map(describe_size, sizes)
    figures = f"{_number(value.get('nfiles')):,} files, {original} read, {compressed} compressed, {deduplicated} new"
    path = make_printable(str(value.get("path") or ""))
    return f"{figures}, now at {path}" if path else figures


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
