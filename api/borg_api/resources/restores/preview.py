"""What a restore would do, as a text for people."""

from collections.abc import Iterator

from borg_contract.restore.result import ResolvedArchive, RestorePreview
from borg_core.formats import format_size


def render_text(preview: RestorePreview, resolved: ResolvedArchive | None, destination: str) -> str:
    """Return what the preview says, one thing a line, with some of the paths."""
    return "\n".join(_lines(preview, resolved, destination))


def _lines(preview: RestorePreview, resolved: ResolvedArchive | None, destination: str) -> Iterator[str]:
    if resolved:
        source = f", source {resolved.source}" if resolved.source else ""
        yield f"Archive {resolved.archive} of {resolved.time}{source}, into {destination}"
    yield f"{preview.create:,} to create, {preview.overwrite:,} to replace, {preview.delete:,} to delete"
    yield f"{preview.same:,} are as in the archive, {preview.keep:,} differ and are left alone"
    yield f"{format_size(preview.bytes)}B to write"
    yield from preview.sample
    more = preview.create + preview.overwrite + preview.delete - len(preview.sample)
    if preview.sample and more > 0:
        yield f"and {more:,} more: the log of the run has all"
