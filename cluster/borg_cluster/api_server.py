"""The few requests this project makes, on the official client's connection and credentials, with plain JSON objects.

The generated models would parse and rebuild every object twice; the project has models of its own at its edge.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client

from borg_core.native.pod import PODS
from borg_core.registry import ResourceType

_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_APPLY = "application/apply-patch+yaml"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT_SECONDS = 30.0
_LIVENESS = "/livez"
_PING_SECONDS = 3.0
_PAGE = 500
_WATCH_SECONDS = 600
_WATCH_SILENCE_SECONDS = 90.0  # bookmarks come about once a minute


class ApiError(Exception):
    """The API server refused or failed; `message` is its own, `status` the HTTP status.

    `details`: the `details` of its Status object. `retry_after`: in how many seconds it asks to be asked again.
    """

    def __init__(
        self, status: int, message: str, details: dict[str, Any] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or {}
        self.retry_after = retry_after

    @property
    def is_refusal(self) -> bool:
        """It understood and will not, now or later: another attempt with the same body is useless."""
        return self.status in (400, 403, 413, 422)

    @property
    def is_passing(self) -> bool:
        """It cannot answer at the moment: busy, or not well."""
        return self.status == 429 or self.status >= 500  # noqa: PLR2004


class ApiServer:
    """Requests on objects as dicts. Every method raises ApiError, and OSError or TimeoutError on a lost connection.

    `observe` is told the method and the HTTP status of each request, None where no answer came.
    """

    def __init__(
        self,
        api: client.ApiClient,
        token: str | None = None,
        *,
        observe: Callable[[str, int | None], None] | None = None,
    ) -> None:
        self._api = api
        self._token = token
        self._observe = observe

    def acting_as(self, token: str) -> "ApiServer":
        """Return the same connections in the name of whose bearer token this is. Only for `without_credentials`."""
        return ApiServer(self._api, token, observe=self._observe)

    async def close(self) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    async def ping(self) -> None:
        """Return when the API server answers that it lives."""
        await self._request("GET", _LIVENESS, timeout=_PING_SECONDS)

    async def get(self, resource: ResourceType, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the object, None when there is none."""
        try:
            return await self._request("GET", resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004
                return None
            raise

    async def list_labelled(self, resource: ResourceType, namespace: str, label_selector: str) -> list[dict[str, Any]]:
        """Return the objects of a namespace that bear the labels."""
        found = await self._request("GET", resource.path(namespace), query=[("labelSelector", label_selector)])
        items: list[dict[str, Any]] = found["items"]
        return items

    async def list_metadata(
        self, resource: ResourceType, namespace: str | None, label_selector: str | None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield only the metadata of the objects of a namespace, or of all, in pages."""
        token = ""
        while True:
            query = [("limit", str(_PAGE)), ("continue", token), ("labelSelector", label_selector or "")]
            query = [(key, value) for key, value in query if value]
            page = await self._request("GET", resource.path(namespace), query=query, accept=_METADATA_LIST)
            for item in page["items"] or ():  # null where there is none
                yield item["metadata"]
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def list_page(
        self, resource: ResourceType, namespace: str | None, continue_token: str = ""
    ) -> dict[str, Any]:
        """Return a page of whole objects as the API server's List: `metadata.continue` leads on."""
        query = [("limit", str(_PAGE)), ("continue", continue_token)]
        return await self._request("GET", resource.path(namespace), query=[pair for pair in query if pair[1]])

    @asynccontextmanager
    async def watch(
        self, resource: ResourceType, namespace: str | None, version: str
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Give the events after `version`, bookmarks included, until the API server ends the watch.

        It is established once this is entered. Raises TimeoutError when it has been silent for longer than bookmarks
        leave it.
        """
        query = [("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true")]
        query.append(("timeoutSeconds", str(_WATCH_SECONDS)))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_WATCH_SILENCE_SECONDS)
        async with await self._send("GET", resource.path(namespace), query=query, timeout=timeout) as response:
            yield _events(response)

    @asynccontextmanager
    async def log(self, namespace: str, pod: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give what the pod's only container has written until now, in pieces as they come."""
        async with await self._send("GET", f"{PODS.path(namespace, pod)}/log", accept="*/*") as response:
            yield _pieces(response)

    async def create(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create the object. Without a namespace in its metadata it is one of the cluster."""
        path = resource.path(manifest.get("metadata", {}).get("namespace"))
        return await self._request("POST", path, body=manifest, query=self._manager)

    async def apply(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply, taking over fields that somebody else set."""
        metadata = manifest["metadata"]
        query = [*self._manager, ("force", "true")]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PATCH", path, body=manifest, query=query, content_type=_APPLY)

    async def replace(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        """Replace the whole object as it was read, if nobody changed it since."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", path, body=manifest, query=self._manager)

    async def merge(
        self, resource: ResourceType, namespace: str, name: str, patch: dict[str, Any], subresource: str | None = None
    ) -> dict[str, Any]:
        """Merge `patch` into the object, or into its subresource."""
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", path, body=patch, query=self._manager, content_type=_MERGE_PATCH)

    async def patch(
        self, resource: ResourceType, namespace: str, name: str, operations: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Apply the operations of a JSON Patch (RFC 6902), all or none."""
        path = resource.path(namespace, name)
        return await self._request("PATCH", path, body=operations, query=self._manager, content_type=_JSON_PATCH)

    async def delete(
        self, resource: ResourceType, namespace: str, name: str, uid: str, version: str | None = None
    ) -> None:
        """Delete the object of that uid, if given at that version, and in the background what it owns."""
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        path = resource.path(namespace, name)
        await self._request("DELETE", path, body={**body, "preconditions": preconditions})

    @property
    def _manager(self) -> list[tuple[str, str]]:
        return [("fieldManager", self._api.user_agent)]

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = _TIMEOUT_SECONDS,  # noqa: ASYNC109 - the client's own
    ) -> dict[str, Any]:
        response = await self._send(
            method, path, body=body, query=query, content_type=content_type, accept=accept, timeout=timeout
        )
        with _connection():
            data = await response.read()
        parsed = _parse(data)
        if parsed is None and path != _LIVENESS:
            raise ConnectionError(f"{method} {path}: the answer is no JSON object; something else than the API server?")
        return parsed or {}

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float | aiohttp.ClientTimeout = _TIMEOUT_SECONDS,  # noqa: ASYNC109 - the client's own
    ) -> aiohttp.ClientResponse:
        """Return an answer of a status below 400, not yet read. Raises ApiError for the others."""
        headers = {"Accept": accept, "Content-Type": content_type}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = await self._api.param_serialize(
            method,
            path,
            query_params=query or [],
            header_params=headers,
            body=body,
            auth_settings=None if self._token else ["BearerToken"],
        )
        status: int | None = None
        try:
            with _connection():
                answer = await self._api.call_api(*request, _request_timeout=timeout)
            response: aiohttp.ClientResponse = answer.response
            status = response.status
        finally:
            if self._observe:
                self._observe(method, status)
        if response.status >= 400:  # noqa: PLR2004
            raise await _error(response, f"{method} {path}: {response.status}")
        return response


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    with _connection():
        async for line in response.content:
            event = _parse(line)
            if event is None:
                raise ConnectionError("an event of the watch was cut off")
            yield event


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _connection():
        async for piece in response.content.iter_any():
            yield piece


@contextmanager
def _connection() -> Iterator[None]:
    """Make OSErrors of the HTTP library's own errors, not all of which are."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


def _parse(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object, None when it is none."""
    try:
        parsed = json.loads(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


async def _error(response: aiohttp.ClientResponse, otherwise: str) -> ApiError:
    with _connection():
        data = await response.read()
    status = _parse(data) or {}
    retry_after = response.headers.get("Retry-After", "")
    return ApiError(
        response.status,
        status.get("message") or otherwise,
        status.get("details"),
        int(retry_after) if retry_after.isdigit() else None,
    )
