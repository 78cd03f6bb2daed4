"""Writes with the caller's own token, answered when every replica knows of them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from fastapi import Depends, Request

from borg_api.edge.errors import ChangedError, InUseError, NoSuchObjectError
from borg_api.edge.guard import TheCaller, TheView
from borg_api.edge.parts import part_of
from borg_api.picture.picture import Objects
from borg_api.picture.records import RunRecord, ScheduleRecord, edition_of, is_of_same
from borg_api.picture.replicas import Replicas
from borg_api.picture.restoring import RestoreRecord
from borg_cluster.client import ApiServer
from borg_cluster.errors import Conflict, Invalid, OutcomeUnknown, Unanswered
from borg_core.kinds.parts.base import API_VERSION, Metadata, OwnerReference
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.session import BorgSession
from borg_core.registry import Reference

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _HasMetadata(Protocol):
    @property
    def metadata(self) -> Metadata: ...


R = TypeVar("R", bound=_HasMetadata)

Editions = frozenset[str] | None
"""Of which an object must have one, None for any: what If-Match names."""

_ATTEMPTS = 100
"""How often a write is tried when others write first. Each time, one of theirs was done."""
_ATTEMPTS_AT_EDITION = 20
_DELETION_SECONDS = 5.0
_SEEN_SECONDS = 2.0


class WriteTurns:
    """Lets the writes of one object go one after the other: of many at once, all but one would meet a conflict."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Reference, asyncio.Lock] = WeakValueDictionary()

    def of(self, written: Reference) -> asyncio.Lock:
        """Return what is to be held while `written` is written; it lasts as long as somebody has it."""
        return self._locks.setdefault(written, asyncio.Lock())


class Writer(Generic[T]):
    """Writes the objects of one kind in one namespace, and returns them as they are kept. Raises ApiError.

    `caller` acts with the caller's token, `own` as the facade itself, which may only read.
    """

    def __init__(
        self, objects: Objects[T], caller: ApiServer, own: ApiServer, replicas: Replicas, turns: WriteTurns
    ) -> None:
        self._objects = objects
        self._index, self._kind, self._namespace = objects.index, objects.kind, objects.namespace
        self._caller = caller
        self._own = own
        self._replicas = replicas
        self._turns = turns

    @property
    def noun(self) -> str:
        """What one of them is called: `schedule`."""
        return self._kind.kind.removeprefix("Borg").lower()

    def gone(self) -> NoSuchObjectError:
        return NoSuchObjectError(f"The {self.noun} does not exist any more.")

    async def create(
        self, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None, owner: OwnerReference | None = None
    ) -> T:
        """Create it; with `owner` it goes when that goes. Raises AlreadyExists."""
        metadata: dict[str, Any] = {"namespace": self._namespace, "name": name}
        if labels:
            metadata["labels"] = labels
        if owner:
            metadata["ownerReferences"] = [owner.model_dump(by_alias=True, exclude_defaults=True)]
        manifest = {"apiVersion": API_VERSION, "kind": self._kind.kind, "metadata": metadata, "spec": spec}
        with _telling_unknown():
            body = await self._caller.create(self._kind, manifest)
        return await self._publish(body)

    async def read(self, name: str) -> T | None:
        """Return it as it is at this moment, None when it is gone."""
        body = await self._own.get(self._kind, self._namespace, name)
        return self._take(body) if body else None

    async def merge(self, name: str, uid: str, patch: dict[str, Any], version: str | None = None) -> T:
        """Merge the patch; with `version` only if it is at that one, else Conflict is raised.

        Raises NoSuchObjectError where the object of that uid is gone, though another one may have its name.
        """
        meant = {"uid": uid, **({"resourceVersion": version} if version else {})}
        body = {**patch, "metadata": {**patch.get("metadata", {}), **meant}}

        async def write() -> dict[str, Any]:
            return await self._caller.merge(self._kind, self._namespace, name, body)

        try:
            with _telling_unknown():
                written = await (write() if version else self._insist(name, write))
        except Invalid as error:
            if error.is_of_another:
                raise self.gone() from None
            raise
        return await self._publish(written)

    async def patch(self, name: str, operations: list[dict[str, Any]]) -> T | None:
        """Apply the JSON Patch. None: its test failed."""
        try:
            with _telling_unknown():
                body = await self._insist(
                    name, lambda: self._caller.patch(self._kind, self._namespace, name, operations)
                )
        except Invalid as error:
            if error.details:  # of an object that breaks the rules of its kind
                raise
            return None
        return await self._publish(body)

    async def delete(self, name: str, uid: str, version: str | None = None) -> None:
        """Delete it and return when every replica has seen it go; with `version` only if it is at that one."""
        with self._index.deletion(uid) as deletion:
            with _telling_unknown():
                await self._caller.delete(self._kind, self._namespace, name, uid, version)
            try:
                deleted_at = await asyncio.wait_for(deletion, _DELETION_SECONDS)
            except TimeoutError:  # something holds it back with a finalizer: it is being deleted
                logger.info("%s %s/%s is deleted, but still there", self._kind.kind, self._namespace, name)
                return
        await self.wait_for_replicas(deleted_at)

    async def wait_for_replicas(self, version: int) -> None:
        """Return when every other replica has come to the version."""
        await self._replicas.wait_until_seen(self._kind.kind, self._namespace, version)

    async def wait_for_watch(self, version: int) -> None:
        """Return when this replica's own watch has come to the version, or does not for long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._index.seen(version), _SEEN_SECONDS)

    async def _insist(self, name: str, write: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Write again for as long as others come before: what is written does not depend on what they wrote."""
        async with self._turns.of(Reference(self._kind.kind, self._namespace, name)):
            for _ in range(_ATTEMPTS - 1):
                with contextlib.suppress(Conflict):
                    return await write()
            return await write()

    async def _publish(self, body: dict[str, Any]) -> T:
        written = self._take(body)
        await self.wait_for_replicas(int(body["metadata"]["resourceVersion"]))
        return written

    def _take(self, body: dict[str, Any]) -> T:
        """Keep the object. Return it as it is kept: the watch may have brought it already, and what came after it."""
        self._index.put_answer(body)
        # None where the watch has seen it go meanwhile.
        return self._objects.get(body["metadata"]["name"]) or self._kind.parse(body)


