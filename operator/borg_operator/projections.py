"""The edge: what the API server hands out becomes a model or a slim projection here, and nowhere else."""

from datetime import datetime
from typing import Any

from borg_cluster.collection import TITLE, Body, Reference
from borg_contract.codec import decode_result
from borg_contract.operations import Operation
from borg_core import labels
from borg_core.kinds.base import Metadata
from borg_core.kinds.hooks import BorgScript
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule, BorgScheduleSpec
from borg_core.observed import ObservedCronJob, ObservedJob, PodOutcome
from borg_core.timestamps import parse_time

_CONTROLLERS = frozenset({labels.MANAGER, "kube-controller-manager"})


def parse_schedule(body: Body) -> BorgSchedule:
    return BorgSchedule.model_validate(body)


def parse_repository(body: Body) -> BorgRepository:
    return BorgRepository.model_validate(body)


def parse_script(body: Body) -> BorgScript:
    return BorgScript.model_validate(body)


def parse_run(body: Body) -> BorgRun:
    return BorgRun.model_validate(body)


def parse_claim(body: Body) -> Metadata:
    return Metadata.model_validate(body["metadata"])


def parse_cron_job(body: Body) -> ObservedCronJob:
    metadata = body["metadata"]
    owner = _controller(metadata)
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
        created=_time(metadata.get("creationTimestamp")),
        last_scheduled=_time(body.get("status", {}).get("lastScheduleTime")),
    )


def parse_job(body: Body) -> ObservedJob:
    metadata, status = body["metadata"], body.get("status", {})
    owner = _controller(metadata)
    ended = next((c for c in status.get("conditions", []) if c["type"] in ("Complete", "Failed") and _true(c)), None)
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        schedule=metadata.get("labels", {}).get(labels.SCHEDULE, ""),
        operation=metadata.get("labels", {}).get(labels.OPERATION, Operation.BACKUP.value),
        owner_kind=owner.get("kind"),
        owner_uid=owner.get("uid"),
        created=parse_time(metadata["creationTimestamp"]),
        scheduled=_time(metadata.get("annotations", {}).get(labels.SCHEDULED_TIMESTAMP)),
        started=_time(status.get("startTime")),
        completed=_time(status.get("completionTime") or (ended or {}).get("lastTransitionTime")),
        succeeded=ended["type"] == "Complete" if ended else None,
        failure_reason=ended.get("reason", "") if ended and ended["type"] == "Failed" else "",
        failure_message=ended.get("message", "") if ended and ended["type"] == "Failed" else "",
        ready=status.get("ready") or 0,
        deleting="deletionTimestamp" in metadata,
    )


def derive_outcome(pods: list[dict[str, Any]]) -> PodOutcome:
    """Return what the newest of a Job's pods tells."""
    if not pods:
        return PodOutcome()
    pod = max(pods, key=lambda item: item["metadata"]["creationTimestamp"])
    name, status = pod["metadata"]["name"], pod.get("status", {})
    containers = status.get("containerStatuses", [])
    state = containers[0]["state"] if containers else {}
    if "terminated" in state:
        return _terminated(name, state["terminated"])
    if status.get("phase") == "Failed":
        return PodOutcome(pod_name=name, terminated_reason=status.get("reason", ""))
    return PodOutcome(pod_name=name, waiting=_waiting(status, state))


def is_alive(pod: dict[str, Any]) -> bool:
    """Tell whether a container of the pod may still run: a pod on a lost node is, as long as nobody says otherwise."""
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


OWN_ARCHIVE_NAMES = "own archive names"
"""Stands for a kind in references: a repository, as one whose archives a schedule names in a way of its own."""


def names_archives_itself(schedule: BorgSchedule) -> bool:
    """Tell whether the schedule has another template than most: only then its archives can look like another's."""
    default = BorgScheduleSpec.model_fields["archive_name_template"].default
    return bool(schedule.spec.archive_name_template != default)


def references_of_schedule(schedule: BorgSchedule) -> set[Reference]:
    namespace = schedule.metadata.namespace
    kinds = ("BorgRepository", OWN_ARCHIVE_NAMES) if names_archives_itself(schedule) else ("BorgRepository",)
    repositories = {(kind, namespace, ref.name) for ref in schedule.spec.repository_refs for kind in kinds}
    scripts = {("BorgScript", namespace, hook.script_ref.name) for hook in schedule.spec.hooks.given}
    return {(TITLE, namespace, schedule.title)} | repositories | scripts


def references_of_repository(repository: BorgRepository) -> set[Reference]:
    hooks = repository.spec.hooks.given if repository.spec.hooks else ()
    return {("BorgScript", repository.metadata.namespace, hook.script_ref.name) for hook in hooks}


def references_of_run(run: BorgRun) -> set[Reference]:
    namespace = run.metadata.namespace
    repositories = {("BorgRepository", namespace, item.name) for item in run.status.repositories}
    return repositories | {("BorgSchedule", namespace, run.spec.schedule_ref.name)}


def references_of_job(job: ObservedJob) -> set[Reference]:
    return {("BorgSchedule", job.namespace, job.schedule)}


def _terminated(pod_name: str, terminated: dict[str, Any]) -> PodOutcome:
    message = terminated.get("message", "")
    result, unreadable = None, None
    if message:
        try:
            result = decode_result(message)
        except (ValueError, KeyError, TypeError):
            unreadable = message
    return PodOutcome(
        pod_name=pod_name,
        result=result,
        unreadable=unreadable,
        terminated_reason=terminated.get("reason", ""),
        exit_code=terminated.get("exitCode"),
        finished_at=_time(terminated.get("finishedAt")),
    )


def _waiting(status: dict[str, Any], state: dict[str, Any]) -> str:
    waiting = state.get("waiting", {})
    if waiting and waiting.get("reason") != "ContainerCreating":
        return f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    unscheduled = next(
        (c for c in status.get("conditions", []) if c["type"] == "PodScheduled" and c["status"] == "False"), None
    )
    return f"{unscheduled.get('reason')}: {unscheduled.get('message', '')}" if unscheduled else ""


def _controller(metadata: dict[str, Any]) -> dict[str, Any]:
    return next((owner for owner in metadata.get("ownerReferences", []) if owner.get("controller")), {})


def _true(condition: dict[str, Any]) -> bool:
    return bool(condition["status"] == "True")


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None
