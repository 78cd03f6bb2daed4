"""Writes to CronJobs, whose status the CronJob controller writes as well: each is made to the object as it was read."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from borg_cluster.client import ApiServer
from borg_cluster.errors import NotFound
from borg_core import labels
from borg_core.actions import RecordTick, ReserveTurn
from borg_core.formats import format_time
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob, parse_cron_job, tell_other_times
from borg_core.native.drift import covers
from borg_core.native.job import JOBS, parse_job
from borg_core.registry import Reference
from borg_core.runs.turns import PLACEHOLDER_UID
from borg_operator.loop.manifests import as_read, is_orphan, is_same, repaired
from borg_operator.store import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FEW = 5
_SOON = timedelta(minutes=10)
_LONG = timedelta(hours=1)
_LONGEST = timedelta(days=1)
"""What somebody else changes so often, each time so soon after it was undone, is let be for so long, and longer."""


class OverruledError(Exception):
    """Something else in the cluster will have a CronJob otherwise."""

    def __init__(self, name: str, differs: str, by: str) -> None:
        advice = f"keep that from CronJobs with the label {labels.OURS}"
        super().__init__(f'CronJob "{name}" is not as it should be: {differs}; {by}: {advice}')


@dataclass(frozen=True)
class _Fight:
    """What was written over what somebody else had written, and when: each time soon after the one before."""

    sent: dict[str, Any]
    last: datetime
    rounds: int

    @property
    def rest(self) -> timedelta:
        """For how long the CronJob is left to them; nothing at first."""
        return min(_LONG * 2 ** (self.rounds - _FEW), _LONGEST) if self.rounds >= _FEW else timedelta()

    def go_on(self, sent: dict[str, Any], now: datetime) -> "_Fight":
        """Return it with one more round, or a new one where this one is over."""
        goes_on = sent == self.sent and now - self.last < max(_SOON, 2 * self.rest)
        return _Fight(sent, now, self.rounds + 1 if goes_on else 1)


class CronJobs:
    """All methods raise ApiError."""

    def __init__(self, store: Store, api: ApiServer, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._api = api
        self._clock = clock
        self._changed_by_others: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        """By uid of a CronJob that the cluster's admission changes: what was sent last, and what came of it."""
        self._fights: dict[str, _Fight] = {}
        """By uid of a CronJob that others write to."""

    async def repair(self, manifest: dict[str, Any], forget_missed_before: datetime | None) -> None:
        """Make the CronJob what the manifest says: see `actions.RepairCronJob`. Raises OverruledError."""
        metadata = manifest["metadata"]
        target = Reference(CRON_JOBS.kind, metadata["namespace"], metadata["name"])
        known = self._store.get(CRON_JOBS, target.namespace, target.name)
        again = known is not None and self._changed_by_others.get(known.uid) == (manifest, known.spec)
        if known and again and not tell_other_times(known.spec, manifest["spec"]):
            return  # the cluster's admission changes what we send: sending it again would never end
        body = await self._api.get(CRON_JOBS, target.namespace, target.name)
        if body is None or not (is_same(body["metadata"], metadata) or is_orphan(body["metadata"], metadata)):
            return  # deleted meanwhile, and perhaps made anew by somebody else; its event is on the way
        found = parse_cron_job(body)
        if found.foreign_managers:
            self._give_way(found, manifest)
        # What admission has begin runs at other times is asked again and again: it is not to lose one of them by that.
        if forget_missed_before and (not again or body["spec"].get("suspend")):
            status = {"lastScheduleTime": format_time(forget_missed_before)}
            patch = as_read(body, {"status": status})
            body = await self._api.merge(CRON_JOBS, target.namespace, target.name, patch, "status")
        # Replaced and not merged: what the spec has no more, and what others added, is to go.
        live = await self._api.replace(CRON_JOBS, repaired(body, manifest))
        self._store.put_answer(CRON_JOBS, live)
        uid = live["metadata"]["uid"]
        if found.foreign_managers:  # only what was written can have been undone
            now = self._clock()
            self._fights[uid] = self._fights.get(uid, _Fight(manifest, now, rounds=0)).go_on(manifest, now)
            self._fights = self._alive(self._fights)
        if covers(live["spec"], manifest["spec"]) and not parse_cron_job(live).foreign_managers:
            self._changed_by_others.pop(uid, None)
            return
        logger.warning("CronJob %s/%s is not what was applied: something changes it", target.namespace, target.name)
        self._changed_by_others[uid] = (manifest, live["spec"])
        self._changed_by_others = self._alive(self._changed_by_others)
        if other := tell_other_times(live["spec"], manifest["spec"]):
            by = "an admission policy or webhook of the cluster changes it whenever it is written"
            raise OverruledError(target.name, other, by)

    def _give_way(self, found: ObservedCronJob, manifest: dict[str, Any]) -> None:
        """Raise OverruledError where somebody else has changed the CronJob back so often that it is left to them."""
        fight = self._fights.get(found.uid)
        if fight is None or fight.sent != manifest or self._clock() - fight.last >= fight.rest:
            return
        other = tell_other_times(found.spec, manifest["spec"]) or "its spec is another one"
        who = ", ".join(sorted(set(found.foreign_managers)))
        raise OverruledError(found.name, other, f"{who} changes it back whenever the operator has written it")

    def _alive(self, noted: dict[str, T]) -> dict[str, T]:
        alive = {cron_job.uid for cron_job in self._store.values(CRON_JOBS)}
        return {uid: note for uid, note in noted.items() if uid in alive}

    async def reserve_turn(self, turn: ReserveTurn) -> None:
        """Enter the Job and a placeholder: see `runs.turns`."""
        placeholder = Reference(JOBS.kind, turn.job.namespace, f"{turn.cron_job.name}_placeholder")
        entries = {turn.job_uid: turn.job, PLACEHOLDER_UID: placeholder}
        await self._patch_active(turn.cron_job, turn.cron_job_uid, entries, {})

    async def record_tick(self, tick: RecordTick) -> None:
        """Enter what the CronJob controller could not: see `runs.ticks`."""
        found = await self._api.get(JOBS, tick.job.namespace, tick.job.name)
        if found and found["metadata"]["uid"] == tick.job_uid:
            entries = {} if parse_job(found).finished else {tick.job_uid: tick.job}
            status = {"lastScheduleTime": format_time(tick.tick)}
            await self._patch_active(tick.cron_job, tick.cron_job_uid, entries, status)

    async def _patch_active(
        self, cron_job: Reference, uid: str, jobs: dict[str, Reference], status: dict[str, Any]
    ) -> None:
        """Add Jobs to those that the CronJob takes to be at work. Raises Conflict when its status moved meanwhile.

        What had one of their names before goes: its controller looks by name whether it is gone, and would find these.
        """
        body = await self._api.get(CRON_JOBS, cron_job.namespace, cron_job.name)
        if body is None or body["metadata"]["uid"] != uid:
            return
        names = {job.name for job in jobs.values()}
        active = [entry for entry in body.get("status", {}).get("active", []) if entry.get("name") not in names]
        active += [
            {"apiVersion": JOBS.api_version, "kind": job.kind, "namespace": job.namespace, "name": job.name, "uid": uid}
            for uid, job in jobs.items()
        ]
        patch = as_read(body, {"status": {**status, "active": active}})
        with contextlib.suppress(NotFound):  # gone since: its event is on the way
            merged = await self._api.merge(CRON_JOBS, cron_job.namespace, cron_job.name, patch, "status")
            self._store.put_answer(CRON_JOBS, merged)
