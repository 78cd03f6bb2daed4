"""New schedules: from nothing, or as a copy of another."""

from itertools import islice
from typing import Any

from borg_api.commands.schedules.names import derive_copy_titles, derive_resource_names
from borg_api.commands.schedules.titles import TitleTakenError, check_title_is_free, is_title_of_earlier, spec_of
from borg_api.commands.writer import Writer
from borg_api.edge.errors import InUseError, quote
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord
from borg_cluster.errors import AlreadyExists

_NAMES_TRIED = 1000
_COPIES = 1000


async def create_schedule(view: View, writer: Writer[ScheduleRecord], spec: dict[str, Any]) -> ScheduleRecord:
    """Create a schedule under the first of its names that is free. Raises TitleTakenError."""
    title = spec["title"]
    check_title_is_free(view, title)
    for name in islice(derive_resource_names(title), _NAMES_TRIED):
        holder = view.schedules.get(name)
        if holder is None:
            try:
                made = await writer.create(name, spec)
            except AlreadyExists:
                holder = await writer.read(name)
            else:
                if await is_title_of_earlier(view, writer, made):
                    await writer.delete(made.name, made.metadata.uid)
                    raise TitleTakenError(title)
                return made
        if holder and holder.resource.title == title:
            raise TitleTakenError(title)
    raise InUseError(f"No free resource name was found for {quote(title)}; choose another name.")


async def duplicate_schedule(view: View, writer: Writer[ScheduleRecord], original: ScheduleRecord) -> ScheduleRecord:
    """Copy every setting under the next free title, disabled."""
    spec = spec_of(original)
    for title in islice(derive_copy_titles(original.resource.title), _COPIES):
        try:
            return await create_schedule(view, writer, {**spec, "title": title, "suspend": True})
        except TitleTakenError:
            continue
    raise InUseError(f"There are {_COPIES} copies of this schedule already.")
