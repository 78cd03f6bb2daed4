"""Titles are unique in a namespace. Names of resources race at the API server, titles do not: they are kept so here."""

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


async def keep_title_if_first(
    view: View, writer: Writer[ScheduleRecord], written: ScheduleRecord, before: str | None
) -> None:
    """Take the new title back when another schedule got it at the same time, and first. Raises TitleTakenError.

    Of two renames at once, both may have found the title free. `before`: the title to go back to, None for none.
    """
    title = written.resource.title
    await writer.wait_for_watch(written.titled)
    for other in view.schedules_titled(title):
        if other.name != written.name and other.titled < written.titled:
            path = "/spec/title"
            back = {"op": "replace", "path": path, "value": before} if before else {"op": "remove", "path": path}
            await writer.patch(written.name, [{"op": "test", "path": path, "value": title}, back])
            raise TitleTakenError(title)
