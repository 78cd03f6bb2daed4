"""From BorgRuns to the contract's backup jobs."""

from typing import Any

from borg_api.identifiers import derive_id
from borg_api.mirror import Shelf
from borg_api.records import RunRecord
from borg_contract.phases import Phase
from borg_core.kinds.run import RUNS, Trigger
from borg_core.kinds.schedule import SCHEDULES
from borg_core.workload.run_plan import derive_location

STATUSES = {
    Phase.PENDING: "pending",
    Phase.RUNNING: "running",
    Phase.COMPLETED: "completed",
    Phase.COMPLETED_WITH_WARNINGS: "completed_with_warnings",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
    Phase.SKIPPED: "cancelled",
}

_SIZES = {"nfiles": "files", "original_size": "original_size", "compressed_size": "compressed_size"}
_SIZES |= {"deduplicated_size": "deduplicated_size"}


def run_id(run: RunRecord) -> int:
    return derive_id(RUNS.kind, run.namespace, run.name)


def run_status(run: RunRecord) -> str:
    return STATUSES[run.phase]


def triggered_by(run: RunRecord) -> str:
    return "schedule" if run.trigger is Trigger.SCHEDULED else "manual"


def render_run(run: RunRecord, shelf: Shelf) -> dict[str, Any]:
    """Return a run as the contract's backup job; sizes in bytes, summed over its repositories."""
    namespace = run.namespace
    places = places_of(run, shelf)
    sums = {key: sum(getattr(item, of) or 0 for item in run.repositories) for key, of in _SIZES.items()}
    archives = [item.archive for item in run.repositories if item.archive]
    return {
        "id": run_id(run),
        "name": run.name,
        "operation": run.operation.value,
        "repository": ", ".join(places.values()) or None,
        "repositories": _repositories(run, places),
        "status": run_status(run),
        "created_at": run.created,
        "started_at": run.started,
        "completed_at": run.completed,
        "archive_name": archives[0] if archives else None,
        "original_size": sums["original_size"],
        "compressed_size": sums["compressed_size"],
        "deduplicated_size": sums["deduplicated_size"],
        "nfiles": sums["nfiles"],
        "error_message": _explain(run),
        "scheduled_job_id": derive_id(SCHEDULES.kind, namespace, run.schedule),
        "triggered_by": triggered_by(run),
        "progress": 100 if run.finished else 0,
        "progress_details": {
            "current_file": "",
            "progress_percent": 100 if run.finished else 0,
            "backup_speed": 0.0,
            "total_expected_size": 0,
            "estimated_time_remaining": 0,
            **sums,
        },
        "has_logs": run.job_uid is not None,
        "maintenance_status": None,
        "execution_mode": "local",
    }


def _explain(run: RunRecord) -> str | None:
    """Return what the run says, and a line for each repository that failed: borg's reason and what to do."""
    said = [run.message] if run.message else []
    failed = [f"{item.name}: {item.error}" for item in run.repositories if item.error]
    return "\n".join(said + failed) or None


def places_of(run: RunRecord, shelf: Shelf) -> dict[str, str]:
    """Return the location of each repository of the run by its name: before it tells, those of its schedule."""
    namespace = run.namespace
    names = [item.name for item in run.repositories]
    if not names and (schedule := shelf.schedules.get(namespace, run.schedule)):
        names = [ref.name for ref in schedule.resource.spec.repository_refs]
    found = ((name, shelf.repositories.get(namespace, name)) for name in names)
    return {name: derive_location(repository) if repository else name for name, repository in found}


def _repositories(run: RunRecord, places: dict[str, str]) -> list[dict[str, Any]]:
    done = {item.name: item for item in run.repositories}
    rendered = []
    for name, place in places.items():
        item = done.get(name)
        rendered.append(
            {
                "name": name,
                "path": place,
                "status": STATUSES[item.phase] if item else run_status(run),
                "archive_name": item.archive if item else None,
                "original_size": item.original_size if item else None,
                "compressed_size": item.compressed_size if item else None,
                "deduplicated_size": item.deduplicated_size if item else None,
                "nfiles": item.files if item else None,
                "warnings": list(item.warnings) if item else [],
                "error_message": item.error if item else None,
            }
        )
    return rendered
