"""Snapshots that runs read: taken when it is a run's turn, before its Job may begin, and deleted when it has ended.

They belong to the Job, so they go with it, whoever deletes that, and whether or not the operator is there. Their names
are the same for each run of a schedule: one that is in the way is of a run that has ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.actions import Action, CreateSnapshot, DeleteJob, DeleteSnapshot, MarkJob, ReleaseSnapshot
from borg_core.copies.words import (
    COPYING,
    NOT_COPIED,
    PATIENCE,
    describe_leaving,
    describe_missing,
    describe_unready,
    has_lost_patience,
)
from borg_core.formats import parse_time
from borg_core.native.copy import SNAPSHOTS, SOURCE_PROTECTION, CopyVolume, ObservedSnapshot
from borg_core.native.job import JOBS, ObservedJob
from borg_core.quantity import parse_quantity
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.world import World

SNAPSHOT_LOOK_SECONDS = 2.0
"""How often to look at a snapshot that is being taken: nobody watches them."""

LEAVING_SECONDS = 10.0
"""How often to look at one that is to go, also once its Job is gone, as long as there is something to do for that."""

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
    refused = world.refused.get(job.run_uid or "")
    if not world.serves_snapshots:
        said = f'{NOT_COPIED} "{next(iter(wanted.values())).claim}": {_NOT_SERVED}'
        return Preparation(words=said, failed=has_lost_patience(said, refused, now))
    found = {snapshot.name: snapshot for snapshot in world.snapshots}
    actions: list[Action] = []
    waits: list[_Wait] = []
    for name, copy in wanted.items():
        snapshot = found.get(name)
        if snapshot is None:
            actions.append(CreateSnapshot(render_snapshot(world.subject, job, copy)))
        if wait := _find_wait(world, job, copy, snapshot, now):
            waits.append(wait)
    if not job.reads_own and all(_will_be_own(world, job, name, found.get(name)) for name in wanted):
        actions.append(MarkJob(job.reference, job.uid, {labels.OWN_SNAPSHOTS: "true"}))
    if not waits:
        return Preparation(tuple(actions))
    # What fails the run comes first, then what is refused; of several, taken one after another, how many there are.
    waits.sort(key=lambda wait: (not wait.has_stayed, not wait.words.startswith(NOT_COPIED)))
    said = waits[0].words
    if len(wanted) > 1 and said.startswith(COPYING):
        said = f"{said} ({len(wanted) - len(waits)} of {len(wanted)} snapshots, taken one after another, are there)"
    return Preparation(tuple(actions), said, failed=waits[0].has_stayed or has_lost_patience(said, refused, now))


def is_outgrown(world: World, job: ObservedJob) -> bool:
    """Tell whether the Job asks for a smaller volume than the snapshot has that is to be taken of a claim.

    No driver makes that: the claim grew while the Job waited.
    """
    taken = {snapshot.name for snapshot in world.snapshots if snapshot.job_uid == job.uid}
    wanted = (copy for copy in job.copies if copy.snapshot and copy.snapshot not in taken)
    return any(_is_larger(world.sizes.get(copy.claim), copy.size) for copy in wanted)


def plan_copies(world: World, entries: Sequence[Entry], now: datetime) -> Iterator[Action]:
    """Yield what removes copies that nobody needs any more, and Jobs whose pods keep such.

    A snapshot of which no volume could be made is kept by a finalizer that protects what is being copied. It is taken
    away once it is not: else one night without room for a copy would fail all that come after it.

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
        elif job.working and not (entry.pod and (entry.pod.began or entry.pod.uid in world.copied)):
            # Somebody else let it begin, one that queues Jobs: its pod waits until the snapshots are there.
            yield from prepare(world, job, now).actions
    needed = _find_needed(world)
    for snapshot in _find_ours(world):
        if snapshot.job_uid not in needed and not snapshot.deleting:
            yield DeleteSnapshot(snapshot.reference, snapshot.uid)
        elif snapshot.deleting and snapshot.name not in world.copying and SOURCE_PROTECTION in snapshot.finalizers:
            left = tuple(name for name in snapshot.finalizers if name != SOURCE_PROTECTION)
            yield ReleaseSnapshot(snapshot.reference, snapshot.version, left)


