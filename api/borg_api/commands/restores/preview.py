"""Asks what a restore would do. There is one preview of each restore at a time."""

from datetime import datetime, timedelta

from borg_api.commands.restores.wish import Wish
from borg_api.commands.writer import Writer
from borg_api.edge.errors import InUseError
from borg_api.picture.picture import View
from borg_api.picture.restoring import RestoreRecord
from borg_cluster.errors import AlreadyExists, ApiError
from borg_core.formats import parse_time
from borg_core.kinds.restore_status import RestorePhase

FRESH = timedelta(minutes=10)
"""For so long a preview is shown again; then what it shows may have changed, and a new one takes its place."""


async def preview_restore(view: View, writer: Writer[RestoreRecord], wish: Wish, now: datetime) -> RestoreRecord:
    """Return the preview of the restore that is being made, or was made a moment ago; else ask for one."""
    before = view.restores_asking(wish.asked)
    previews = [restore for restore in before if restore.previews]
    current = next((preview for preview in reversed(previews) if _is_current(view, preview, now)), None)
    if current:
        await writer.wait_for_replicas(current.version)
        return current
    name = wish.name_after(before)
    try:
        made = await writer.create(name, wish.render(preview=True), wish.mark(), wish.owner)
    except AlreadyExists:
        found = await writer.read(name)
        if found is None or not found.previews:
            raise InUseError(f"The same is asked for by others at the same time: {name}. Try again.") from None
        return found
    for old in previews:
        await _drop(writer, old)
    return made


def _is_current(view: View, preview: RestoreRecord, now: datetime) -> bool:
    """Whether it is being made, or what it shows is from just now."""
    if preview.phase is RestorePhase.PREVIEWED:
        return now - parse_time(shown_since(view, preview)) < FRESH
    return not preview.finished and not preview.resource.spec.cancel


def shown_since(view: View, preview: RestoreRecord) -> str:
    """Return of when it is what the preview shows, RFC 3339: when its run ended, which may have taken long."""
    run = view.runs.get(preview.resource.status.run_name or "")
    return (run and run.completed) or preview.resource.metadata.creation_timestamp


async def _drop(writer: Writer[RestoreRecord], old: RestoreRecord) -> None:
    """Delete a preview that another one stands for, unless somebody has approved it meanwhile, or may not delete."""
    try:
        await writer.delete(old.name, old.uid, str(old.version))
    except ApiError:
        return
