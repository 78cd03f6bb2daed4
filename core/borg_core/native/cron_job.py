"""The CronJob of a schedule or of a repository's checks."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from borg_core import labels
from borg_core.clock import Clock, CronSchedule
from borg_core.native.metadata import controller_of, is_foreign, subject_of, time_of
from borg_core.registry import Body, Kind, Reference


@dataclass(frozen=True)
class ObservedCronJob:
    """A CronJob of ours: when it fires, and whether it is as it should be."""

    namespace: str
    name: str
    uid: str
    owner_uid: str | None
    """uid of the controlling owner."""
    labels: dict[str, str]
    schedule: str
    time_zone: str
    suspended: bool
    spec_text: str
    """Its spec as JSON: the specs of thousands of CronJobs, parsed, would be most of the operator's memory."""
    subject: Reference | None = None
    """The schedule or repository whose label it bears."""
    foreign_managers: tuple[str, ...] = ()
    """Who else than this operator and the controllers holds fields of `spec`: somebody edited it."""
    created: datetime | None = None
    last_scheduled: datetime | None = None
    """The newest tick for which the CronJob controller made a Job, or from which this operator lets it reckon."""
    rendered: str | None = None
    """Digest of the spec that was asked for when it was last written; None before there were digests."""
    deadline_seconds: int | None = None
    """Its `startingDeadlineSeconds`."""
    active: frozenset[str] = frozenset()
    """uids of the Jobs that the controller takes to be at work: while there is one, no tick begins."""

    @property
    def reckoned_from(self) -> datetime | None:
        """From when the CronJob controller reckons the next tick: the last one, or when the CronJob was made."""
        return self.last_scheduled or self.created

    @property
    def clock(self) -> Clock | None:
        """When it begins runs, unless it is suspended; None where its times cannot be read."""
        times, since = CronSchedule.try_parse(self.schedule, self.time_zone), self.reckoned_from
        return Clock(times, since, deadline_of(self.deadline_seconds)) if times and since else None

    @property
    def spec(self) -> dict[str, Any]:
        """Return the spec as the API server shows it, defaults included; parsed anew each time."""
        spec: dict[str, Any] = json.loads(self.spec_text)
        return spec

    @property
    def reference(self) -> Reference:
        return Reference(CRON_JOBS.kind, self.namespace, self.name)


def parse_cron_job(body: Body) -> ObservedCronJob:
    metadata, spec, status = body["metadata"], body["spec"], body.get("status", {})
    schedule, time_zone, suspended = times_of(spec)
    return ObservedCronJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=controller_of(metadata).get("uid"),
        labels=metadata.get("labels", {}),
        schedule=schedule,
        time_zone=time_zone,
        suspended=suspended,
        spec_text=json.dumps(spec, separators=(",", ":")),
        subject=subject_of(metadata),
        foreign_managers=tuple(entry["manager"] for entry in metadata.get("managedFields", []) if is_foreign(entry)),
        created=time_of(metadata.get("creationTimestamp")),
        last_scheduled=time_of(status.get("lastScheduleTime")),
        rendered=metadata.get("annotations", {}).get(labels.RENDERED),
        deadline_seconds=spec.get("startingDeadlineSeconds"),
        active=frozenset(reference["uid"] for reference in status.get("active", ()) if "uid" in reference),
    )


def deadline_of(seconds: int | None) -> timedelta | None:
    """Return a CronJob's `startingDeadlineSeconds` as a time."""
    return None if seconds is None else timedelta(seconds=seconds)


def times_of(spec: dict[str, Any]) -> tuple[str, str, bool]:
    """Return the cron expression of a CronJob's spec, its time zone, and whether it is suspended."""
    return spec.get("schedule", ""), spec.get("timeZone") or "Etc/UTC", bool(spec.get("suspend"))


def tell_other_times(live: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return in what the spec differs of when it begins runs; empty where it does not."""
    names = ("spec.schedule", "spec.timeZone", "spec.suspend")
    pairs = zip(names, times_of(live), times_of(wanted), strict=True)
    return ", ".join(f"{name} is {json.dumps(is_)}, not {json.dumps(was)}" for name, is_, was in pairs if is_ != was)


def _references(cron_job: ObservedCronJob) -> list[Reference]:
    return [cron_job.subject] if cron_job.subject else []


CRON_JOBS = Kind("CronJob", "batch", "v1", "cronjobs", parse_cron_job, _references, selector=labels.OURS)