@contextlib.contextmanager
def _telling_unknown() -> Iterator[None]:
    """Raise OutcomeUnknown where a write was sent, and nobody knows what became of it."""
    try:
        yield
    except Unanswered as error:
        raise OutcomeUnknown(error.message) from error


async def write_at_edition(
    writer: Writer[R],
    found: R,
    editions: Editions,
    write: Callable[[R, str | None], Awaitable[T]],
) -> T:
    """Write at the version of `found` if it has one of the editions; a status that changes meanwhile does not matter.

    `write` is given the object that has the edition, which this replica may not have known, and its version.
    Raises ChangedError when it has none of them, NoSuchObjectError when it is gone.
    """
    if editions is None:
        return await write(found, None)
    for attempt in range(_ATTEMPTS_AT_EDITION):
        metadata = found.metadata
        if edition_of(metadata) in editions:
            try:
                return await write(found, metadata.resource_version)
            except Conflict:
                pass
        elif attempt:  # at first it is what this replica knows, which may be less than what the caller has read
            raise ChangedError(f"The {writer.noun} was changed since you read it: read it again, then decide.")
        now = await writer.read(metadata.name)
        if now is None:
            raise writer.gone()
        found = now
    raise InUseError(f"The {writer.noun} is being changed by others all the time; try again.")


def check_is_same(uid: str, editions: Editions, noun: str) -> None:
    """Raise ChangedError where the editions are of another one that had the name; one that was changed is the same.

    `uid`: of the one that there is.
    """
    if editions is not None and not any(editions):
        raise ChangedError(f"If-Match does not tell which {noun} was read: send its ETag as it came, and no weak one.")
    if editions is not None and not any(is_of_same(edition, uid) for edition in editions):
        what = f"The {noun} was deleted since you read it, and another one made under its name"
        raise ChangedError(f"{what}: look at that, then decide.")


async def _get_schedule_writer(request: Request, caller: TheCaller, view: TheView) -> Writer[ScheduleRecord]:
    return _make_writer(request, view.schedules, caller.api)


async def _get_run_writer(request: Request, caller: TheCaller, view: TheView) -> Writer[RunRecord]:
    return _make_writer(request, view.runs, caller.api)


async def _get_repository_writer(request: Request, caller: TheCaller, view: TheView) -> Writer[BorgRepository]:
    return _make_writer(request, view.repositories, caller.api)


async def _get_restore_writer(request: Request, caller: TheCaller, view: TheView) -> Writer[RestoreRecord]:
    return _make_writer(request, view.restores, caller.api)


async def _get_session_writer(request: Request, caller: TheCaller, view: TheView) -> Writer[BorgSession]:
    return _make_writer(request, view.sessions, caller.api)


def _make_writer(request: Request, objects: Objects[T], caller: ApiServer) -> Writer[T]:
    own, replicas, turns = part_of(request, ApiServer), part_of(request, Replicas), part_of(request, WriteTurns)
    return Writer(objects, caller, own, replicas, turns)


ScheduleWriter = Annotated[Writer[ScheduleRecord], Depends(_get_schedule_writer)]
RunWriter = Annotated[Writer[RunRecord], Depends(_get_run_writer)]
RepositoryWriter = Annotated[Writer[BorgRepository], Depends(_get_repository_writer)]
RestoreWriter = Annotated[Writer[RestoreRecord], Depends(_get_restore_writer)]
SessionWriter = Annotated[Writer[BorgSession], Depends(_get_session_writer)]
