"""Snapshots that runs read: taken when it is a run's turn, before its Job may begin, and deleted when it has ended.

They belong to the Job, so they go with it, whoever deletes that, and whether or not the operator is there. Their names
are the same for each run of a schedule: one that is in the way is of a run that has ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.actions import Action, CreateSnapshot, DeleteJob, DeleteSnapshot
from borg_core.copies.words import COPYING, NOT_COPIED, has_lost_patience
from borg_core.native.copy import SNAPSHOTS, CopyVolume, ObservedSnapshot
from borg_core.native.job import ObservedJob
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.world import World

LOOK_SECONDS = 2.0
"""How often to look at a snapshot that is being taken: nobody watches them."""

_NOT_SERVED = (
    "this cluster does not serve VolumeSnapshots (snapshot.storage.k8s.io/v1): install their CRDs and the snapshot "
    "controller, or use copy: Clone"
)


@dataclass(frozen=True)
class Preparation:
    """`words`: what a Job waits for before it may begin, empty when it waits for nothing; `failed`: in vain."""

    actions: tuple[Action, ...] = ()
    words: str = ""
    failed: bool = False


def prepare(world: World, job: ObservedJob, now: datetime) -> Preparation:
    """Return the next step towards the snapshots that the Job reads."""
    wanted = {copy.snapshot: copy for copy in job.copies if copy.snapshot}
    if not wanted:
        return Preparation()
    if not world.serves_snapshots:
        return Preparation(words=f'{NOT_COPIED} "{next(iter(wanted.values())).claim}": {_NOT_SERVED}', failed=True)
    found = {snapshot.name: snapshot for snapshot in world.snapshots}
    actions: list[Action] = []
    words: list[str] = []
    for name, copy in wanted.items():
        snapshot = found.get(name)
        if snapshot is None:
            actions.append(CreateSnapshot(render_snapshot(world.subject, job, copy)))
        words.append(_describe(world, job, copy, snapshot))
    waits = [text for text in words if text]
    # What is refused comes first; else of several, which are taken one after another, how many there are.
    waits.sort(key=lambda text: not text.startswith(NOT_COPIED))
    said = waits[0] if waits else ""
    if len(wanted) > 1 and said.startswith(COPYING):
        said = f"{said} ({len(wanted) - len(waits)} of {len(wanted)} snapshots, taken one after another, are there)"
    oldest = min((item.created for item in found.values() if item.job_uid == job.uid), default=now)
    return Preparation(tuple(actions), said, failed=has_lost_patience(said, oldest, now))


def plan_copies(world: World, entries: Sequence[Entry], now: datetime) -> Iterator[Action]:
    """Yield what removes copies that nobody needs any more, and Jobs whose pods keep such.

    A Job that failed stays for its log as long as Kubernetes lets it, see `volume.KEPT_SECONDS`.
    """
    active = world.cron_job.active if world.cron_job else frozenset()
    for entry in entries:
        job, run = entry.job, entry.run
        if job is None or run is None or job.deleting or not job.copies:
            continue
        if not job.finished and run.finished and run.status.reason == Reason.COPY_FAILED:
            yield DeleteJob(job.reference, job.uid)
        elif job.finished and run.finished and entry.succeeded and job.uid not in active:
            yield DeleteJob(job.reference, job.uid)  # not before its CronJob has taken up that it succeeded
        elif job.working and not (entry.pod and entry.pod.began):
            # Somebody else let it begin, one that queues Jobs: its pod waits until the snapshots are there.
            yield from prepare(world, job, now).actions
    needed = {job.uid for job in world.jobs if not job.finished}
    for snapshot in world.snapshots:
        if snapshot.job_uid not in needed and not snapshot.deleting:
            yield DeleteSnapshot(snapshot.reference, snapshot.uid)


def render_snapshot(subject: Reference, job: ObservedJob, copy: CopyVolume) -> dict[str, Any]:
    """Return the snapshot that a Job reads, of the class that is its driver's default."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": job.uid}
    return {
        "apiVersion": f"{SNAPSHOTS.group}/{SNAPSHOTS.version}",
        "kind": SNAPSHOTS.kind,
        "metadata": {
            "name": copy.snapshot,
            "namespace": job.namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.SUBJECTS[subject.kind]: subject.name},
            "ownerReferences": [owner],
        },
        "spec": {"source": {"persistentVolumeClaimName": copy.claim}},
    }


def _describe(world: World, job: ObservedJob, copy: CopyVolume, snapshot: ObservedSnapshot | None) -> str:
    """Return what the Job waits for of one snapshot, empty when it is ready."""
    refusal = world.refusals.get(Reference(SNAPSHOTS.kind, job.namespace, copy.snapshot))
    if snapshot is None and refusal:
        return f'{NOT_COPIED} "{copy.claim}": the API server refuses its VolumeSnapshot: {refusal.message}'
    if snapshot is None:
        return f'{COPYING} "{copy.claim}"'
    if snapshot.job_uid != job.uid or snapshot.deleting:
        return f'{COPYING} "{copy.claim}": the VolumeSnapshot {snapshot.name} of an earlier run is being deleted'
    if snapshot.is_ready:
        return ""
    if snapshot.error:
        return f'{NOT_COPIED} "{copy.claim}": {snapshot.error}'
    return f'{COPYING} "{copy.claim}": VolumeSnapshot {snapshot.name} is not ready to use'
