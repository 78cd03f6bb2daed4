"""The result as the kubelet keeps it: at most 4,096 bytes of valid JSON, whatever happened.

What is of least use gives way first: warnings, then errors beyond a sentence, then figures, then the sentences. Every
repository's name, phase and archive stay to the last. Texts are cut before they are encoded, so no escape is cut in
two.

A longer one begins with the result in brief, for a pod with so many containers that the kubelet keeps less. And it is
written after each repository: when the runner is killed together with borg, what was done until then is known.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from borg_contract.codec import FRAME_BYTES, encode, encode_with_brief
from borg_contract.ownership import fit_comment
from borg_contract.pod import BRIEF_LIMIT_BYTES, RESULT_LIMIT_BYTES
from borg_contract.result import NO_ROOM, RepositoryResult, RunResult
from borg_runner.log import Log, make_printable, shorten
from borg_runner.run.summary import WHY, is_bad, summarize_so_far

_WARNING_STAGES = ((20, 400), (10, 300), (10, 200), (5, 200), (5, 120), (3, 120), (2, 100), (1, 100), (1, 60), (0, 0))
"""How many warnings stay per repository, and how many characters of each."""

_ERROR_STAGES = (1200, 800, 600, 400, 300, 240, 180, 140, 100, 70, 40, 20, 0)
"""How many characters of each error and of the message stay."""

_SAMPLE_CHARACTERS = 200
_SENTENCE = 240
"""Characters of each error for which figures give way."""

_FIGURES = (
    ("compressed_size", "seconds", "lock_wait_seconds", "compact"),
    ("original_size", "deduplicated_size", "files", "totals"),
    ("prune",),
    ("place",),
    ("drill", "check", "repository_id", "previous", "archive_id", "archive_time"),
)
"""By their use: the last ones are those by which the operator notices another repository, or a lost archive. Where
totals are told, what was pruned is told as well: the operator goes by that."""

_LONGEST_ERROR = 2000
_LONGEST_NAME = 1024
"""What the status takes of a pattern, an archive's name, a lock's holder. Others may have written any text there."""

_BRIEF_STAGES = (300, 120, 0)
"""How many characters of the message stay in the brief result."""
_LEAST_BRIEF = 256
"""Bytes. Where the names alone fill the whole result, there is none in brief."""
_CUT = "The rest of the result was cut, as the pod has many containers: the pod's log has it."


def encode_result(result: RunResult, limit: int = RESULT_LIMIT_BYTES) -> str:
    """Return `result` as JSON of at most `limit` bytes (it is ASCII)."""
    cleaned = _clean(result)
    if len(text := encode(cleaned)) <= BRIEF_LIMIT_BYTES:
        return text
    bare = len(encode(_without_details(cleaned)))
    if (room := min(BRIEF_LIMIT_BYTES, limit - bare) - FRAME_BYTES) < _LEAST_BRIEF:
        return encode(_fit(_shrink(cleaned), limit))
    brief = _fit(_shrink_to_brief(cleaned), room)
    room = limit - FRAME_BYTES - len(encode(brief))
    return encode_with_brief(brief, _fit(_shrink(cleaned), room))


class Report:
    """The result where the kubelet looks for it. One that cannot be written must not end the run: the log says it."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path, self._log = path, log
        self.done: tuple[RepositoryResult, ...] = ()
        """The repositories whose turn is over."""
        self._part = ""

    def keep_part(self, part: str) -> None:
        """Take the part of a listing, which every result written from now on bears."""
        self._part = part

    def keep(self, results: Sequence[RepositoryResult], names: Sequence[str]) -> None:
        """Write what is done so far, of the repositories of these `names`."""
        self.done = tuple(results)
        self.keep_so_far(results, names)

    def keep_so_far(self, results: Sequence[RepositoryResult], names: Sequence[str]) -> None:
        """Write the same with a last one that is not done, to be known if the runner is killed now."""
        self.write(summarize_so_far(results, names))

    def write(self, result: RunResult) -> None:
        """Write `result` in place of what was there."""
        try:
            write_result(replace(result, part=self._part), self._path)
        except OSError as error:
            self._log.say(f"error: the result could not be written: {error}")


def write_result(result: RunResult, path: Path) -> None:
    """Write `result` into the file, which cannot be replaced by another one. Raises OSError.

    Whoever reads it after a kill finds the old one or the new: it is written at once, with blanks over the rest.
    """
    text = encode_result(result).encode("ascii")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, text.ljust(os.fstat(descriptor).st_size))
        os.ftruncate(descriptor, len(text))
    finally:
        os.close(descriptor)


def _fit(candidates: Iterator[RunResult], limit: int) -> RunResult:
    """Return the first of the candidates that is of at most `limit` bytes, else the last with fewer repositories."""
    for candidate in candidates:
        if len(encode(candidate)) <= limit:
            return candidate
    return _drop_repositories(candidate, limit)


