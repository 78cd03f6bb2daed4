"""The result as the kubelet keeps it: at most 4,096 bytes of valid JSON, whatever happened.

What is of least use gives way first: warnings, then errors beyond a sentence, then figures, then the sentences. Every
repository's name, phase and archive stay to the last. Texts are cut before they are encoded, so no escape is cut in
two.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from borg_contract.codec import encode
from borg_contract.pod import RESULT_LIMIT_BYTES
from borg_contract.result import RepositoryResult, RunResult
from borg_runner.log import make_printable

_WARNING_STAGES = ((20, 400), (10, 300), (10, 200), (5, 200), (5, 120), (3, 120), (2, 100), (1, 100), (1, 60), (0, 0))
"""How many warnings stay per repository, and how many characters of each."""

_ERROR_STAGES = (1200, 800, 600, 400, 300, 240, 180, 140, 100, 70, 40, 20, 0)
"""How many characters of each error and of the message stay."""

_SENTENCE = 240
"""Characters of each error for which figures give way."""

_FIGURES = (
    ("compressed_size", "seconds", "lock_wait_seconds", "prune", "compact"),
    ("original_size", "deduplicated_size", "files", "totals"),
    ("repository_id", "place", "previous", "archive_time", "locked_by"),
)
"""By their use: the last ones are those by which the operator notices another repository, or a lost archive."""

_LONGEST_ERROR = 2000
_LONGEST_NAME = 1024
"""What the status takes of a pattern, an archive's name, a lock's holder. Others may have written any text there."""
_WHY = 48
"""Characters at the end of a warning: Linux's words for why a file could not be read are no longer."""
_GAP = " ... "


def encode_result(result: RunResult, limit: int = RESULT_LIMIT_BYTES) -> str:
    """Return `result` as JSON of at most `limit` bytes (it is ASCII)."""
    cleaned = _clean(result)
    text = ""
    for candidate in _shrink(cleaned):
        text = encode(candidate)
        if len(text) <= limit:
            return text
    return _drop_repositories(cleaned, limit)


def write_result(result: RunResult, path: Path) -> None:
    """Write `result` where the kubelet looks for it. Raises OSError."""
    path.write_text(encode_result(result), encoding="ascii")


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


def _shrink(result: RunResult) -> Iterator[RunResult]:
    for count, length in _WARNING_STAGES:
        yield _cut(result, warnings=count, warning_length=length, errors=_LONGEST_ERROR)
    result = replace(result, repositories=tuple(replace(item, unused_excludes=()) for item in result.repositories))
    for names in ((), *_FIGURES):
        nothing: dict[str, Any] = dict.fromkeys(names)
        result = replace(result, repositories=tuple(replace(item, **nothing) for item in result.repositories))
        is_last = names == _FIGURES[-1]
        for length in _ERROR_STAGES:
            if length >= _SENTENCE or is_last:
                yield _cut(result, warnings=0, warning_length=0, errors=length)
    bare = _cut(result, warnings=0, warning_length=0, errors=0)
    yield replace(bare, repositories=tuple(_without_figures(repository) for repository in bare.repositories))


def _cut(result: RunResult, *, warnings: int, warning_length: int, errors: int) -> RunResult:
    return replace(
        result,
        message=shorten(result.message, errors),
        repositories=tuple(
            replace(
                repository,
                warnings=tuple(shorten(text, warning_length, end=_WHY) for text in repository.warnings[:warnings]),
                unused_excludes=repository.unused_excludes[: max(1, warnings)],
                error=(shorten(repository.error, errors) or None) if repository.error else None,
            )
            for repository in result.repositories
        ),
    )


def _without_figures(repository: RepositoryResult) -> RepositoryResult:
    return RepositoryResult(repository.name, repository.phase, archive=repository.archive, reason=repository.reason)


def _drop_repositories(result: RunResult, limit: int) -> str:
    """Names too long even for that: keep as many repositories as fit, and say so."""
    bare = [_without_figures(repository) for repository in result.repositories]
    while True:
        dropped = len(result.repositories) - len(bare)
        message = f"Only {len(bare)} of {len(result.repositories)} repositories fit here." if dropped else ""
        text = encode(RunResult(result.phase, tuple(bare), result.reason, message))
        if len(text) <= limit or not bare:
            return text
        bare.pop()


def _cleaned(text: str, longest: int = _LONGEST_ERROR) -> str:
    # What cannot be printed becomes longer by that.
    return shorten(make_printable(shorten(text, longest)), longest)


def _clean(result: RunResult) -> RunResult:
    """Make all texts fit for UTF-8, as names of files may hold anything; drop what no stage would keep."""
    most = _WARNING_STAGES[0][0]
    return replace(
        result,
        message=_cleaned(result.message),
        repositories=tuple(
            replace(
                repository,
                warnings=tuple(_cleaned(text) for text in repository.warnings[:most]),
                unused_excludes=tuple(_cleaned(text, _LONGEST_NAME) for text in repository.unused_excludes),
                previous=replace(repository.previous, name=_cleaned(repository.previous.name, _LONGEST_NAME))
                if repository.previous
                else None,
                error=_cleaned(repository.error) if repository.error else None,
                locked_by=_cleaned(repository.locked_by, _LONGEST_NAME) if repository.locked_by else None,
            )
            for repository in result.repositories
        ),
    )
