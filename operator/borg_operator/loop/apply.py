"""Carries actions out. Each may be repeated: after a crash the next reconciliation finds what is left to do."""

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from borg_contract.run import Operation
from borg_core import labels
from borg_core.actions import (
    Action,
    AdoptRun,
    CancelRun,
    CreateArchive,
    CreateClaim,
    CreateCronJob,
    CreateJob,
    CreateNetworkPolicy,
    CreateRun,
    CreateSnapshot,
    DeleteArchive,
    DeleteCronJob,
    DeleteJob,
    DeleteRun,
    DeleteSession,
    DeleteSnapshot,
    EndPod,
    MarkJob,
    MergeMetadata,
    PatchStatus,
    RecordEvent,
    RecordTick,
    ReleaseSnapshot,
    RepairCronJob,
    ReserveTurn,
    ScaleWorkload,
    StartJob,
    SuspendJob,
    describe,
)
from borg_core.kinds.run import RUNS
from borg_core.native.claim_user import SCALABLE
from borg_core.native.copy import SNAPSHOTS
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.drift import covers
from borg_core.native.job import JOBS, parse_job
from borg_core.native.pod import PODS
from borg_core.native.unwatched import EVENTS, NETWORK_POLICIES
from borg_core.registry import Kind, Reference, ResourceType, find_kind
from borg_operator.loop.asked.copies import let_go
from borg_operator.loop.asked.proof import Prover
from borg_operator.loop.cron_jobs import CronJobs
from borg_operator.loop.manifests import is_same, marked, meant, render_event, render_turn
from borg_operator.store import Store

logger = logging.getLogger(__name__)

_END_AT_ONCE_SECONDS = 1
_IS_GONE = "NotFound"
"""The API server's own word; what is in between may say 404 as well."""
_FOREGROUND, _BACKGROUND = "Foreground", "Background"


class TakenError(Exception):
    """Somebody else's object has the name of one of ours."""


