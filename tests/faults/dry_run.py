"""Dry runs at the real API server, over many connections."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from borg_core.registry import ResourceType
from support.control_plane import ControlPlane

Object = dict[str, Any]
Answer = tuple[int, Object]
"""The HTTP status, and what was said."""

CONNECTIONS = 12
KEEPER = "keeper"
"""The name of objects that are there for good, so that their statuses can be patched."""


class DryRun:
    def __init__(self, session: aiohttp.ClientSession, url: str, namespace: str) -> None:
        self._session = session
        self._url = url
        self._namespace = namespace

    async def create(self, kind: ResourceType, manifest: Object) -> Answer:
        return await self._send("POST", f"{kind.path(self._namespace)}?dryRun=All", manifest, "application/json")

    async def patch_status(self, kind: ResourceType, status: Object) -> Answer:
        """Patch the status of the keeper."""
        path = f"{kind.path(self._namespace, KEEPER, 'status')}?dryRun=All"
        return await self._send("PATCH", path, {"status": status}, "application/merge-patch+json")

    async def keep(self, kind: ResourceType, manifest: Object) -> None:
        """Make the keeper of the kind, which is no dry run."""
        status, answer = await self._send("POST", kind.path(self._namespace), manifest, "application/json")
        assert status in (201, 409), answer

    async def _send(self, method: str, path: str, body: Object, content_type: str) -> Answer:
        sent = json.dumps(body)  # in ASCII, so that halves of surrogate pairs get there
        headers = {"Content-Type": content_type}
        async with self._session.request(method, self._url + path, data=sent, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def dry_runs(plane: ControlPlane, namespace: str) -> AsyncIterator[DryRun]:
    headers = {"Authorization": f"Bearer {plane.token}"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=plane.trust)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield DryRun(session, plane.server, namespace)
