"""The CronJob of a schedule or of a repository's checks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_core import labels
from borg_core.native.metadata import controller_of, subject_of, time_of
from borg_core.registry import Body, Kind, Reference

_CONTROLLERS = frozenset({labels.MANAGER, "kube-controller-manager"})


@dataclass(frozen=True)
class ObservedCronJob:
    """A CronJob of ours. `spec` is as the API server shows it, defaults included."""

    namespace: str
    name: str
    uid: str
    owner_uid: str | None
    """uid of the controlling owner."""
    labels: dict[str, str]
    spec: dict[str, Any]
    subject: Reference | None = None
    """The schedule or repository whose label it bears."""
    foreign_managers: tuple[str, ...] = ()
    """Who else than this operator and the controllers holds fields of `spec`: somebody edited it."""
    created: datetime | None = None
    last_scheduled: datetime | None = None
    """The newest tick for which the CronJob controller made a Job, or from which this operator lets it reckon."""
    active: frozenset[str] = frozenset()
    """uids of the Jobs that the controller takes to be at work: while there is one, no tick begins."""

    @property
    def reference(self) -> Reference:
        return Reference(CRON_JOBS.kind, self.namespace, self.name)


def parse_cron_job(body: Body) -> ObservedCronJob:
    metadata, status = body["metadata"], body.get("status", {})
    return ObservedCronJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=controller_of(metadata).get("uid"),
        labels=metadata.get("labels", {}),
        spec=body["spec"],
        subject=subject_of(metadata),
        foreign_managers=tuple(
            entry["manager"]
            for entry in metadata.get("managedFields", [])
            if entry.get("manager") not in _CONTROLLERS
            and not entry.get("subresource")
            and "f:spec" in entry.get("fieldsV1", {})
        ),
        created=time_of(metadata.get("creationTimestamp")),
        last_scheduled=time_of(status.get("lastScheduleTime")),
        active=frozenset(reference["uid"] for reference in status.get("active", ()) if "uid" in reference),
    )


def _references(cron_job: ObservedCronJob) -> list[Reference]:
    return [cron_job.subject] if cron_job.subject else []


CRON_JOBS = Kind("CronJob", "batch", "v1", "cronjobs", parse_cron_job, _references, selector=labels.OURS)
