"""A run as planning sees it: the BorgRun, its Job, its pod, and the status that it is to have.

Runs and Jobs are paired by uid, never by name: a name can be given again, and be somebody else's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from borg_contract.run import Operation
from borg_core import labels
from borg_core.copies.words import describe_unvouched
from borg_core.formats import format_time
from borg_core.kinds.run import BorgRun, BorgRunStatus
from borg_core.native.job import ObservedJob
from borg_core.native.pod import ObservedPod
from borg_core.runs.status.moment import Moment, derive_moment
from borg_core.runs.status.run_status import derive_run_status, is_automatic
from borg_core.runs.world import World

_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Entry:
    """At least one of `run` and `job` is there."""

    run: BorgRun | None
    job: ObservedJob | None
    pod: ObservedPod | None
    status: BorgRunStatus

    @property
    def name(self) -> str:
        """The BorgRun's name; of a Job that has none yet, the Job's."""
        return self.run.metadata.name if self.run else self.job.name if self.job else ""

    @property
    def uid(self) -> str:
        """The BorgRun's, empty while there is none."""
        return self.run.metadata.uid if self.run else ""

    @property
    def job_name(self) -> str:
        """The name under which its pod takes locks, empty where no pod is known."""
        return self.pod.job_name if self.pod else ""

    @property
    def operation(self) -> Operation:
        if self.run:
            return self.run.spec.operation
        return self.job.operation if self.job else Operation.BACKUP

    @property
    def automatic(self) -> bool:
        return self.run is not None and is_automatic(self.run)

    @property
    def dead_holder(self) -> str:
        """Whose locks it is to remove, proven dead; empty of other runs."""
        return self.run.metadata.annotations.get(labels.DEAD_HOLDER, "") if self.run else ""

    @property
    def attempt(self) -> int:
        """The how manieth run it is that is to remove these locks, or to list these archives, from 1."""
        return self._number(labels.ATTEMPT) or 1

    @property
    def listing(self) -> int:
        """The how manieth it is that the operator made to list archives, from 1; 0 for other runs."""
        return self._number(labels.LISTING)

    def _number(self, note: str) -> int:
        text = self.run.metadata.annotations.get(note, "") if self.run else ""
        return int(text) if _NUMBER.fullmatch(text) else 0

    @property
    def created(self) -> str:
        """When its BorgRun was made: RFC 3339; empty while there is none."""
        return self.run.metadata.creation_timestamp if self.run else ""

    @cached_property
    def asked_for(self) -> str:
        """When it was asked for: the clock makes the Job first, a person the BorgRun. RFC 3339."""
        return format_time(self.job.created) if self.job and (self.run is None or self.job.by_clock) else self.created

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished

    @property
    def succeeded(self) -> bool:
        return self.status.phase is not None and self.status.phase.succeeded

    @property
    def cancelled(self) -> bool:
        """A person does not want it any more."""
        return self.run is not None and self.run.spec.cancel

    @property
    def just_finished(self) -> bool:
        """It ended, and its BorgRun does not say so yet."""
        return self.finished and not (self.run and self.run.finished)

    @property
    def left_behind(self) -> bool:
        """Its Job is gone, and its pod is still there without it."""
        return self.job is None and self.pod is not None and self.pod.orphaned and not self.pod.finished

    @property
    def waiting(self) -> bool:
        """It was asked for, and nothing of it has begun, nor may before it is its turn."""
        if self.run is None or self.finished or self.left_behind:
            return False
        return self.job is None or (self.job.suspended and not self.job.paused)

    @property
    def working(self) -> bool:
        """A pod of it may be at work: also after its result is known, until the pod is gone or has ended."""
        return self.job.working if self.job else self.left_behind

    @property
    def holds_turn(self) -> bool:
        """It is at work, and others wait for it: what breaks locks keeps nobody waiting."""
        return self.working and self.operation is not Operation.BREAK_LOCK

    @property
    def began(self) -> str:
        """When it began, or was asked for: RFC 3339, so that texts sort as times."""
        status = self.status
        return status.start_time or status.scheduled_time or self.created or status.completion_time or ""

    @property
    def order(self) -> tuple[str, str]:
        """Sort key: oldest first, ties by name."""
        return self.status.completion_time or self.began, self.name

    def began_at(self, latest: str) -> Moment:
        """Return when it began, or was asked for; `latest`: the latest time that is not to come."""
        return derive_moment(latest, self.began, self.status.scheduled_time, self.asked_for)

    def ended_at(self, latest: str) -> Moment:
        """Return when it ended, or began if it has not."""
        return derive_moment(latest, self.order[0], self.began, self.status.scheduled_time, self.asked_for)

    @property
    def recorded(self) -> BorgRun:
        """Its BorgRun as it will be. Raises ValueError where there is none yet."""
        if self.run is None:
            raise ValueError(f"{self.name} has no BorgRun")
        return self.run if self.run.status is self.status else self.run.model_copy(update={"status": self.status})

    def with_status(self, status: BorgRunStatus) -> "Entry":
        return replace(self, status=status)


def derive_entries(world: World, now: datetime) -> tuple[Entry, ...]:
    """Return the runs and Jobs of the subject, paired, each with the status that follows from both; by name."""
    jobs = _pair(world.runs, world.jobs)
    paired = {job.uid for job in jobs.values()}
    entries = [_entry(world, run, jobs.get(run.metadata.uid), now) for run in world.runs]
    # Only Jobs that the CronJob made have no BorgRun at first; of any other without one, somebody deleted it.
    entries += [_entry(world, None, job, now) for job in world.jobs if job.uid not in paired and is_unrecorded(job)]
    return tuple(sorted(entries, key=lambda entry: entry.name))


def is_unrecorded(job: ObservedJob) -> bool:
    """Tell whether the Job is one of the CronJob's for which no BorgRun has been made."""
    return job.owner_kind == "CronJob" and job.run_uid is None and not job.deleting


def _pair(runs: Iterable[BorgRun], jobs: Iterable[ObservedJob]) -> dict[str, ObservedJob]:
    """Return the Job of each run, by the run's uid."""
    by_uid = {job.uid: job for job in jobs}
    by_run = {job.run_uid: job for job in by_uid.values() if job.run_uid}
    # Of a Job that an earlier version made for a run by hand.
    by_owner = {job.owner_uid: job for job in by_uid.values() if job.owner_kind == "BorgRun"}
    found: dict[str, ObservedJob] = {}
    for run in runs:
        uid = run.metadata.uid
        named = run.status.job_uid or run.metadata.annotations.get(labels.JOB_UID) or ""
        job = by_run.get(uid) or by_uid.get(named) or by_owner.get(uid)
        if job and job.run_uid in (None, uid):
            found[uid] = job
    return found


def _entry(world: World, run: BorgRun | None, job: ObservedJob | None, now: datetime) -> Entry:
    uid = job.uid if job else run.status.job_uid if run else None
    pod = world.pods.get(uid) if uid else None
    if pod and pod.deleting and job and not job.finished and not (job.started and job.started <= pod.created):
        # Of a time before the Job was suspended. The times alone do not tell: the controller makes the new pod first,
        # and then says when the Job started.
        pod = None
    words = describe_unvouched(job, pod, world.copied) if job else ""
    words = words or next((world.words[uid] for uid in _uids(job, pod) if uid in world.words), "")
    refused = world.refused.get(run.metadata.uid) if run else None
    return Entry(run, job, pod, derive_run_status(run, job, pod, words, now, refused=refused))


def _uids(job: ObservedJob | None, pod: ObservedPod | None) -> Iterable[str]:
    return [found.uid for found in (pod, job) if found]
