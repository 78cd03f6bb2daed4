"""Carrying out actions. Every step may be repeated: after a crash the next reconciliation finds what is left to do."""

import copy
import logging
from datetime import UTC, datetime
from typing import Any

from borg_cluster.api_server import ApiError, ApiServer
from borg_core import labels
from borg_core.kinds.base import API_VERSION
from borg_core.kinds.run import RUNS
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.event import EVENTS
from borg_core.native.job import JOBS
from borg_core.reconcile.actions import (
    Action,
    AdoptRun,
    ApplyCronJob,
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteRun,
    PatchStatus,
    RecordEvent,
    describe,
)
from borg_core.reconcile.drift import covers
from borg_core.registry import ResourceType, find_kind
from borg_core.timestamps import format_time
from borg_operator.store import Store

logger = logging.getLogger(__name__)

_EVENT_NOTE_LIMIT = 1024
_CONFLICT = 409
_NOT_FOUND = 404


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The API server will not have an object of ours: `subject` is `kind/name`."""

    def __init__(self, subject: str, message: str) -> None:
        super().__init__(f"{subject}: {message}")
        self.subject = subject
        self.message = message


class Applier:
    """Writes, and puts what the API server answers into the store, so that the next plan sees it at once."""

    def __init__(self, store: Store, api: ApiServer) -> None:
        self._store = store
        self._api = api
        self._settled: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}

    async def apply(self, action: Action) -> None:
        """Do it, and say so in the log. Raises Refused where another attempt is useless, else what ApiServer raises."""
        logger.info("%s", describe(action))
        match action:
            case ApplyCronJob(manifest, forget_missed_before):
                await self._apply_cron_job(manifest, forget_missed_before)
            case CreateJob(manifest):
                await self._create(JOBS, manifest)
            case CreateRun(manifest):
                await self._create(RUNS, manifest)
            case AdoptRun(namespace, name, metadata):
                await self._merge(RUNS, namespace, name, {"metadata": metadata})
            case DeleteJob(namespace, name, uid):
                await self._delete(JOBS, namespace, name, uid)
            case DeleteRun(namespace, name, uid):
                await self._delete(RUNS, namespace, name, uid)
                self._store.runs.remove(namespace, name, uid)
            case PatchStatus(kind, namespace, name, status):
                await self._merge(find_kind(kind), namespace, name, {"status": status}, "status")
            case RecordEvent():
                await self._record_event(action)

    async def _apply_cron_job(self, manifest: dict[str, Any], forget_missed_before: datetime | None) -> None:
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["name"])
        known = self._store.cron_jobs.get(*key)
        if known and self._settled.get(key) == (manifest, known.spec):
            return  # the cluster's own admission changes what we send; sending it again would never end
        if forget_missed_before:
            status = {"lastScheduleTime": format_time(forget_missed_before)}
            await self._api.merge(CRON_JOBS, *key, {"status": status}, "status")
        try:
            live = await self._api.apply(CRON_JOBS, manifest)
            if known and known.foreign_managers:
                # Apply takes over our fields but leaves what others added; a CronJob of ours has nothing of theirs.
                live = await self._api.replace(CRON_JOBS, _without_foreign_fields(live, manifest))
        except ApiError as error:
            if error.is_refusal:
                raise Refused(f"CronJob/{metadata['name']}", error.message) from error
            raise
        self._store.cron_jobs.put(live)
        if not covers(live["spec"], manifest["spec"]):
            logger.warning("CronJob %s/%s is not what was applied: something in the cluster changes it", *key)
            self._settled[key] = (manifest, live["spec"])

    async def _create(self, resource: ResourceType, manifest: dict[str, Any]) -> None:
        metadata = manifest["metadata"]
        try:
            body = await self._api.create(resource, manifest)
        except ApiError as error:
            if error.status == _CONFLICT:
                body = await self._existing(resource, manifest, error)
            elif error.is_refusal:
                raise Refused(f"{resource.kind}/{metadata['name']}", error.message) from error
            else:
                raise
        self._store.of(resource.kind).put(body)

    async def _existing(self, resource: ResourceType, manifest: dict[str, Any], error: ApiError) -> dict[str, Any]:
        """Return the object that was there already, made by an earlier attempt; one of somebody else is a refusal."""
        metadata = manifest["metadata"]
        body = await self._api.get(resource, metadata["namespace"], metadata["name"])
        owners = {owner["uid"] for owner in body["metadata"].get("ownerReferences", [])} if body else set()
        wanted = {owner["uid"] for owner in metadata["ownerReferences"]}
        if body and owners & wanted:
            return body
        if body and resource is RUNS:
            return body  # made by hand with the name of a Job; adopted next
        subject = f"{resource.kind}/{metadata['name']}"
        raise Refused(subject, f"another {resource.kind} has this name already") from error

    async def _delete(self, resource: ResourceType, namespace: str, name: str, uid: str) -> None:
        try:
            await self._api.delete(resource, namespace, name, uid)
        except ApiError as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):  # gone already, or another one has its name
                raise

    async def _merge(
        self, resource: ResourceType, namespace: str, name: str, patch: dict[str, Any], subresource: str | None = None
    ) -> None:
        try:
            body = await self._api.merge(resource, namespace, name, patch, subresource)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return  # deleted meanwhile; its event is on the way
            raise
        self._store.of(resource.kind).put(body)

    async def _record_event(self, event: RecordEvent) -> None:
        now = datetime.now(UTC)
        manifest = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{event.name}-", "namespace": event.namespace},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "action": "Reconcile",
            "note": event.message[:_EVENT_NOTE_LIMIT],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": event.kind,
                "namespace": event.namespace,
                "name": event.name,
                "uid": event.uid,
            },
            "reportingController": f"borgoperator.io/{labels.MANAGER}",
            "reportingInstance": labels.MANAGER,
        }
        try:
            await self._api.create(EVENTS, manifest)
        except ApiError as error:
            # An Event is news for people; a full namespace or one that is going must not stop the work.
            logger.warning("no Event on %s %s/%s: %s", event.kind, event.namespace, event.name, error)


def _without_foreign_fields(live: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the live object with our spec; the API server fills in its defaults anew."""
    return {**copy.deepcopy(live), "spec": manifest["spec"]}
