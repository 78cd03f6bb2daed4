"""The example requests of the REST reference page, with the bodies that it documents for them.

`{id}` stands for the schedule that the example is about, `{repositories}` for the ids of two repositories.
"""

from dataclasses import dataclass
from typing import Any

TIME = "2024-01-16T02:00:00Z"

LISTED: dict[str, Any] = {
    "id": 1,
    "name": "Daily Backup",
    "cron_expression": "0 2 * * *",
    "repository": None,
    "repository_id": None,
    "repository_ids": [1, 2],
    "enabled": True,
    "last_run": TIME,
    "next_run": TIME,
    "created_at": TIME,
    "updated_at": TIME,
    "description": "Daily backup of all repositories",
    "archive_name_template": "{job_name}-{now}",
    "run_repository_scripts": False,
    "pre_backup_script_id": None,
    "post_backup_script_id": None,
    "pre_backup_script_parameters": None,
    "post_backup_script_parameters": None,
    "run_prune_after": True,
    "run_compact_after": False,
    "prune_keep_hourly": 0,
    "prune_keep_daily": 7,
    "prune_keep_weekly": 4,
    "prune_keep_monthly": 6,
    "prune_keep_quarterly": 0,
    "prune_keep_yearly": 1,
    "last_prune": TIME,
    "last_compact": None,
}

NEW: dict[str, Any] = {
    "name": "Daily Backup",
    "cron_expression": "0 2 * * *",
    "repository_ids": "{repositories}",
    "enabled": True,
    "description": "Daily backup at 2 AM",
    "archive_name_template": "{job_name}-{now}",
    "run_prune_after": True,
    "prune_keep_daily": 7,
    "prune_keep_weekly": 4,
    "prune_keep_monthly": 6,
}


@dataclass(frozen=True)
class Example:
    """`exact`: keys whose values must be those of the page, not only of their type."""

    title: str
    method: str
    path: str
    body: dict[str, Any] | None
    answer: Any
    exact: tuple[str, ...] = ("success", "message", "enabled", "status", "hours_ahead", "description")


EXAMPLES = (
    Example(
        "Create Scheduled Job",
        "POST",
        "/api/schedule/",
        NEW,
        {
            "success": True,
            "message": "Scheduled job created successfully",
            "job": {
                "id": 1,
                "name": "Daily Backup",
                "cron_expression": "0 2 * * *",
                "repository": None,
                "enabled": True,
                "next_run": TIME,
            },
        },
    ),
    Example("List Scheduled Jobs", "GET", "/api/schedule/", None, {"success": True, "jobs": [LISTED]}),
    Example(
        "Get Scheduled Job",
        "GET",
        "/api/schedule/{id}",
        None,
        {
            "success": True,
            "job": {
                **{key: value for key, value in LISTED.items() if key != "description"},
                "next_runs": [TIME] * 5,
            },
        },
    ),
    Example(
        "Update Scheduled Job",
        "PUT",
        "/api/schedule/{id}",
        {"enabled": False, "description": "Temporarily disabled"},
        {
            "success": True,
            "message": "Scheduled job updated successfully",
            "job": {**LISTED, "enabled": False, "next_run": None, "description": "Temporarily disabled"},
        },
    ),
    Example(
        "Toggle Schedule, on",
        "POST",
        "/api/schedule/{id}/toggle",
        None,
        {"success": True, "message": "Scheduled job enabled successfully", "enabled": True},
    ),
    Example(
        "Get Upcoming Jobs",
        "GET",
        "/api/schedule/upcoming-jobs?hours=48",
        None,
        {
            "success": True,
            "upcoming_jobs": [
                {"id": 1, "name": "Daily Backup", "repository": None, "next_run": TIME, "cron_expression": "0 2 * * *"}
            ],
            "hours_ahead": 48,
        },
    ),
    Example(
        "Toggle Schedule",
        "POST",
        "/api/schedule/{id}/toggle",
        None,
        {"success": True, "message": "Scheduled job disabled successfully", "enabled": False},
    ),
    Example(
        "Run Schedule Now",
        "POST",
        "/api/schedule/{id}/run-now",
        None,
        {"job_id": 123, "status": "pending", "message": "Scheduled job started successfully"},
    ),
    Example(
        "Duplicate Schedule",
        "POST",
        "/api/schedule/{id}/duplicate",
        None,
        {
            "success": True,
            "message": "Scheduled job duplicated successfully",
            "job": {"id": 2, "name": "Copy of Daily Backup", "enabled": False, "cron_expression": "0 2 * * *"},
        },
        ("success", "message", "enabled", "name", "cron_expression"),
    ),
    Example(
        "Get Cron Presets",
        "GET",
        "/api/schedule/cron-presets",
        None,
        {
            "success": True,
            "presets": [{"name": "Every Hour", "expression": "0 * * * *", "description": "Run every hour"}],
        },
        ("success",),
    ),
    Example(
        "Validate Cron Expression",
        "POST",
        "/api/schedule/validate-cron",
        {"minute": "0", "hour": "2", "day_of_month": "*", "month": "*", "day_of_week": "*"},
        {
            "success": True,
            "cron_expression": "0 2 * * *",
            "next_runs": [TIME, TIME, TIME],
            "description": "At 02:00 AM",
        },
        ("success", "cron_expression", "description"),
    ),
    Example(
        "Delete Scheduled Job",
        "DELETE",
        "/api/schedule/{id}",
        None,
        {"success": True, "message": "Scheduled job deleted successfully"},
    ),
)