def _shrink_to_brief(result: RunResult) -> Iterator[RunResult]:
    bare = tuple(map(_without_figures, result.repositories))
    for repositories in (bare, tuple(replace(repository, archive=None) for repository in bare)):
        for length in _BRIEF_STAGES:
            message = f"{shorten(result.message, length)} {_CUT}".strip()
            yield replace(result, repositories=repositories, message=message, part="")


def _shrink(result: RunResult) -> Iterator[RunResult]:
    for count, length in _WARNING_STAGES:
        yield _cut(result, warnings=count, warning_length=length, errors=_LONGEST_ERROR)
        result = _cut_samples(result)
    result = replace(result, repositories=tuple(map(_without_names, result.repositories)))
    for names in ((), *_FIGURES):
        nothing: dict[str, Any] = dict.fromkeys(names)
        result = replace(result, repositories=tuple(replace(item, **nothing) for item in result.repositories))
        is_last = names == _FIGURES[-1]
        for length in _ERROR_STAGES:
            if length >= _SENTENCE or is_last:
                yield _cut(result, warnings=0, warning_length=0, errors=length)
    yield _cut(_name_one_holder(result), warnings=0, warning_length=0, errors=0)
    yield _without_details(result)


def _cut_samples(result: RunResult) -> RunResult:
    """Return the result with half of the changes that a restore's preview names."""
    return replace(result, repositories=tuple(map(_cut_sample, result.repositories)))


def _cut_sample(repository: RepositoryResult) -> RepositoryResult:
    if repository.restore is None or repository.restore.preview is None:
        return repository
    preview = repository.restore.preview
    sample = tuple(shorten(line, _SAMPLE_CHARACTERS) for line in preview.sample[: len(preview.sample) // 2])
    return replace(repository, restore=replace(repository.restore, preview=replace(preview, sample=sample)))


def _without_names(repository: RepositoryResult) -> RepositoryResult:
    prune = replace(repository.prune, archives=()) if repository.prune else None
    return replace(repository, unused_excludes=(), comment=None, prune=prune)


def _without_details(result: RunResult) -> RunResult:
    bare = _cut(result, warnings=0, warning_length=0, errors=0)
    return replace(bare, part="", repositories=tuple(map(_without_figures, bare.repositories)))


def _name_one_holder(result: RunResult) -> RunResult:
    """Keep one holder of locks: with that the operator can begin, and the others come by the next run."""
    first = next((item for item in result.repositories if item.locked_by), None)
    kept = (item if item is first else replace(item, locked_by=None) for item in result.repositories)
    return replace(result, repositories=tuple(kept))


def _cut(result: RunResult, *, warnings: int, warning_length: int, errors: int) -> RunResult:
    return replace(
        result,
        message=shorten(result.message, errors),
        repositories=tuple(
            replace(
                repository,
                warnings=tuple(shorten(text, warning_length, end=WHY) for text in repository.warnings[:warnings]),
                unused_excludes=repository.unused_excludes[: max(1, warnings)],
                error=(shorten(repository.error, errors) or None) if repository.error else None,
            )
            for repository in result.repositories
        ),
    )


def _without_figures(repository: RepositoryResult) -> RepositoryResult:
    restore = repository.restore
    if restore is not None and restore.preview is not None:  # the operator waits for these
        restore = replace(restore, preview=replace(restore.preview, sample=()))
    return RepositoryResult(
        repository.name,
        repository.phase,
        archive=repository.archive,
        unjudged=repository.unjudged,
        reason=repository.reason,
        restore=restore,
    )


def _drop_repositories(result: RunResult, limit: int) -> RunResult:
    """Names too long even for that: keep as many repositories as fit, those that failed first, and say what is not."""
    every = result.repositories
    by_use = sorted(every, key=lambda repository: not is_bad(repository))  # stable: in their order otherwise
    for count in range(len(every), -1, -1):
        kept, dropped = by_use[:count], by_use[count:]
        failed = sum(map(is_bad, dropped))
        message = f"Only {count} of {len(every)} {NO_ROOM}: of the others, {failed} failed or were skipped."
        there = tuple(repository for repository in every if repository in kept)
        fitting = replace(result, repositories=there, message=message)
        if len(encode(fitting)) <= limit:
            break
    return fitting


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
                comment=_cleaned(fit_comment(repository.comment, _LONGEST_NAME), _LONGEST_NAME)
                if repository.comment
                else None,
                error=_cleaned(repository.error) if repository.error else None,
                locked_by=_cleaned(repository.locked_by, _LONGEST_NAME) if repository.locked_by else None,
            )
            for repository in result.repositories
        ),
    )
