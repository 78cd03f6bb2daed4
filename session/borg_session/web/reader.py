"""What each request is answered with."""

import os
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio import to_thread
from starlette.responses import Response

from borg_contract.codec import encode
from borg_contract.reasons import Reason
from borg_contract.session.answers import ArchiveItem, ArchivesAnswer, DiffAnswer, TreeAnswer
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_runner.verbs.list import StoredArchive
from borg_session.borgs import Borgs
from borg_session.catalogue import Catalogue
from borg_session.index.query import Found, find_content, find_path, read_progress
from borg_session.index.shelf import Index, Shelf
from borg_session.looking.diff import compare
from borg_session.looking.find import find_names
from borg_session.looking.tree import list_folder
from borg_session.looking.versions import Versions
from borg_session.refusal import RefusedError, StillReadingError, invalid, no_path
from borg_session.web.content import HEADERS, send_file, send_tar

_T = TypeVar("_T")


class Reader:
    """All that can be asked. Raises RefusedError, StillReadingError."""

    def __init__(self, borgs: Borgs, catalogue: Catalogue, shelf: Shelf) -> None:
        self._borgs, self._catalogue, self._shelf = borgs, catalogue, shelf
        self._versions = Versions(shelf)

    async def answer(self, request: ReadRequest) -> Response:  # noqa: PLR0911 - an arm for each operation
        """Return the answer."""
        match request.operation:
            case SessionOperation.ARCHIVES:
                return await self._archives()
            case SessionOperation.TREE:
                return answer(await self._ask(request.archive, lambda index: _in(index, request, list_folder)))
            case SessionOperation.FIND:
                return answer(await self._ask(request.archive, lambda index: _in(index, request, find_names)))
            case SessionOperation.VERSIONS:
                return answer(self._versions.look(await self._catalogue.look(), request))
            case SessionOperation.DIFF:
                return await self._diff(request)
            case SessionOperation.FILE:
                return await self._file(request)
            case SessionOperation.TAR:
                return await self._tar(request)

    async def _archives(self) -> Response:
        archives = await self._catalogue.look()
        ordered = sorted(archives.items(), key=lambda pair: (pair[1].time, pair[1].id), reverse=True)
        items = [ArchiveItem(name, item.id, item.time, self._shelf.count_entries(item.id)) for name, item in ordered]
        stale = self._catalogue.stale
        return answer(ArchivesAnswer(tuple(items), self._catalogue.as_of, stale.answer if stale else None))

    async def _ask(self, archive: str, look: Callable[[Index], _T]) -> _T:
        index = await self._shelf.take(archive, await self._catalogue.find(archive))
        return await to_thread.run_sync(look, index)

    async def _diff(self, request: ReadRequest) -> Response:
        earlier, later = await self._catalogue.find(request.a), await self._catalogue.find(request.b)
        before, after = await self._take_listed(request.a, earlier), await self._take_listed(request.b, later)
        return answer(await to_thread.run_sync(_compare, before, after, request))

    async def _take_listed(self, name: str, archive: StoredArchive) -> Index:
        index = await self._shelf.take(name, archive)
        progress = index.progress()
        if not progress.listed:
            raise StillReadingError(progress.entries)
        return index

    async def _file(self, request: ReadRequest) -> Response:
        path, found = await self._find_content(request)
        if not found.is_file:
            raise invalid("The path is that of no file: only files have a content.")
        return await self._send(send_file(self._borgs, request.archive, request.path, path, found))

    async def _tar(self, request: ReadRequest) -> Response:
        await self._find_content(request)
        return await self._send(send_tar(self._borgs, request.archive, request.path))

    async def _find_content(self, request: ReadRequest) -> tuple[str, Found]:
        stored = await self._catalogue.find(request.archive, surely=True)
        index = await self._shelf.take(request.archive, stored)
        return await to_thread.run_sync(_find, index, request)

    async def _send(self, begun: Awaitable[Response]) -> Response:
        try:
            return await begun
        except RefusedError as error:
            if error.reason is Reason.ARCHIVE_GONE:
                self._catalogue.doubt()
            raise


def answer(value: Any, status: int = 200) -> Response:
    """Return an answer of `borg_contract.session.answers`."""
    return Response(encode(value), status, HEADERS, "application/json")


def _in(
    index: Index, request: ReadRequest, look: Callable[[sqlite3.Connection, ReadRequest], TreeAnswer]
) -> TreeAnswer:
    with index.opened() as database:
        return look(database, request)


def _compare(before: Index, after: Index, request: ReadRequest) -> DiffAnswer:
    with before.opened() as one, after.opened() as other:
        return compare(one, other, request)


def _find(index: Index, request: ReadRequest) -> tuple[str, Found]:
    """Return what has the path, with its content: the path under which borg tells that, and the entry there."""
    with index.opened() as database:
        found = find_path(database, os.fsencode(request.path))
        if found is None:
            progress = read_progress(database)
            raise no_path(request.path) if progress.listed else StillReadingError(progress.entries)
        content = find_content(database, found)
        if content.is_hard_link and content.is_file:
            raise no_path(os.fsdecode(content.link))
        return request.path if content is found else os.fsdecode(found.link), content