class Applier:
    """Sends the writes, and puts the API server's answers into the store, so that the next plan sees them at once."""

    def __init__(
        self,
        store: Store,
        api: ApiServer,
        prover: Prover,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._api = api
        self._prover = prover
        self._clock = clock
        self._cron_jobs = CronJobs(store, api, clock)

    async def apply(self, action: Action) -> None:  # noqa: C901, PLR0912 - an arm for each action
        """Log the action and carry it out. Raises TakenError, OverruledError, Refused, or another ApiError."""
        _log(action)
        match action:
            case CreateCronJob(manifest) | CreateJob(manifest):
                await self._create(find_kind(manifest["kind"]), manifest)
            case RepairCronJob(manifest, forget_missed_before):
                await self._cron_jobs.repair(manifest, forget_missed_before)
            case DeleteCronJob(target, uid):
                await self._delete(CRON_JOBS, target, uid, _BACKGROUND)
            case CreateNetworkPolicy(manifest):
                with contextlib.suppress(AlreadyExists):
                    await self._api.create(NETWORK_POLICIES, manifest)
            case ReserveTurn():
                await self._cron_jobs.reserve_turn(action)
            case RecordTick():
                await self._cron_jobs.record_tick(action)
            case StartJob(job, uid, subject):
                await self._start_job(job, uid, subject)
            case SuspendJob(job, uid):
                await self._merge(JOBS, job, meant(uid, render_turn(labels.TURN_TAKEN_BACK)))
            case MarkJob(job, uid, annotations):
                await self._merge(JOBS, job, meant(uid, {"metadata": {"annotations": annotations}}))
            case DeleteJob(job, uid):
                await self._delete(JOBS, job, uid, _FOREGROUND)
            case EndPod(pod, uid):
                await self._merge(PODS, pod, meant(uid, {"spec": {"activeDeadlineSeconds": _END_AT_ONCE_SECONDS}}))
            case CreateRun(manifest, only_if_dead):
                if only_if_dead is None or await self._prover.is_dead(only_if_dead):
                    await self._create(RUNS, manifest)
            case AdoptRun(run, uid, metadata):
                await self._merge(RUNS, run, meant(uid, {"metadata": metadata}))
            case DeleteRun(target, uid) | DeleteArchive(target, uid) | DeleteSession(target, uid):
                await self._delete(find_kind(target.kind), target, uid, _BACKGROUND)
                self._store.discard(find_kind(target.kind), target.namespace, target.name, uid)
            case CancelRun(run, uid):
                await self._merge(RUNS, run, meant(uid, {"spec": {"cancel": True}}))
            case CreateClaim(manifest) | CreateArchive(manifest):
                await self._create_once(find_kind(manifest["kind"]), manifest)
            case CreateSnapshot(manifest):
                await self._create_snapshot(manifest)
            case DeleteSnapshot() | ReleaseSnapshot():
                await let_go(self._api, action)
            case ScaleWorkload(target, uid, replicas):
                await self._scale(target, uid, replicas)
            case MergeMetadata(target, uid, metadata):
                await self._merge_known(target, uid, {"metadata": metadata})
            case PatchStatus(target, uid, status):
                await self._merge_known(target, uid, {"status": status}, "status")
            case RecordEvent():
                await self._record_event(action)

    async def _create(self, kind: Kind[Any], manifest: dict[str, Any]) -> None:
        try:
            body = await self._api.create(kind, manifest)
        except AlreadyExists as error:
            body = await self._find_existing(kind, manifest, error)
            if not covers(body["metadata"].get("labels", {}), manifest["metadata"]["labels"]):
                # It is ours, but somebody removed the label by which it is watched: put that back.
                body = await self._restore_labels(kind, body, manifest["metadata"]["labels"])
        self._store.put_answer(kind, body)

    async def _create_once(self, kind: Kind[Any], manifest: dict[str, Any]) -> None:
        with contextlib.suppress(AlreadyExists):  # its event is on the way, and then it is looked at whose it is
            self._store.put_answer(kind, await self._api.create(kind, manifest))

    async def _restore_labels(self, kind: Kind[Any], body: dict[str, Any], marks: dict[str, str]) -> dict[str, Any]:
        metadata = body["metadata"]
        if kind is CRON_JOBS:  # its role may update CronJobs, as a repair does, and not patch them
            return await self._api.replace(kind, {**body, "metadata": {**metadata, "labels": marked(metadata, marks)}})
        return await self._api.merge(kind, metadata["namespace"], metadata["name"], {"metadata": {"labels": marks}})

    async def _find_existing(
        self, kind: ResourceType, manifest: dict[str, Any], error: AlreadyExists
    ) -> dict[str, Any]:
        """Return the object that an earlier attempt made. Raises TakenError for one of somebody else."""
        metadata = manifest["metadata"]
        body = await self._api.get(kind, metadata["namespace"], metadata["name"])
        if body is None:
            raise error  # gone since
        if is_same(body["metadata"], metadata):
            return body
        raise TakenError(f'another {kind.kind} has the name "{metadata["name"]}"') from error

    async def _start_job(self, job: Reference, uid: str, subject: Reference) -> None:
        selector = f"{labels.SUBJECTS[subject.kind]}={subject.name}"
        is_there = False
        for body in await self._api.list_labelled(JOBS, job.namespace, selector):
            other = parse_job(body)
            is_there = is_there or (other.uid == uid and not other.paused)
            # What breaks locks is in nobody's way, also where it cannot start itself.
            if other.working and other.uid != uid and other.operation is not Operation.BREAK_LOCK:
                logger.info("%s %s/%s waits: Job %s has begun", job.kind, job.namespace, job.name, other.name)
                self._store.put_answer(JOBS, body)
                return
        if is_there:
            await self._merge(JOBS, job, meant(uid, render_turn(labels.TURN_GIVEN)))

    async def _delete(self, kind: ResourceType, target: Reference, uid: str, propagation: str) -> None:
        try:
            await self._api.delete(kind, target.namespace, target.name, uid, propagation=propagation)
        except (NotFound, Conflict):
            return  # gone already, or another one has its name

    async def _create_snapshot(self, manifest: dict[str, Any]) -> None:
        """Take a snapshot. Raises TakenError where one of that name is not of this Job and not on its way out."""
        try:
            await self._api.create(SNAPSHOTS, manifest)
        except AlreadyExists as error:
            await self._find_existing(SNAPSHOTS, manifest, error)

    async def _scale(self, target: Reference, uid: str, replicas: int) -> None:
        patch = meant(uid, {"spec": {"replicas": replicas}})
        try:
            await self._api.merge(SCALABLE[target.kind], target.namespace, target.name, patch, "scale")
        except (NotFound, Conflict) as error:  # gone, or made anew
            logger.info("%s %s/%s is not scaled: %s", target.kind, target.namespace, target.name, error)

    async def _merge_known(
        self, target: Reference, uid: str | None, patch: dict[str, Any], subresource: str | None = None
    ) -> None:
        """Merge into the object, or its status, as it is known. Raises Conflict when it is another one by now.

        By its version, for the API server passes over a uid in a patch of a custom resource's status. To replace it
        would cost the API server less, and take away what a later version wrote.
        """
        kind = find_kind(target.kind)
        known = self._store.index(kind).identity(target.namespace, target.name)
        if known is None or uid not in (None, known[0]):
            return  # deleted meanwhile, and perhaps made anew: that one gets a plan of its own
        metadata = {**patch.get("metadata", {}), "resourceVersion": str(known[1])}
        try:
            await self._merge(kind, target, {**patch, "metadata": metadata}, subresource)
        except Conflict:
            # What changed it may be long in coming, if the watch is not well: the next attempt is to know it.
            for body in await self._api.list_labelled(kind, target.namespace, "", f"metadata.name={target.name}"):
                self._store.put_answer(kind, body)
            raise

    async def _merge(
        self, kind: Kind[Any], target: Reference, patch: dict[str, Any], subresource: str | None = None
    ) -> None:
        known = self._store.index(kind).identity(target.namespace, target.name)
        try:
            body = await self._api.merge(kind, target.namespace, target.name, patch, subresource)
        except NotFound as error:
            if known:
                self._forget(kind, target, known[0], error)
            return
        except Invalid as error:
            if error.is_of_another:
                return  # deleted meanwhile, and made anew
            raise
        self._store.put_answer(kind, body)

    def _forget(self, kind: Kind[Any], target: Reference, uid: str, error: NotFound) -> None:
        """Take what is gone out of the store: until its event comes, each plan would tell of it again."""
        if error.reason == _IS_GONE:
            self._store.discard(kind, target.namespace, target.name, uid)

    async def _record_event(self, event: RecordEvent) -> None:
        regarding = event.regarding
        try:
            await self._api.create(EVENTS, render_event(event, self._clock()))
        except ApiError as error:
            # An Event is news for people; a full namespace or one that is going must not stop the work.
            logger.warning("no Event on %s %s/%s: %s", regarding.kind, regarding.namespace, regarding.name, error)


def _log(action: Action) -> None:
    if not isinstance(action, PatchStatus):  # that can be read where it was written
        logger.info("%s", describe(action))