def find_next_look(world: World) -> float | None:
    """Return in how many seconds to look at snapshots that are to go, None when nothing is left to do for that."""
    needed = _find_needed(world)
    kept = (
        SOURCE_PROTECTION in snapshot.finalizers if snapshot.deleting else snapshot.job_uid not in needed
        for snapshot in _find_ours(world)
    )
    return LEAVING_SECONDS if any(kept) else None


def render_snapshot(subject: Reference, job: ObservedJob, copy: CopyVolume) -> dict[str, Any]:
    """Return the snapshot that a Job reads, of the class that is its driver's default."""
    owner = {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "name": job.name, "uid": job.uid}
    return {
        "apiVersion": SNAPSHOTS.api_version,
        "kind": SNAPSHOTS.kind,
        "metadata": {
            "name": copy.snapshot,
            "namespace": job.namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.SUBJECTS[subject.kind]: subject.name},
            "ownerReferences": [owner],
        },
        "spec": {"source": {"persistentVolumeClaimName": copy.claim}},
    }


def _is_larger(size: str | None, other: str) -> bool:
    quantity, limit = parse_quantity(size), parse_quantity(other)
    return quantity is not None and limit is not None and quantity > limit


def _will_be_own(world: World, job: ObservedJob, name: str, snapshot: ObservedSnapshot | None) -> bool:
    """Tell whether the snapshot of that name is the Job's, once what is planned for it is done."""
    if snapshot is None:
        return Reference(SNAPSHOTS.kind, job.namespace, name) not in world.refusals
    return snapshot.job_uid == job.uid and not snapshot.deleting


def _find_ours(world: World) -> list[ObservedSnapshot]:
    """Return the snapshots taken for Jobs: one that bears no more than our labels is somebody's own, made like them."""
    names = {copy.snapshot for job in world.jobs for copy in job.copies}
    return [snapshot for snapshot in world.snapshots if snapshot.job_uid or snapshot.name in names]


def _find_needed(world: World) -> set[str]:
    return {job.uid for job in world.jobs if not job.finished}


class _Wait(NamedTuple):
    """`has_stayed`: what stands in the way does so for longer than a run waits."""

    words: str
    has_stayed: bool = False


def _find_wait(
    world: World, job: ObservedJob, copy: CopyVolume, snapshot: ObservedSnapshot | None, now: datetime
) -> _Wait | None:
    """Return what the Job waits for of one snapshot, None when it is ready."""
    turn = _find_turn(world, job)
    refusal = world.refusals.get(Reference(SNAPSHOTS.kind, job.namespace, copy.snapshot))
    if snapshot is None:
        return _Wait(describe_missing(copy, job.namespace, refusal))
    if snapshot.deleting or snapshot.job_uid != job.uid:
        stays = now - max(turn, snapshot.deleting_since or turn) >= PATIENCE
        former = snapshot.job_uid != job.uid
        return _Wait(describe_leaving(copy, snapshot, refusal, former=former, stays=stays), stays)
    if snapshot.is_ready:
        return None
    stays = now - snapshot.created >= PATIENCE
    said = describe_unready(copy, snapshot, stays=stays)
    return _Wait(said, stays and not snapshot.is_taken_up)


def _find_turn(world: World, job: ObservedJob) -> datetime:
    """Return since when it is the Job's turn, as far as that shows: before, nothing was asked for it."""
    ends = (run.status.completion_time for run in world.runs if run.status.start_time and run.status.completion_time)
    return max((job.created, *(parse_time(end) for end in ends if end)))
