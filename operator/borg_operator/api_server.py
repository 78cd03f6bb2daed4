"""The few requests the operator makes, on the official client's connection and credentials, with plain JSON objects.

The generated models would parse and rebuild every CronJob twice; the operator has models of its own at its edge.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from kubernetes.aio import client, config

from borg_core import labels
from borg_operator.resources import ResourceType

_MERGE_PATCH = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT_SECONDS = 30.0
_PAGE = 500


class ApiError(Exception):
    """The API server refused or failed; `message` is its own. `status` 0: it could not be reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def is_refusal(self) -> bool:
        """It understood and will not, now or later: another attempt with the same body is useless."""
        return self.status in (400, 403, 413, 422)


async def connect(connections: int) -> client.ApiClient:
    """Return a client for the cluster this runs in, or else for the current context of KUBECONFIG."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = connections
    api = client.ApiClient(configuration)
    api.user_agent = labels.MANAGER
    return api


class ApiServer:
    """Requests on objects as dicts. Every method raises ApiError, and OSError or TimeoutError on a lost connection."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def close(self) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

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
            for item in page["items"]:
                yield item["metadata"]
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def create(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        path = resource.path(manifest["metadata"]["namespace"])
        return await self._request("POST", path, body=manifest, query=[("fieldManager", labels.MANAGER)])

    async def apply(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply, taking over fields that somebody else set."""
        metadata = manifest["metadata"]
        query = [("fieldManager", labels.MANAGER), ("force", "true")]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PATCH", path, body=manifest, query=query, content_type=_APPLY)

    async def replace(self, resource: ResourceType, manifest: dict[str, Any]) -> dict[str, Any]:
        """Replace the whole object as it was read, if nobody changed it since."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", path, body=manifest, query=[("fieldManager", labels.MANAGER)])

    async def merge(
        self, resource: ResourceType, namespace: str, name: str, patch: dict[str, Any], subresource: str | None = None
    ) -> dict[str, Any]:
        """Merge `patch` into the object, or into its subresource."""
        path = resource.path(namespace, name, subresource)
        query = [("fieldManager", labels.MANAGER)]
        return await self._request("PATCH", path, body=patch, query=query, content_type=_MERGE_PATCH)

    async def delete(self, resource: ResourceType, namespace: str, name: str, uid: str) -> None:
        """Delete the object of that uid and what it owns; no error when it is gone or another one has its name."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            await self._request("DELETE", resource.path(namespace, name), body={**body, "preconditions": {"uid": uid}})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        headers = {"Accept": accept, "Content-Type": content_type}
        request = await self._api.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = await self._api.call_api(*request, _request_timeout=_TIMEOUT_SECONDS)
        data = await response.read()  # type: ignore[no-untyped-call]
        parsed: dict[str, Any] = json.loads(data) if data else {}
        if response.status >= 400:  # noqa: PLR2004
            raise ApiError(response.status, parsed.get("message") or f"{method} {path}: {response.status}")
        return parsed
