"""Writes with the caller's own token, answered when every replica knows of them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from borg_api import problem
from borg_api.access import Caller, Permission
from borg_api.facade import Facade
from borg_api.problem import Problem
from borg_cluster.api_server import ApiError
from borg_core.kinds.base import API_VERSION
from borg_core.registry import ResourceType

logger = logging.getLogger(__name__)

T = TypeVar("T")

CONFLICT = 409
_CONFLICTS = 100
"""So often a write that lost against others is tried again: each time somebody else's was done."""
_GOODBYE_SECONDS = 5.0
_SEEN_SECONDS = 2.0


class Taken(Exception):  # noqa: N818 - an answer, not a fault
    """A resource of that name exists already."""


class Writer:
    """Writes resources of one kind in the caller's namespace. Raises Problem."""

    def __init__(self, facade: Facade, caller: Caller, resource: ResourceType) -> None:
        self._facade = facade
        self._caller = caller
        self._resource = resource
        self._catalogue = facade.mirror.shelf(caller.namespace).of(resource)

    async def create(self, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
        """Create it and return it. Raises Taken when the name is."""
        metadata = {"namespace": self._caller.namespace, "name": name, **({"labels": labels} if labels else {})}
        manifest = {"apiVersion": API_VERSION, "kind": self._resource.kind, "metadata": metadata, "spec": spec}
        try:
            body = await self._caller.api.create(self._resource, manifest)
        except ApiError as error:
            if error.status == CONFLICT:
                raise Taken from error
            raise self._problem(error, "create") from error
        return await self._settle(body)

    async def read(self, name: str) -> dict[str, Any] | None:
        """Return it as it is at this moment, None when it is gone; read by the facade itself."""
        try:
            body = await self._facade.own.get(self._resource, self._caller.namespace, name)
        except ApiError as error:
            raise self._problem(error, "get") from error
        if body:
            self._catalogue.put_own(body)
        return body

    async def publish(self, version: int) -> None:
        """Return when every other replica has come to the version."""
        await self._facade.peers.have_seen(self._resource.kind, self._caller.namespace, version)

    async def seen(self, version: int) -> None:
        """Return when this replica's own watch has come to the version, or does not for long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._catalogue.seen(version), _SEEN_SECONDS)

    async def merge(self, name: str, patch: dict[str, Any], version: str | None = None) -> dict[str, Any]:
        """Merge the patch and return the whole; with `version` only if it is at that one, else Problem 409."""
        if version:
            patch = {**patch, "metadata": {"resourceVersion": version}}
        write = lambda: self._caller.api.merge(self._resource, self._caller.namespace, name, patch)  # noqa: E731
        return await self._settle(await self._insist(write, "patch", again=version is None))

    async def patch(self, name: str, operations: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Apply the JSON Patch and return the whole, None when its test failed."""
        write = lambda: self._caller.api.patch(self._resource, self._caller.namespace, name, operations)  # noqa: E731
        try:
            return await self._settle(await self._insist(write, "patch", again=True))
        except _TestFailedError:
            return None

    async def delete(self, name: str, uid: str, version: str | None = None) -> None:
        """Delete it and return when every replica has seen it go; with `version` only if it is at that one."""
        with self._catalogue.goodbye(uid) as goodbye:
            try:
                await self._caller.api.delete(self._resource, self._caller.namespace, name, uid, version)
            except ApiError as error:
                raise self._problem(error, "delete") from error
            try:
                gone_at = await asyncio.wait_for(goodbye, _GOODBYE_SECONDS)
            except TimeoutError:  # something holds it back with a finalizer: it is being deleted
                logger.info("%s %s/%s is deleted, but still there", self._resource.kind, self._caller.namespace, name)
                return
        await self.publish(gone_at)

    async def _insist(self, write: Callable[[], Awaitable[T]], verb: str, *, again: bool) -> T:
        """Try as long as others win, if `again`: what is written does not depend on what they wrote."""
        for attempt in range(_CONFLICTS):
            try:
                return await write()
            except ApiError as error:
                if error.status == CONFLICT and again and attempt + 1 < _CONFLICTS:
                    continue
                if _is_failed_test(error):
                    raise _TestFailedError from error
                raise self._problem(error, verb) from error
        raise AssertionError  # the last attempt returns or raises

    async def _settle(self, body: dict[str, Any]) -> dict[str, Any]:
        self._catalogue.put_own(body)
        await self.publish(int(body["metadata"]["resourceVersion"]))
        return body

    def _problem(self, error: ApiError, verb: str) -> Problem:
        what = Permission(verb, self._resource).what(self._caller.namespace)
        return problem.of_api_error(error, verb, what)


class _TestFailedError(Exception):
    """The value that a JSON Patch tests is another one."""


def _is_failed_test(error: ApiError) -> bool:
    """Tell whether a JSON Patch could not be applied: an object that is invalid has details, this has none."""
    return error.status == 422 and not error.details  # noqa: PLR2004
