"""The few verbs of the API server that this project needs, on plain JSON objects.

The official client's generated models would parse and rebuild every object twice; the project has models of its own.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from kubernetes.aio import client

from borg_cluster.clock import ServerClock
from borg_cluster.errors import NotFound, Unreachable, error_of
from borg_cluster.transport import DEFAULTS, JSON, Request, Timeouts, Transport, lines_of, parse_object, pieces_of
from borg_core.native.pod import PODS
from borg_core.registry import ResourceType

Object = dict[str, Any]
"""An object, or a List of them, as the API server hands it out."""

_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500
_WATCH_SECONDS = 600


class ApiServer:
    """Requests on objects as dicts. Every method raises ApiError, in the type that says what it means (`errors`).

    `observe` is told the method and the HTTP status of each request, None where no answer came. `clock` goes by the
    API server's answers.
    """

    def __init__(
        self,
        api: client.ApiClient,
        token: str | None = None,
        *,
        observe: Callable[[str, int | None], None] | None = None,
        timeouts: Timeouts = DEFAULTS,
        clock: ServerClock | None = None,
    ) -> None:
        self._api = api
        self._observe = observe
        self._timeouts = timeouts
        self.clock = clock or ServerClock()
        self._transport = Transport(api, token, observe, timeouts, self.clock)

    def acting_as(self, token: str) -> "ApiServer":
        """Return the same connections in the name of whose bearer token this is. Only for `without_credentials`."""
        return ApiServer(self._api, token, observe=self._observe, timeouts=self._timeouts, clock=self.clock)

    async def close(self) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    async def ping(self) -> None:
        """Return when the API server answers that it lives."""
        await self._transport.read(Request("GET", "/livez"), self._timeouts.ping)

    async def get(
        self, resource: ResourceType, namespace: str, name: str, subresource: str | None = None
    ) -> Object | None:
        """Return the object, or its subresource, None when there is none."""
        request = Request("GET", resource.path(namespace, name, subresource))
        try:
            found = await self._transport.exchange(request)
        except NotFound:
            return None
        if not _is_object(found) or found["metadata"].get("name") != name:
            raise Unreachable(f"{request}: the answer is not that object; is something else in between?")
        return found

    async def list_labelled(
        self, resource: ResourceType, namespace: str, label_selector: str, field_selector: str = ""
    ) -> list[Object]:
        """Return the objects of a namespace that bear the labels."""
        query = _selection(label_selector, field_selector)
        request = Request("GET", resource.path(namespace), query)
        return _items(request, await self._transport.exchange(request))

    async def list_page(
        self,
        resource: ResourceType,
        namespace: str | None,
        continue_token: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
        limit: int = _PAGE,
    ) -> Object:
        """Return a page of whole objects as the API server's List: `metadata.continue` leads on.

        Without a namespace: of all. With `metadata_only` the items have nothing but their metadata.
        """
        paging = (("limit", str(limit)), ("continue", continue_token))
        query = (*paging, *_selection(label_selector, field_selector))
        accept = _METADATA_LIST if metadata_only else JSON
        request = Request("GET", resource.path(namespace), query, accept=accept)
        page = await self._transport.exchange(request)
        return {**page, "items": _items(request, page)}

    @asynccontextmanager
    async def watch(
        self,
        resource: ResourceType,
        namespace: str | None,
        version: str,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Give the events after `version`, bookmarks included, until the API server ends the watch.

        It is established once this is entered. An ERROR event is raised as what it is: `Expired` as a rule. Raises
        `Unreachable` when it was cut off, or silent for longer than bookmarks leave it.
        """
        query = (
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(_WATCH_SECONDS)),
            *_selection(label_selector, field_selector),
        )
        request = Request("GET", resource.path(namespace), query)
        async with await self._transport.stream(request) as response:
            yield _events(request, lines_of(request, response))

    @asynccontextmanager
    async def log(
        self, namespace: str, pod: str, container: str, tail: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give what the container has written until now, in pieces as they come; with `tail` its last lines only."""
        query = (("container", container), *((("tailLines", str(tail)),) if tail else ()))
        request = Request("GET", PODS.path(namespace, pod, "log"), query, accept="*/*")
        async with await self._transport.stream(request) as response:
            yield pieces_of(request, response)

    async def create(self, resource: ResourceType, manifest: Object) -> Object:
        """Create the object. Without a namespace in its metadata it is one of the cluster."""
        path = resource.path(manifest.get("metadata", {}).get("namespace"))
        return await self._write("POST", path, manifest)

    async def replace(self, resource: ResourceType, manifest: Object) -> Object:
        """Replace the whole object as it was read. Raises Conflict when somebody changed it since."""
        metadata = manifest["metadata"]
        return await self._write("PUT", resource.path(metadata["namespace"], metadata["name"]), manifest)

    async def merge(
        self, resource: ResourceType, namespace: str, name: str, patch: Object, subresource: str | None = None
    ) -> Object:
        """Merge `patch` into the object, or into its subresource."""
        return await self._write("PATCH", resource.path(namespace, name, subresource), patch, _MERGE_PATCH)

    async def patch(self, resource: ResourceType, namespace: str, name: str, operations: list[Object]) -> Object:
        """Apply the operations of a JSON Patch (RFC 6902), all or none."""
        return await self._write("PATCH", resource.path(namespace, name), operations, _JSON_PATCH)

    async def delete(
        self,
        resource: ResourceType,
        namespace: str,
        name: str,
        uid: str,
        version: str | None = None,
        *,
        propagation: str = "Background",
    ) -> None:
        """Delete the object of that uid, if given at that version, and then what it owns, or that first ("Foreground").

        Raises Conflict when the object of that name is another one, or at another version.
        """
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        body = {**options, "preconditions": preconditions}
        await self._transport.exchange(Request("DELETE", resource.path(namespace, name), body=body))

    async def _write(self, method: str, path: str, body: Any, content_type: str = JSON) -> Object:
        query = (("fieldManager", str(self._api.user_agent)),)
        return await self._transport.exchange(Request(method, path, query, body, content_type))


def _selection(label_selector: str, field_selector: str) -> tuple[tuple[str, str], ...]:
    return ("labelSelector", label_selector), ("fieldSelector", field_selector)


def _items(request: Request, found: Object) -> list[Object]:
    """Return the objects of a List. Raises Unreachable where it is none: that is no empty one."""
    items = found.get("items", ())
    if items is None:  # so some say that there is none
        items = []
    if not (isinstance(found.get("metadata"), dict) and isinstance(items, list) and all(map(_is_object, items))):
        raise Unreachable(f"{request}: the answer is no list of an API server; is something else in between?")
    return items


def _is_object(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("metadata"), dict)


async def _events(request: Request, lines: AsyncIterator[bytes]) -> AsyncIterator[Object]:
    async for line in lines:
        event = parse_object(line)
        if event is None:
            raise Unreachable(f"{request}: an event of the watch was cut off")
        found = event.get("object")
        if event.get("type") == "ERROR" and isinstance(found, dict):
            code = found.get("code")
            raise error_of(code if isinstance(code, int) else 0, found, f"{request}: the watch failed")
        if "type" not in event or not _is_object(found):
            raise Unreachable(f"{request}: what the watch said is no event; is something else in between?")
        yield event
