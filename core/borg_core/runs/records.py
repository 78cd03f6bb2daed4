"""BorgRuns as records: one for every Job of a CronJob, each with its status; and which runs are stopped or deleted."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import (
    Action,
    AdoptRun,
    CreateRun,
    DeleteJob,
    DeleteRun,
    EndPod,
    MarkJob,
    MergeMetadata,
    PatchStatus,
    RecordEvent,
)
from borg_core.kinds.parts.base import API_VERSION, OwnerReference
from borg_core.kinds.run import RUNS, BorgRun, BorgRunStatus, Trigger
from borg_core.kinds.status import derive_status_patch
from borg_core.native.job import ObservedJob
from borg_core.native.pod import ObservedPod
from borg_core.policies.problem import Problem, Severity
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.status.ended import describe_end
from borg_core.runs.status.moment import derive_latest
from borg_core.runs.status.run_status import derive_run_conditions, derive_trigger
from borg_core.runs.vanished import derive_told
from borg_core.runs.world import Host, World
from borg_core.workload.owner import Owner, render_owners

REFERENCES = {"BorgSchedule": "scheduleRef", "BorgRepository": "repositoryRef", "BorgRestore": "restoreRef"}
"""The field of a BorgRun's spec by which it names whom it is for."""

_UID_LENGTH = 8
_LISTINGS_KEPT = 3
_STUCK = (
    Reason.WAITING_FOR_POD.value,
    Reason.JOB_SUSPENDED.value,
    Reason.REFUSED_BY_API_SERVER.value,
    Reason.COPY_FAILED.value,
)
_UNSCHEDULABLE = "Unschedulable"
_DIGITS = re.compile(r"\d+")


def plan_records(
    world: World, host: Host | None, entries: Sequence[Entry], now: datetime, *, expired: frozenset[str]
) -> Iterator[Action]:
    """Yield what creates missing BorgRuns and writes statuses and Events; nothing for the uids `expired`."""
    for entry in entries:
        if entry.run and entry.run.metadata.uid in expired:
            continue
        if entry.run is None:
            if host and entry.job:
                yield from _record(world, host, entry, entry.job, now)
            continue
        run = Reference(RUNS.kind, world.subject.namespace, entry.name)
        # Its status first: one that is tied and has none was asked for in this life, see `restored`.
        yield from patch_run(run, entry.run, entry.status, now)
        if host and not _is_tied(entry.run, host.owner):
            trigger = entry.status.trigger or derive_trigger(entry.run, entry.job)
            ties = render_ties(host.owner, trigger, beside=entry.run.metadata.owner_references)
            yield AdoptRun(run, entry.run.metadata.uid, ties)
        if host:
            yield from _tell(host, entry, run)
        if entry.job and entry.job.run_uid is None and not entry.job.deleting:
            yield MarkJob(entry.job.reference, entry.job.uid, {labels.RUN_UID: entry.run.metadata.uid})


def plan_stops(world: World, entries: Sequence[Entry], now: datetime) -> Iterator[Action]:
    """Yield what ends cancelled runs, pods that outlive what is awaited of them, and Jobs whose BorgRun is gone."""
    for entry in entries:
        job, pod = entry.job, entry.pod
        if job is None and entry.run and pod and pod.orphaned:
            yield from _keep_orphan(entry.run, pod)
        if job is None or job.finished or job.deleting:
            continue
        cancelled = entry.run is not None and entry.run.spec.cancel
        late = pod is not None and pod.app_deadline is not None and pod.app_deadline <= now
        if pod and pod.began and (cancelled or late or (pod.ending and pod.others_left and not pod.disrupted)):
            yield from _end(pod)
        elif cancelled:
            yield DeleteJob(job.reference, job.uid)  # nothing of it has begun
    known = {run.metadata.uid for run in world.runs} | world.unreadable_runs
    for job in world.jobs:
        if job.run_uid and job.run_uid not in known and not job.deleting:
            yield DeleteJob(job.reference, job.uid)  # somebody deleted its BorgRun, and with it all that belongs to it


