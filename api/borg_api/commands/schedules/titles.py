"""Titles are unique in a namespace. Names of resources race at the API server, titles do not: they are kept so here."""

from collections.abc import Iterator, Mapping
from typing import Any

from borg_api.commands.writer import Writer
from borg_api.edge.errors import InvalidValueError, quote
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord


class TitleTakenError(InvalidValueError):
    """A schedule of that title exists."""

    def __init__(self, title: str) -> None:
        super().__init__(f"A schedule with the name {quote(title)} exists already; choose another name.", "/name")


def check_title_is_free(view: View, title: str) -> None:
    """Raise TitleTakenError when a schedule has the title."""
    if view.schedules_titled(title):
        raise TitleTakenError(title)


async def is_title_of_earlier(view: View, writer: Writer[ScheduleRecord], written: ScheduleRecord) -> bool:
    """Tell whether another schedule got the title of the one that was written at the same time, and first.

    Of two at once, both may have found the title free.
    """
    await writer.wait_for_watch(written.titled)
    others = view.schedules_titled(written.resource.title)
    return any(other.name != written.name and other.titled < written.titled for other in others)


async def take_back(
    writer: Writer[ScheduleRecord], before: ScheduleRecord, written: ScheduleRecord, patch: Mapping[str, Any]
) -> None:
    """Undo what the patch changed in the spec; where somebody has changed the spec since, the title alone."""
    was = spec_of(before)
    undo = {key: list(_undo(f"/spec/{key}", was.get(key), sent)) for key, sent in patch.items()}
    is_same: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": written.metadata.uid},
        {"op": "test", "path": "/metadata/generation", "value": written.metadata.generation},
    ]
    if not await writer.patch(written.name, is_same + [operation for each in undo.values() for operation in each]):
        is_titled = {"op": "test", "path": "/spec/title", "value": patch["title"]}
        await writer.patch(written.name, [is_titled, *undo["title"]])


def spec_of(record: ScheduleRecord) -> dict[str, Any]:
    """Return the spec as it would be written, without what holds anyway."""
    return record.resource.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)


def _undo(path: str, was: Any, sent: Any) -> Iterator[dict[str, Any]]:
    if was is not None:
        yield {"op": "add", "path": path, "value": was}
    elif sent is not None:
        yield {"op": "remove", "path": path}
