"""What is in an archive, by the operations of REST that look into one; a facade that has none of them shows no tree.

Their answers: `{items: [{name, path, type, size, mtime}], next, total, pending}`, 202 while the archive is opened.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from borg_api.page.frame.calls import Operation, Relay, Said, call, find_operation
from borg_api.picture.records import derive_id
from borg_api.picture.restoring import ArchiveRecord
from borg_core.kinds.repository import REPOSITORIES, BorgRepository

BROWSE, FIND, DIFF, FILE, TAR = (
    "browse_archive",
    "find_in_archive",
    "diff_archives",
    "download_from_archive",
    "download_folder_from_archive",
)
"""The operations' names."""
_PAGE = 500


class Inside:
    """Asks on behalf of one request."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def is_there(self) -> bool:
        """Whether this facade can look into archives."""
        return find_operation(self._request, BROWSE) is not None

    async def list(self, repository: BorgRepository, archive: ArchiveRecord, path: str, after: str) -> Said:
        """Return what is in a folder, folders first."""
        query = {"path": path, "limit": _PAGE, "after": after or None}
        return await self._ask(BROWSE, _values(repository, archive), query)

    async def find(self, repository: BorgRepository, archive: ArchiveRecord, words: str, after: str) -> Said:
        """Return what has the words in its name."""
        query = {"q": words, "limit": _PAGE, "after": after or None}
        return await self._ask(FIND, _values(repository, archive), query)

    async def compare(self, repository: BorgRepository, a: str, b: str, after: str) -> Said:
        """Return what changed from one archive to another."""
        query = {"a": a, "b": b, "limit": _PAGE, "after": after or None}
        return await self._ask(DIFF, {"repository_id": _id_of(repository)}, query)

    def file(self, repository: BorgRepository, archive: ArchiveRecord, path: str) -> Response:
        """Return one file of the archive, to be kept."""
        query = {"repository": repository.metadata.name, "archive": archive.archive, "file_path": path}
        return Relay(self._request, Operation(FILE, {}, query))

    def tar(self, repository: BorgRepository, archive: ArchiveRecord, path: str) -> Response:
        """Return a folder of the archive as a tar, to be kept."""
        return Relay(self._request, Operation(TAR, _values(repository, archive), {"path": path}))

    async def _ask(self, name: str, values: Mapping[str, str], query: Mapping[str, Any]) -> Said:
        return await call(self._request, Operation(name, values, query))


def _values(repository: BorgRepository, archive: ArchiveRecord) -> Mapping[str, str]:
    return {"repository_id": _id_of(repository), "archive": archive.archive}


def _id_of(repository: BorgRepository) -> str:
    metadata = repository.metadata
    return str(derive_id(REPOSITORIES.kind, metadata.namespace, metadata.name))
