"""Begins a restore: a new one, or the one that a preview shows."""

from borg_api.commands.restores.wish import Wish
from borg_api.commands.runs.start import derive_key, in_progress
from borg_api.commands.writer import Writer
from borg_api.edge.errors import InUseError, InvalidValueError
from borg_api.picture.picture import View
from borg_api.picture.restoring import RestoreRecord
from borg_cluster.errors import AlreadyExists
from borg_core.kinds.restore_status import RestorePhase

_WHAT = "The same restore"


async def start_restore(
    view: View, writer: Writer[RestoreRecord], wish: Wish, idempotency_key: str | None
) -> RestoreRecord:
    """Ask for the restore and return it: with a key that was used before for the same, the one of then.

    Raises InUseError when the same restore is in progress, or the key was used for another one.
    """
    key = derive_key(idempotency_key)
    known = next((restore for restore in view.restores.in_order() if key and restore.key == key), None)
    if known:
        return await _answer_again(writer, wish, known)
    before = [restore for restore in view.restores_asking(wish.asked) if not restore.previews]
    busy = next((restore for restore in before if not restore.finished), None)
    if busy:
        raise in_progress(_WHAT, busy.name)
    name = wish.name_after(before)
    try:
        return await writer.create(name, wish.render(), wish.mark(key))
    except AlreadyExists:
        winner = await writer.read(name)
    if winner and key and winner.key == key:
        return await _answer_again(writer, wish, winner)
    raise in_progress(_WHAT, name)


async def approve_preview(
    writer: Writer[RestoreRecord], preview: RestoreRecord, wish: Wish | None, digest: str | None
) -> RestoreRecord:
    """Let happen what the preview shows. Approving it again changes nothing.

    `wish`: what the caller takes the preview for, `digest`: what they have seen it show; None where nothing was said.
    Raises InvalidValueError when it is of something else or has ended, InUseError when it does not wait for approval,
    or shows something else by now.
    """
    if wish and wish.asked != preview.asked:
        raise InvalidValueError("This preview is of another restore than the one that is asked for.", "/preview_id")
    if preview.finished:
        raise InvalidValueError(f"This has ended already ({preview.phase}): ask for a new preview.", "/preview_id")
    found, approved = preview.resource.status.preview, preview.resource.spec.approve
    if found and approved == found.digest and digest in (None, found.digest):
        await writer.wait_for_replicas(preview.version)
        return preview
    if found is None or preview.phase is not RestorePhase.PREVIEWED:
        raise InUseError(f"The preview is still being made, or runs already: its status is {preview.phase.lower()}.")
    # Once what was approved is out of date, the same call, sent again, must not approve what nobody has seen.
    is_seen = found.digest == digest if digest or approved else True
    if not is_seen:
        raise InUseError(
            "What would happen is not what it was: look at the preview again, and send its digest as preview_digest."
        )
    # A restore is worth keeping when its archive is gone.
    patch = {"metadata": {"ownerReferences": None}, "spec": {"approve": found.digest}}
    return await writer.merge(preview.name, preview.uid, patch)


async def _answer_again(writer: Writer[RestoreRecord], wish: Wish, known: RestoreRecord) -> RestoreRecord:
    if known.asked != wish.asked:
        raise InUseError(f"This Idempotency-Key was used for another restore: {known.name}. Send another key.")
    await writer.wait_for_replicas(known.version)
    return known
