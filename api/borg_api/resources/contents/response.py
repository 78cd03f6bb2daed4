"""Contents of archives in Borg UI's shape, and what it does not have: versions, differences.

Names in archives are bytes. `name` and `path` are for people and have U+FFFD in place of what is no UTF-8;
`encoded_path` is exact, percent-encoded as it goes into a URL.
"""

import os
import re
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.records import derive_id
from borg_api.resources.contents.reading import Opening
from borg_contract.session import answers
from borg_contract.session.request import quote
from borg_core.kinds.session import SESSIONS


@answer
class Pending(TypedDict):
    """The archive is still being opened: ask for the same again."""

    status: Annotated[str, Field(examples=["pending"])]
    jobId: Annotated[int, Field(description="The session. Clients of Borg UI send it back; here it means nothing.")]
    entries: Annotated[int, Field(description="How many files of the archive were read so far.")]
    message: Annotated[str | None, Field(description="What it waits for.")]


@answer
class Entry(TypedDict):
    """Sizes in bytes; a folder's is that of all below. Times are RFC 3339, in UTC."""

    name: str
    path: str
    encoded_path: str
    type: Annotated[str, Field(examples=["file", "directory", "symlink"])]
    size: int
    mtime: str | None
    mode: str
    user: str
    group: str
    target: Annotated[str | None, Field(description="Of a symbolic link, what it says; of a hard link, the first one.")]
    entries: Annotated[int | None, Field(description="Of a folder: how many there are below.")]
    healthy: Annotated[bool, Field(description="false: a repair put zeros where parts of it were lost.")]


@answer
class Contents(Paged):
    items: list[Entry]
    total: Annotated[int | None, Field(description="How many there are in the folder; null for what was found.")]
    pending: Annotated[bool, Field(description="Whether there may be more: the archive is still being read.")]


@answer
class VersionOfFile(TypedDict):
    archive: str
    archive_id: Annotated[str, Field(description="Borg's own id.")]
    time: str
    item: Annotated[Entry | None, Field(description="null: it is not in this archive.")]
    same: Annotated[bool, Field(description="Whether it is as in the next archive, the older one.")]


@answer
class Versions(Paged):
    versions: list[VersionOfFile]
    looked: Annotated[int, Field(description="How many archives were looked at so far, of `total`.")]
    total: int
    pending: bool


@answer
class Difference(TypedDict):
    path: str
    encoded_path: str
    change: Annotated[str, Field(examples=["added", "removed", "modified", "changed"])]
    before: Entry | None
    after: Entry | None


@answer
class Differences(Paged):
    changes: list[Difference]


UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""What is not seen in a name, or turns around how it looks: `exe.txt` in place of `txt.exe`."""


def show(name: str) -> str:
    """Return a name of bytes as a text for people."""
    return os.fsencode(name).decode(errors="replace")


def render_pending(opening: Opening) -> Pending:
    metadata = opening.session.metadata
    return {
        "status": "pending",
        "jobId": derive_id(SESSIONS.kind, metadata.namespace, metadata.name),
        "entries": opening.entries,
        "message": opening.session.status.message or None,
    }


def render_entry(item: answers.Item) -> Entry:
    return {
        "name": show(item.name),
        "path": show(item.path),
        "encoded_path": quote(item.path),
        "type": item.type,
        "size": item.size,
        "mtime": item.mtime,
        "mode": item.mode,
        "user": show(item.user),
        "group": show(item.group),
        "target": show(item.target) if item.target else None,
        "entries": item.entries,
        "healthy": item.healthy,
    }


def render_contents(found: answers.TreeAnswer) -> Contents:
    return {
        "items": [render_entry(item) for item in found.items],
        "total": found.total,
        "pending": found.pending,
        "continue": quote(found.next) or None,
    }


def render_versions(found: answers.VersionsAnswer) -> Versions:
    versions: list[VersionOfFile] = [
        {
            "archive": show(version.archive),
            "archive_id": version.archive_id,
            "time": version.time,
            "item": render_entry(version.item) if version.item else None,
            "same": version.same,
        }
        for version in found.items
    ]
    following = quote(found.next) or None
    return {
        "versions": versions,
        "looked": found.looked,
        "total": found.total,
        "pending": found.pending,
        "continue": following,
    }


def render_differences(found: answers.DiffAnswer) -> Differences:
    changes: list[Difference] = [
        {
            "path": show(change.path),
            "encoded_path": quote(change.path),
            "change": change.change,
            "before": render_entry(change.before) if change.before else None,
            "after": render_entry(change.after) if change.after else None,
        }
        for change in found.items
    ]
    return {"changes": changes, "continue": quote(found.next) or None}
