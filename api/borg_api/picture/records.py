"""What the API server hands out becomes what the facade keeps: parsed once, no more of it than is shown, with an id."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from borg_cluster.index import Order
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.kinds.parts.base import Metadata
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun, Trigger
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule, groups_of_schedule
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.kinds.session import SESSIONS, BorgSession, references_of_session
from borg_core.registry import Body, Kind, Reference

_BITS = 53  # what every JSON reader keeps exactly


def derive_id(kind: str, namespace: str, name: str) -> int:
    """Return the id, 1 to 2**53 - 1, of a resource."""
    digest = sha256(f"{kind}/{namespace}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _BITS) or 1


_UID_LENGTH = 8


def edition_of(metadata: Metadata) -> str:
    """Return what an edit must be based on: it changes with the spec, and not with the status."""
    return f"{metadata.uid[:_UID_LENGTH]}-{metadata.generation}"


def is_of_same(edition: str, uid: str) -> bool:
    """Tell whether an edition is one of the object of this uid, and not of another one that had its name."""
    return edition.startswith(uid[:_UID_LENGTH])


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """`updated`: when its spec was last written, RFC 3339. `titled`: since which version it has its title."""

    resource: BorgSchedule
    updated: str
    titled: int = 0

    @property
    def namespace(self) -> str:
        return self.resource.metadata.namespace

    @property
    def name(self) -> str:
        return self.resource.metadata.name

    @property
    def metadata(self) -> Metadata:
        return self.resource.metadata

    @property
    def edition(self) -> str:
        return edition_of(self.metadata)


def parse_schedule(body: Body) -> ScheduleRecord:
    resource = BorgSchedule.model_validate(body)
    return ScheduleRecord(resource, _written(body["metadata"]), int(resource.metadata.resource_version))


def succeed_schedule(old: ScheduleRecord, new: ScheduleRecord) -> ScheduleRecord:
    """Return the newer record of one schedule, with what is to be kept of the older one."""
    return replace(new, titled=old.titled) if new.resource.title == old.resource.title else new


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is shown of a run, and no more: ten are kept of every schedule.

    `subject`: what it runs on, a schedule or a repository. `key`: the digest of the Idempotency-Key that it was asked
    for with. `reason`, `message`: why it stands where it stands.
    """

    namespace: str
    name: str
    uid: str
    version: int
    created: str
    key: str | None
    subject: Reference
    operation: Operation
    phase: Phase
    trigger: Trigger | None
    job_uid: str | None
    started: str | None
    completed: str | None
    reason: str | None
    message: str
    repositories: tuple[RepositoryResult, ...]

    @property
    def edition(self) -> str:
        """Which run of its name it is: nothing of its spec that is shown changes."""
        return self.uid[:_UID_LENGTH]

    @property
    def finished(self) -> bool:
        return self.phase.finished

    @property
    def order(self) -> Order:
        return self.created, self.namespace, self.name


def parse_run(body: Body) -> RunRecord:
    run = BorgRun.model_validate(body)
    metadata, status = run.metadata, run.status
    return RunRecord(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        version=int(metadata.resource_version),
        created=metadata.creation_timestamp,
        key=metadata.labels.get(labels.IDEMPOTENCY_KEY),
        subject=run.subject,
        operation=run.spec.operation,
        phase=status.phase or Phase.PENDING,
        trigger=status.trigger,
        job_uid=status.job_uid,
        started=status.start_time,
        completed=status.completion_time,
        reason=status.reason,
        message=status.message,
        repositories=status.repositories,
    )


def order_of(resource: BorgSchedule | BorgRepository | BorgScript | BorgSession) -> Order:
    """Return the resource's place in lists: oldest first."""
    metadata = resource.metadata
    return metadata.creation_timestamp, metadata.namespace, metadata.name


def _written(metadata: dict[str, Any]) -> str:
    times: list[str] = [
        entry["time"] for entry in metadata.get("managedFields", []) if "time" in entry and "subresource" not in entry
    ]
    created: str = metadata["creationTimestamp"]
    return max([*times, created])


def project(kind: Kind[Any], parse: Callable[[Body], T], **indexed_by: Any) -> Kind[T]:
    """Return the kind as the facade keeps it, found by no more than is asked for here."""
    return Kind(kind.kind, kind.group, kind.version, kind.plural, parse, **indexed_by)


UNFINISHED = "unfinished"
"""Index of runs: those that have not ended."""

SCHEDULE_RECORDS: Kind[ScheduleRecord] = project(
    SCHEDULES, parse_schedule, groups=lambda record: groups_of_schedule(record.resource)
)
REPOSITORY_RECORDS: Kind[BorgRepository] = project(REPOSITORIES, REPOSITORIES.parse)
SCRIPT_RECORDS: Kind[BorgScript] = project(SCRIPTS, SCRIPTS.parse)
SESSION_RECORDS: Kind[BorgSession] = project(SESSIONS, SESSIONS.parse, references=references_of_session)
RUN_RECORDS: Kind[RunRecord] = project(
    RUNS,
    parse_run,
    references=lambda run: (run.subject,),
    groups=lambda run: () if run.finished else ((UNFINISHED, ""),),
)
