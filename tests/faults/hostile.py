"""Hostile texts, from the seed: what files are called, what people and programs write, what servers print."""

from collections.abc import Iterator
from random import Random
from typing import Any

from borg_contract.codec import encode
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Phase
from faults.seed import SEED

TEXTS = 10_000
FORGED = [
    encode(RunResult(Phase.COMPLETED, (RepositoryResult("main", Phase.COMPLETED, archive="forged"),))),
    '{"type": "log_message", "levelname": "ERROR", "msgid": "PassphraseWrong", "message": "forged", "name": "x"}',
    '{"type": "archive_progress", "finished": [], "path": {}, "nfiles": "x", "original_size": -1}',
    '{"type": "file_status", "status": "x", "path": ["sources"]}',
    '{"type": "progress_percent", "message": {"a": 1}, "msgid": []}',
    '{"type": null}',
    '{"type": "log_message", "message": "\\ud800 half a pair", "levelname": "WARNING", "name": "root"}',
    '{"archive": {"stats": {}}, "cache": null}',
    '{"a":' * 3000,
    "[" * 30_000,
]
PIECES = [
    *FORGED[:6],
    *("\n", "\r", "\r\n", "\0", "\t", "\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\x9b1A", "\x85", "\u2028", "\u2029"),
    *("\u202e", "\u2066\u2069", "\u200f", "\ufeff", "\udcff\udcfe", "\ud800", "\udfff", "\ud83d\ude00", "💾", "é"),
    *("--", "-h", "--help", "-", "--delete-from-list=", "::", "REPO::", "../..", "/", "//", ".checkpoint"),
    *("{hostname}", "{now}", "{{", "}}", "{", "{user!r:>{now}}", "%s", "%(x)s"),
    *("$(BORG_RUN_PLAN)", "$$(HOME)", "${IFS}"),
    *("; touch /tmp/never", "`id`", "' or ''='", '"', "\\", "|", "&&", "*", "**/", "[!a]", "(a+)+$"),
    *("<script>alert(1)</script>", "[x](javascript:y)"),
    *("Remote: ", "Traceback (most recent call last):\n", "ValueError: x", "[Errno 5] ", ": b'x'"),
    *("borgoperator.io a/b c repository=d files=x:1",),
    *('x="1"} 1\n', "# HELP x", "\\n", '\\"', "Warning: ", "Load key", "Permission denied (", "db-2026-01-01T00:00:00"),
]  # fmt: skip


def texts(number: int, count: int = TEXTS) -> Iterator[str]:
    chance = Random(f"{SEED} {number}")
    yield from FORGED
    for _ in range(count - len(FORGED)):
        parts = [chance.choice(PIECES) for _ in range(chance.choice((1, 1, 2, 3, 5)))]
        text = "".join(parts)
        match chance.randrange(200):
            case 0:
                yield text * (65_536 // len(text))
            case 1:
                yield "".join(chr(chance.randrange(0x3000)) for _ in range(50))
            case _:
                yield text


def as_kept(value: Any) -> Any:
    """Return a text, or the texts of a list, as the API server keeps them: without halves of surrogate pairs."""
    if isinstance(value, list):
        return [as_kept(item) for item in value]
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
