"""What is in an archive, by the operations of REST that look into one, with the rights of whoever asks.

Names in archives are bytes. What is shown of one may have U+FFFD in it; what links carry is exact.
"""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from borg_api.configuration import Configuration
from borg_api.edge.guard import is_allowed
from borg_api.edge.parts import part_of
from borg_api.page.frame.answers import is_partial
from borg_api.page.frame.calls import Operation, Relay, Said, call
from borg_api.picture.records import derive_id
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.contents.response import show
from borg_api.resources.contents.route import LOOK
from borg_contract.session.request import unquote
from borg_core.kinds.repository import REPOSITORIES, BorgRepository

SEARCH_SECONDS = 4.0
"""For so long it is looked further on where nothing was found so far: a page of the session's takes a moment only."""
_PAGE = 500
_AGAIN = "every 2s"
"""The same for all that passes by itself: an element keeps the rhythm that it was loaded with."""
_PASSING = (HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)
"""It is being opened, a run holds the lock, a session ended."""
_AT_ONCE = {"prefer": "wait=0"}
"""A page is there at once; that the archive is still being opened is said on it."""


class Inside:
    """Asks on behalf of one request. Items have, besides what REST says, `exact`: their path to the byte."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def is_there(self) -> bool:
        """Whether this facade can look into archives."""
        return part_of(self._request, Configuration).sessions

    async def is_open(self) -> bool:
        """Whether whoever asks may look as well."""
        return self.is_there and await is_allowed(self._request, LOOK)

    async def list(self, repository: BorgRepository, archive: ArchiveRecord, path: str, after: str | None) -> Said:
        """Return what is in a folder, folders first."""
        return await self._ask("browse_archive", _place_of(repository, archive), {"path": path, "continue": after})

    async def find(self, repository: BorgRepository, archive: ArchiveRecord, words: str, after: str | None) -> Said:
        """Return what has the words in its name."""
        return await self._ask("find_in_archive", _place_of(repository, archive), {"q": words, "continue": after})

    async def compare(self, repository: BorgRepository, a: str, b: str, after: str | None) -> Said:
        """Return what changed from one archive to another."""
        query = {"repository": _id_of(repository), "a": a, "b": b, "continue": after}
        return await self._ask("compare_archives", {}, query)

    async def list_versions(self, repository: BorgRepository, path: str, after: str | None) -> Said:
        """Return one file in each archive, the newest first."""
        query = {"repository": _id_of(repository), "file_path": path, "continue": after}
        return await self._ask("list_versions", {}, query)

    def file(self, repository: BorgRepository, archive: ArchiveRecord, path: str) -> Response:
        """Return one file of the archive, to be kept."""
        query = {"repository": _id_of(repository), "archive": archive.archive, "file_path": path}
        return Relay(self._request, Operation("download_file", {}, query))

    def tar(self, repository: BorgRepository, archive: ArchiveRecord, path: str) -> Response:
        """Return a folder of the archive as a tar, to be kept."""
        return Relay(self._request, Operation("download_folder", _place_of(repository, archive), {"path": path}))

    async def _ask(self, name: str, values: Mapping[str, str], query: Mapping[str, Any]) -> Said:
        until = time.monotonic() + SEARCH_SECONDS
        while True:
            said = await call(self._request, Operation(name, values, {**query, "limit": _PAGE}, headers=_AT_ONCE))
            if not said.good or not _may_follow(said.body) or time.monotonic() >= until:
                break
            query = {**query, "continue": said.body["continue"]}
        if said.good:
            for item in _items_of(said.body):
                item["exact"] = unquote(item["encoded_path"])
        return said


def find_next_look(said: Said) -> str:
    """Return how soon to look again, as htmx says it; empty where all is there that was asked for."""
    is_waiting = said.good and said.body.get("pending") and not said.body.get("items")
    return _AGAIN if said.status in _PASSING or is_waiting else ""


def keep_live(request: Request, response: Response, place: str) -> Response:
    """Return the page that is to be looked at again: of an element that looks by itself, only the inside changes.

    `place`: its id. What takes its place looks no more: attributes of htmx count only on pages, not in parts of them.
    """
    if is_partial(request):
        response.headers.update({"HX-Reswap": "innerHTML", "HX-Reselect": f"#{place} > *"})
    return response


def can_be_named(path: str) -> bool:
    """Whether a restore can be asked for it alone: it is UTF-8, and in the form there is one in each line."""
    return show(path) == path and not {"\n", "\r"} & {*path}


def derive_crumbs(path: str) -> Sequence[tuple[str, str]]:
    """Return the folders that lead to a path, each by its name for people and its own path."""
    parts = [part for part in path.split("/") if part]
    return [(show(part), "/".join(parts[: number + 1])) for number, part in enumerate(parts)]


def _items_of(body: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return all that has a path in an answer of REST."""
    versions = (version["item"] for version in body.get("versions", ()))
    return [*body.get("items", ()), *body.get("changes", ()), *filter(None, versions)]


def _may_follow(body: Mapping[str, Any]) -> bool:
    """Tell whether there is nothing in an answer of REST, and perhaps something behind it."""
    is_empty = not any(body.get(name) for name in ("items", "changes", "versions"))
    return is_empty and not body.get("pending") and bool(body.get("continue"))


def _place_of(repository: BorgRepository, archive: ArchiveRecord) -> Mapping[str, str]:
    return {"repository_id": _id_of(repository), "archive": archive.archive}


def _id_of(repository: BorgRepository) -> str:
    metadata = repository.metadata
    return str(derive_id(REPOSITORIES.kind, metadata.namespace, metadata.name))
