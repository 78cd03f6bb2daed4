"""Whose an archive is, and of how much: written in its comment when it is made, and looked at before any is pruned.

A name proves nothing: another cluster, namespace or BorgRepository may write into the same borg repository. And borg
lists comments, but no figures: what the sources held is in the comment, so that the next run can compare.
"""

import datetime as dt
import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.archive_name import CHECKPOINT
from borg_contract.archives.ids import ID

_COMMENT = re.compile(
    r"borgoperator\.io (?P<namespace>[^/\s]+)/(?P<schedule>\S+) (?P<run>\S+) repository=(?P<repository>\S+)"
    r"(?: cluster=(?P<cluster>\S+))?"
    r"(?: files=(?P<files>[^\s:,]+:[0-9]{1,18}(?:,[^\s:,]+:[0-9]{1,18})*))?"
    r"(?: paths=(?P<paths>[^\s:,]+:[0-9a-f]{8}(?:,[^\s:,]+:[0-9a-f]{8})*))?(?P<suspect> suspect)?"
)
_OWNER = ("namespace", "schedule", "repository", "cluster")
_UNDO = re.compile(
    r"borgoperator\.io undo (?P<namespace>[^/\s]+)/(?P<restore>\S+) \S+ repository=(?P<repository>\S+)"
    r"(?: cluster=(?P<cluster>\S+))? of=(?P<archive_id>" + ID.pattern + r")"
)
_UNDO_NAME = re.compile(r".+-undo-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SHOWN_CHECKPOINT = CHECKPOINT.replace(".", "-")
_SUSPECT = " suspect"
_UID_LENGTH = 8
OTHERS = "*"
"""In place of a source's name: all that are not named, in a comment that was cut."""


@dataclass(frozen=True)
class ArchiveOwner:
    """What an archive belongs to. `cluster` is empty where the operator does not know its own."""

    namespace: str
    schedule: str
    repository: str
    """The BorgRepository."""
    cluster: str = ""

    def __str__(self) -> str:
        place = f' of cluster "{self.cluster}"' if self.cluster else ""
        whose = f'BorgSchedule "{self.schedule}" in namespace "{self.namespace}"{place}'
        return f'{whose} (BorgRepository "{self.repository}")'


@dataclass(frozen=True)
class UndoOf:
    """What an undo archive is of: what a restore replaced or deleted. It is no schedule's, and no prune deletes it."""

    namespace: str
    restore: str
    """The BorgRestore."""
    repository: str
    archive_id: str
    """Borg's id of the archive that was restored."""
    cluster: str = ""


@dataclass(frozen=True)
class ArchiveContent:
    """What the sources of an archive held when it was begun."""

    files: Mapping[str, int] = field(default_factory=dict)
    """How many files by the source's name, those left out by `exclude` included; none where the comment is silent."""
    suspect: bool = False
    """Whether a source was empty, or all of it left out by `exclude`, or could not be read; or nobody looked."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """By the source's name what of it was asked for (`digest_paths`), where that is not the whole volume."""


def digest_paths(paths: Sequence[str]) -> str:
    """Return what tells these `paths` of a source from others, empty for the whole volume; as short as a comment is."""
    wanted = sorted({posixpath.normpath(path) for path in paths})
    return "" if "." in wanted else hashlib.sha256("\0".join(wanted).encode()).hexdigest()[:8]


def name_run(job_name: str, job_uid: str) -> str:
    """Return what tells a run from all others, also from an earlier one of its name; for the comment of archives."""
    return f"{job_name}/{job_uid[:_UID_LENGTH]}" if job_uid else job_name or "-"


def render_comment(owner: ArchiveOwner, run: str, content: ArchiveContent | None = None) -> str:
    """Return the comment of an archive that the run makes; `run`: see `name_run`."""
    cluster = f" cluster={owner.cluster}" if owner.cluster else ""
    files = ",".join(f"{name}:{count}" for name, count in content.files.items()) if content else ""
    held = f" files={files}" if files else ""
    paths = ",".join(f"{name}:{digest}" for name, digest in content.paths.items()) if content else ""
    held += f" paths={paths}" if paths else ""
    suspect = _SUSPECT if content and content.suspect else ""
    place = f"{owner.namespace}/{owner.schedule} {run} repository={owner.repository}"
    return f"borgoperator.io {place}{cluster}{held}{suspect}"


def derive_undo_name(restore: str, now: dt.datetime) -> str:
    """Return the name of the undo archive that the restore makes `now`, in UTC. What borg would hide is shown."""
    return f"{restore.replace(CHECKPOINT, _SHOWN_CHECKPOINT)}-undo-{now:%Y-%m-%dT%H:%M:%SZ}"


def is_undo_name(name: str) -> bool:
    """Tell whether an archive is named like an undo archive, where nothing but its name is known."""
    return _UNDO_NAME.fullmatch(name) is not None


def render_undo_comment(undo: UndoOf, run_name: str) -> str:
    """Return the comment of an undo archive. `parse_comment` knows no owner in it, in older versions neither."""
    cluster = f" cluster={undo.cluster}" if undo.cluster else ""
    place = f"{undo.namespace}/{undo.restore} {run_name} repository={undo.repository}"
    return f"borgoperator.io undo {place}{cluster} of={undo.archive_id}"


def parse_undo_comment(comment: str) -> UndoOf | None:
    """Return what an undo archive is of; None for any other archive."""
    found = _UNDO.fullmatch(comment)
    return UndoOf(**{name: text or "" for name, text in found.groupdict().items()}) if found else None


def parse_comment(comment: str) -> ArchiveOwner | None:
    """Return whose archive it is; None where the comment does not say it, whole and in this form."""
    found = _COMMENT.fullmatch(comment)
    return ArchiveOwner(**{name: found[name] or "" for name in _OWNER}) if found else None


def parse_content(comment: str) -> ArchiveContent:
    """Return what the comment says of the archive's sources."""
    found = _COMMENT.fullmatch(comment)
    if found is None:
        return ArchiveContent()
    files, paths = (_split_pairs(found[word]) for word in ("files", "paths"))
    return ArchiveContent({name: int(count) for name, count in files}, found["suspect"] is not None, dict(paths))


def fit_comment(comment: str, limit: int) -> str:
    """Return the comment in at most `limit` characters: of many sources the first, and the files of the others as `*`.

    So it still says whose the archive is. Only for telling: the archive keeps all of it.
    """
    found = _COMMENT.fullmatch(comment)
    if len(comment) <= limit or found is None:
        return comment[:limit]
    head = comment[: found.end("cluster" if found["cluster"] else "repository")]
    end = _SUSPECT if found["suspect"] else ""
    pairs = [(name, int(count)) for name, count in _split_pairs(found["files"])]
    text, room = "", limit - len(head) - len(end) - len(" files=")
    for index, (name, count) in enumerate(pairs):
        after = pairs[index + 1 :]
        pair, rest = f"{name}:{count}", f",{OTHERS}:{_sum(after)}" if after else ""
        if len(text) + len(pair) + len(rest) > room:
            return f"{head} files={text}{OTHERS}:{_sum(pairs[index:])}{end}"
        text += f"{pair}," if after else pair
    return f"{head} files={text}{end}"  # it was the paths that are too long


def _sum(pairs: Sequence[tuple[str, int]]) -> int:
    return sum(count for _, count in pairs)


def parse_run(comment: str) -> str | None:
    """Return which run made the archive, as `name_run` says it; None where the comment does not."""
    found = _COMMENT.fullmatch(comment)
    return found["run"] if found else None


def mark_suspect(comment: str) -> str:
    """Return the comment of an archive, as `render_comment` makes it, with the mark that it is suspect."""
    return comment if parse_content(comment).suspect else f"{comment}{_SUSPECT}"


def _split_pairs(text: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition(":") for pair in (text or "").split(",") if pair)]
