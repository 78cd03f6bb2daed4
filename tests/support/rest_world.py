"""The whole facade in this process, on a cluster that is a dict: REST without a cluster, and what can go wrong."""

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from borg_api.app import create_app
from borg_api.commands.writer import WriteTurns
from borg_api.configuration import Configuration
from borg_api.edge.guard import Access
from borg_api.edge.parts import install_parts
from borg_api.keys import Keys
from borg_api.looking.client import AwayError, SessionClient
from borg_api.metrics import Metrics
from borg_api.page.frame.seal import Seal
from borg_api.picture.picture import Picture
from borg_api.picture.replicas import Replicas
from borg_api.picture.timetable import Timetable
from borg_api.resources.schedules.listing import Listing
from borg_cluster.client import ApiServer
from borg_cluster.errors import AlreadyExists, Conflict, Invalid, NotFound, Unauthorized
from borg_core.registry import ResourceType
from support.builders import NAMESPACE

Body = dict[str, Any]
KEY = Ed25519PrivateKey.generate()

# ruff: noqa: ARG002 - a stand-in takes the arguments of what it stands for


class Cluster(ApiServer):
    """An API server that keeps its objects in a dict, and tells the picture of them at once.

    `requests`: (verb, kind, name) of each. `troubles`: raised by the next requests of a verb, in order. `meanwhile`:
    done just before the next request of a verb. `silent`: the picture learns nothing but by the answers to writes.
    `denied`: kinds, in the plural, that RBAC allows nobody. `strangers`: tokens that it does not accept.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Body] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.troubles: dict[str, list[Exception]] = {}
        self.meanwhile: dict[str, Any] = {}
        self.logs: dict[str, bytes] = {}
        self.pods: list[Body] = []
        self.silent = False
        self.denied: set[str] = set()
        self.strangers: set[str] = set()
        self.picture = Picture(self, ())
        self._version = 0

    def acting_as(self, token: str) -> ApiServer:  # everybody else may do all
        return Refusing() if token in self.strangers else self

    async def close(self) -> None:
        pass

    def add(self, kind: str, name: str, spec: Body, **more: Any) -> Body:
        """Put an object there, as somebody else would."""
        known = self.objects.get((kind, name))
        self._version += 1
        metadata = {
            "namespace": NAMESPACE,
            "name": name,
            "uid": known["metadata"]["uid"] if known else f"uid-{name}-{self._version}",
            "generation": known["metadata"]["generation"] + (known["spec"] != spec) if known else 1,
            "resourceVersion": str(self._version),
            "creationTimestamp": f"2026-03-01T00:00:{self._version % 60:02}Z",
        }
        kept = ("creationTimestamp", "labels", "ownerReferences")
        metadata |= {key: known["metadata"][key] for key in kept if key in known["metadata"]} if known else {}
        metadata |= more.pop("metadata", {})
        metadata = {key: value for key, value in metadata.items() if value is not None}
        body = {"kind": kind, "metadata": metadata, "spec": spec, **more}
        self.objects[kind, name] = body
        if not self.silent and self.picture.find_index(kind, NAMESPACE) is not None:  # Secrets, it does not watch
            self._index(kind).put(copy.deepcopy(body))
            self._index(kind).advance(self._version)
        return copy.deepcopy(body)

    def change(self, kind: str, name: str, **spec: Any) -> Body:
        """Change what it is to be, as somebody else would."""
        known = self.objects[kind, name]
        status = {"status": known["status"]} if "status" in known else {}
        return self.add(kind, name, {**known["spec"], **spec}, **status)

    def report(self, kind: str, name: str, **status: Any) -> Body:
        """Write its status, as the operator would."""
        known = self.objects[kind, name]
        return self.add(kind, name, known["spec"], status=status)

    async def create(self, resource: ResourceType, manifest: Body) -> Body:
        if resource.kind == "SelfSubjectAccessReview":
            plural = manifest["spec"]["resourceAttributes"]["resource"]
            return {"status": {"allowed": plural not in self.denied}}
        name = manifest["metadata"]["name"]
        self._begin("create", resource, name)
        if (resource.kind, name) in self.objects:
            raise AlreadyExists(f"{name} exists")
        kept = {key: manifest["metadata"][key] for key in ("labels", "ownerReferences") if key in manifest["metadata"]}
        return self.add(resource.kind, name, copy.deepcopy(manifest["spec"]), metadata=kept)

    async def replace(self, resource: ResourceType, manifest: Body) -> Body:
        name, version = manifest["metadata"]["name"], manifest["metadata"]["resourceVersion"]
        self._begin("replace", resource, name)
        self._version += 1
        kept = self._find(resource, name, version)["metadata"] | {"resourceVersion": str(self._version)}
        self.objects[resource.kind, name] = {**copy.deepcopy(manifest), "metadata": kept}
        return copy.deepcopy(self.objects[resource.kind, name])

    async def get(
        self, resource: ResourceType, namespace: str, name: str, subresource: str | None = None
    ) -> Body | None:
        self._begin("get", resource, name)
        return copy.deepcopy(self.objects.get((resource.kind, name)))

    async def merge(
        self, resource: ResourceType, namespace: str, name: str, patch: Body, subresource: str | None = None
    ) -> Body:
        self._begin("merge", resource, name)
        known = self._find(resource, name, patch.get("metadata", {}).get("resourceVersion"))
        if patch.get("metadata", {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            raise Invalid("field is immutable", details={"causes": [{"field": "metadata.uid"}]})
        spec = _merged(known["spec"], patch["spec"])
        status = {"status": known["status"]} if "status" in known else {}
        return self.add(resource.kind, name, spec, metadata=_unversioned(patch), **status)

    async def patch(self, resource: ResourceType, namespace: str, name: str, operations: list[Body]) -> Body:
        self._begin("patch", resource, name)
        known = self._find(resource, name)
        spec = copy.deepcopy(known["spec"])
        for operation in operations:
            field = operation["path"].removeprefix("/spec/")
            match operation["op"]:
                case "test" if operation["path"].startswith("/metadata/"):
                    if known["metadata"][operation["path"].removeprefix("/metadata/")] != operation["value"]:
                        raise Invalid("the server rejected our request due to an error in our request")
                case "test" if spec.get(field, False) != operation["value"]:
                    raise Invalid("the server rejected our request due to an error in our request")
                case "add" | "replace":
                    spec[field] = operation["value"]
                case "remove":
                    del spec[field]
        return self.add(resource.kind, name, spec)

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
        self._begin("delete", resource, name)
        known = self._find(resource, name, version)
        if known["metadata"]["uid"] != uid:
            raise Conflict("another uid")
        del self.objects[resource.kind, name]
        self._version += 1
        metadata = {**known["metadata"], "resourceVersion": str(self._version)}
        self._index(resource.kind).remove({**known, "metadata": metadata})

    async def list_labelled(
        self,
        resource: ResourceType,
        namespace: str,
        label_selector: str,
        field_selector: str = "",
    ) -> list[Body]:
        self._begin("list", resource, label_selector)
        return self.pods

    async def list_page(
        self, resource: ResourceType, namespace: str | None, continue_token: str = "", **more: Any
    ) -> Body:
        self._begin("list", resource, continue_token)
        found = sorted(name for kind, name in self.objects if kind == resource.kind)
        first = int(continue_token or 0)
        end = first + more["limit"]
        following = {"continue": str(end)} if end < len(found) else {}
        return {
            "metadata": following,
            "items": [copy.deepcopy(self.objects[resource.kind, name]) for name in found[first:end]],
        }

    @asynccontextmanager
    async def log(
        self, namespace: str, pod: str, container: str, tail: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.requests.append(("log", pod, container))

        async def pieces() -> AsyncIterator[bytes]:
            yield self.logs[container]

        yield pieces()

    def _begin(self, verb: str, resource: ResourceType, name: str) -> None:
        self.requests.append((verb, resource.kind, name))
        if act := self.meanwhile.pop(verb, None):
            act()
        if troubles := self.troubles.get(verb):
            raise troubles.pop(0)

    def _find(self, resource: ResourceType, name: str, version: str | None = None) -> Body:
        known = self.objects.get((resource.kind, name))
        if known is None:
            raise NotFound(f"{name} not found")
        if version and version != known["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        return known

    def _index(self, kind: str) -> Any:
        index = self.picture.find_index(kind, NAMESPACE)
        assert index is not None
        return index


class Refusing(ApiServer):
    """An API server that knows the token of nobody."""

    def __init__(self) -> None:
        pass

    async def create(self, resource: ResourceType, manifest: Body) -> Body:
        raise Unauthorized("Unauthorized")


class World:
    """A facade that has read all there is, and somebody who may do everything.

    `page`: whether it has one; `looks`: whether it can look into archives.
    """

    def __init__(self, *, page: bool = False, looks: bool = True) -> None:
        self.cluster = Cluster()
        configuration = Configuration(NAMESPACE, key_secret=(NAMESPACE, "key"), sessions=looks, page=page)
        self.app: FastAPI = create_app(configuration)
        picture, timetable = self.cluster.picture, Timetable()
        for informer in picture._informers:
            informer.filled.set()
            informer.connected = True
        self.keys = Keys(self.cluster, configuration.key_secret)
        self.keys.private = KEY if page else None
        self.pods: dict[str, str] = {}
        """Where the pods of sessions are really asked, by the address that their sessions tell."""
        self.sessions = SessionClient(self.keys, self._locate)
        known = (Access(self.cluster, picture), Listing(timetable), Replicas(configuration))
        parts = (*known, WriteTurns(), Seal(self.keys), self.keys, self.sessions)
        install_parts(self.app, configuration, Metrics(), picture, timetable, *parts)
        self.app.state.parts[ApiServer] = self.cluster

    def _locate(self, address: str) -> str:
        if address not in self.pods:
            raise AwayError(f"nobody is at {address}")
        return self.pods[address]

    async def __call__(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://facade") as client:
            sent = {"Authorization": "Bearer token", **(headers or {})}
            return await client.request(method, path, json=body, headers=sent)


def _unversioned(patch: Body) -> Body:
    return {key: value for key, value in patch.get("metadata", {}).items() if key != "resourceVersion"}


def _merged(spec: Body, patch: Body) -> Body:
    """Return the object as a merge patch (RFC 7386) makes it."""
    merged = {key: value for key, value in spec.items() if patch.get(key, value) is not None}
    for key, value in patch.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        elif value is not None:
            merged[key] = value
    return merged
