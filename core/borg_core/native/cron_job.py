"""The CronJob of a schedule."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_core import labels
from borg_core.native.metadata import controller_of, time_of
from borg_core.registry import Body, Kind

_CONTROLLERS = frozenset({labels.MANAGER, "kube-controller-manager"})


@dataclass(frozen=True)
class ObservedCronJob:
    """A CronJob of ours, or one that only has the name. `spec` is as the API server shows it, defaults included."""

    namespace: str
    name: str
    uid: str
    owner_uid: str | None
    """uid of the controlling owner."""
    labels: dict[str, str]
    spec: dict[str, Any]
    foreign_managers: tuple[str, ...] = ()
    """Who else than this operator and the controllers holds fields of `spec`: somebody edited it."""
    created: datetime | None = None
    last_scheduled: datetime | None = None
    """The newest tick for which the CronJob controller made a Job, or from which this operator lets it reckon."""


def parse_cron_job(body: Body) -> ObservedCronJob:
    metadata = body["metadata"]
    owner = controller_of(metadata)
    return ObservedCronJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=owner.get("uid"),
        labels=metadata.get("labels", {}),
        spec=body["spec"],
        foreign_managers=tuple(
            entry["manager"]
            for entry in metadata.get("managedFields", [])
            if entry.get("manager") not in _CONTROLLERS
            and not entry.get("subresource")
            and "f:spec" in entry.get("fieldsV1", {})
        ),
        created=time_of(metadata.get("creationTimestamp")),
        last_scheduled=time_of(body.get("status", {}).get("lastScheduleTime")),
    )


CRON_JOBS = Kind("CronJob", "batch", "v1", "cronjobs", parse_cron_job, selector=labels.SCHEDULE)