def _keep_orphan(run: BorgRun, pod: ObservedPod) -> Iterator[Action]:
    """Yield what ties a pod that its Job left behind to its run, with which it is deleted, and ends it with that."""
    if not (pod.owner_kind or pod.deleting):
        owner = Owner.of(RUNS, *run.metadata.key, run.metadata.uid)
        yield MergeMetadata(pod.reference, pod.uid, {"ownerReferences": render_owners(owner, pod.owners_beside)})
    if run.spec.cancel or (pod.ending and pod.others_left):
        yield from _end(pod)


def derive_expired(
    entries: Sequence[Entry], limit: int, now: datetime, needed: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return the uids of the finished runs beyond the newest `limit`, but for those `needed`.

    Skipped runs, and those that the operator made to remove locks, are counted apart: many of them at once would push
    out the runs that did something. Of those that it made to list archives, a few tell all. A run stays by which a
    vanished archive is told, or can be.
    """
    # One that a wrong clock dates in the future is no newer than those that came after it.
    latest = derive_latest(now)
    finished = sorted(
        (entry for entry in entries if entry.finished and entry.run),
        key=lambda entry: (entry.ended_at(latest).time, entry.name),
    )
    skipped = [entry for entry in finished if entry.status.phase is Phase.SKIPPED]
    others = [entry for entry in finished if entry.status.phase is not Phase.SKIPPED]
    listings = [entry for entry in others if entry.listing]
    automatic = [entry for entry in others if entry.automatic and not entry.listing]
    worked = [entry for entry in others if not entry.automatic]
    kept = ((skipped, limit), (automatic, limit), (worked, limit), (listings, min(limit, _LISTINGS_KEPT)))
    beyond = {entry.run.metadata.uid for runs, most in kept for entry in runs[: max(0, len(runs) - most)] if entry.run}
    if not beyond:
        return frozenset()
    return frozenset(beyond) - needed - derive_told([entry.recorded for entry in worked])


def plan_deletions(world: World, entries: Sequence[Entry], expired: frozenset[str]) -> Iterator[Action]:
    """Yield the deletions: the Job first, because a Job that stays behind alone might be recorded again."""
    for entry in entries:
        if entry.run and entry.run.metadata.uid in expired:
            if entry.job and not entry.job.deleting:
                yield DeleteJob(entry.job.reference, entry.job.uid)
            if entry.run.metadata.deletion_timestamp is None:
                run = Reference(RUNS.kind, world.subject.namespace, entry.name)
                yield DeleteRun(run, entry.run.metadata.uid)


def plan_releases(world: World, entries: Sequence[Entry]) -> Iterator[Action]:
    """Yield the deletions of Jobs that are over and recorded, where their pods keep a claim that somebody deletes.

    Kubernetes lets no claim go as long as a pod names it, also one that has ended and is there for its log alone.
    """
    active = world.cron_job.active if world.cron_job else frozenset()
    for entry in entries:
        job, run = entry.job, entry.run
        if job is None or run is None or not (job.finished and run.finished) or job.deleting or job.uid in active:
            continue
        if not world.leaving.isdisjoint(job.claims):
            yield DeleteJob(job.reference, job.uid)


def render_run(
    host: Host, name: str, operation: Operation, trigger: Trigger, annotations: dict[str, str]
) -> dict[str, Any]:
    """Return a BorgRun that the operator makes."""
    owner = host.owner
    return {
        "apiVersion": API_VERSION,
        "kind": RUNS.kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            **render_ties(owner, trigger),
            "annotations": annotations,
        },
        "spec": {REFERENCES[owner.kind]: {"name": owner.name}, "operation": operation.value},
    }


def render_ties(owner: Owner, trigger: Trigger, beside: Sequence[OwnerReference] = ()) -> dict[str, Any]:
    """Return the metadata that ties a run to what it is for: it is found by it, and deleted with it.

    `beside`: owners that it has already, of a workflow say.
    """
    marks = {labels.SUBJECTS[owner.kind]: owner.name, labels.TRIGGER: trigger.value}
    return {"labels": marks, "ownerReferences": render_owners(owner, beside)}


def _record(world: World, host: Host, entry: Entry, job: ObservedJob, now: datetime) -> Iterator[Action]:
    """Yield the BorgRun of a Job that the CronJob made, with its status."""
    run = Reference(RUNS.kind, world.subject.namespace, job.name)
    refusal = world.refusals.get(run)
    if (refusal and refusal.taken) or any(other.metadata.name == job.name for other in world.runs):
        run = run._replace(name=_name_beside(job))
    manifest = render_run(host, run.name, job.operation, derive_trigger(None, job), {labels.JOB_UID: job.uid})
    yield CreateRun(manifest)
    yield from patch_run(run, None, entry.status, now)
    yield from _tell(host, entry, run)


def _name_beside(job: ObservedJob) -> str:
    """Return the name of the record of a Job whose own name somebody else's run has."""
    return f"{job.name}-{job.uid[:_UID_LENGTH]}"


def find_refused_records(world: World) -> Iterator[Problem]:
    """Yield that runs of which only their Jobs tell have no record, as the API server takes none."""
    names = {name for job in world.jobs for name in (job.name, _name_beside(job))}
    unrecorded = names - {run.metadata.name for run in world.runs}
    for reference, refusal in world.refusals.items():
        if reference.kind == RUNS.kind and not refusal.taken and reference.name in unrecorded:
            message = (
                f'the API server refuses BorgRun "{reference.name}", so nothing tells how its run ended, and is asked '
                f"again: {refusal.message}"
            )
            yield Problem(Reason.REFUSED_BY_API_SERVER, message, Severity.WAITING)
            return


def patch_run(reference: Reference, run: BorgRun | None, status: BorgRunStatus, now: datetime) -> Iterator[Action]:
    """Yield what writes a run's status, and the conditions that follow from it, if anything of them has changed."""
    conditions = derive_run_conditions(run, status, now)
    if run and status is run.status and conditions == status.conditions:
        return  # as of nearly all, which ended long ago: to compare them field by field would cost far more
    said = status.model_copy(update={"conditions": conditions})
    patch = derive_status_patch(run.status if run else BorgRunStatus(), said)
    if patch:
        yield PatchStatus(reference, run.metadata.uid if run else None, patch)


def _end(pod: ObservedPod) -> Iterator[Action]:
    if not (pod.ending_asked or pod.finished or pod.deleting):
        yield EndPod(pod.reference, pod.uid)


def _tell(host: Host, entry: Entry, run: Reference) -> Iterator[Action]:
    """Yield the Event on what a run belongs to, for one that has just ended, or has just got stuck."""
    status = entry.status
    if status.reason == Reason.RESTORED.value or entry.listing:
        return  # there may be hundreds, and nothing has happened; of listings the condition ArchivesListed tells
    if entry.just_finished:
        reason, verb = describe_end(status.phase)
        if status.reason == Reason.TOO_MANY_WAITING:
            reason = Reason.TOO_MANY_WAITING
        warning = status.phase not in (Phase.COMPLETED, Phase.SKIPPED)
    elif _is_stuck(entry):
        reason, verb, warning = Reason(status.reason or ""), "does not begin", True
    else:
        return
    said = f": {status.message}" if status.message else ""
    yield RecordEvent(
        regarding=host.owner.reference,
        uid=host.owner.uid,
        reason=reason.value,
        message=f'BorgRun "{entry.name}" ({entry.operation.value}) {verb}{said}',
        warning=warning,
        about=run,
    )


def _is_stuck(entry: Entry) -> bool:
    """Tell whether its status is about to say that something keeps it from beginning, or that something else does."""
    if entry.finished or (entry.run and entry.run.spec.cancel):
        return False
    cause = _cause(entry.status)
    return cause is not None and cause != _cause(entry.run.status if entry.run else None)


def _cause(status: BorgRunStatus | None) -> tuple[str, str] | None:
    """Return what keeps a run from beginning: our reason, and the gist of Kubernetes' words.

    Counts and usage in them change at each attempt, and what the scheduler says of nodes with the nodes.
    """
    if status is None or status.reason not in _STUCK:
        return None
    reason, _, words = (status.message or "").partition(":")
    gist = "" if reason == _UNSCHEDULABLE else _DIGITS.sub("", words.partition(",")[0])
    return status.reason, reason + gist


def _is_tied(run: BorgRun, owner: Owner) -> bool:
    return any(reference.uid == owner.uid for reference in run.metadata.owner_references)
