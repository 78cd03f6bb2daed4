"""The native objects as far as planning looks at them: slim projections, made at the edge by the operator."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_contract.result import RunResult


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


@dataclass(frozen=True)
class ObservedJob:
    """A Job that a CronJob of ours, or this operator for a BorgRun, made."""

    namespace: str
    name: str
    uid: str
    schedule: str
    operation: str
    owner_kind: str | None
    owner_uid: str | None
    created: datetime
    scheduled: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    succeeded: bool | None = None
    """None while it is not finished."""
    failure_reason: str = ""
    failure_message: str = ""
    ready: int = 0
    deleting: bool = False

    @property
    def finished(self) -> bool:
        return self.succeeded is not None

    @property
    def begun_by_cron_job(self) -> bool:
        return self.owner_kind == "CronJob"


@dataclass(frozen=True)
class PodOutcome:
    """What the newest pod of a Job tells: the runner's result, or why there is none (yet)."""

    pod_name: str | None = None
    result: RunResult | None = None
    unreadable: str | None = None
    """The termination message when it is not a result."""
    terminated_reason: str = ""
    """The kubelet's word: OOMKilled, Error, Evicted, ..."""
    exit_code: int | None = None
    waiting: str = ""
    """Why it does not run yet: `ImagePullBackOff: …`, `Unschedulable: …`."""
    finished_at: datetime | None = None
