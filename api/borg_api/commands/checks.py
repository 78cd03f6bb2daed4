"""Changes when a repository is checked, and nothing else of it."""

from typing import Any

from borg_api.commands.writer import Editions, Writer, write_at_edition
from borg_core.kinds.repository import BorgRepository


async def update_check_times(
    writer: Writer[BorgRepository], repository: BorgRepository, patch: dict[str, Any] | None, editions: Editions
) -> BorgRepository:
    """Merge the patch into the repository's spec, if there is one. Raises what `write_at_edition` does."""

    async def write(found: BorgRepository, version: str | None) -> BorgRepository:
        return await writer.merge(found.metadata.name, found.metadata.uid, {"spec": patch}, version) if patch else found

    return await write_at_edition(writer, repository, editions, write)
