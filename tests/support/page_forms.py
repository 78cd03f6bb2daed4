"""A team whose page one does something with, and what is entered there."""

from typing import Any

from borg_api.picture.records import derive_id
from borg_core.kinds.restore import RESTORES
from support.page_world import add_archive, add_repository, add_run, add_schedule, ago
from support.rest_world import World

NIGHTLY = "nightly-2026-11-24T03:00:02"
PREVIEWED = {
    "phase": "Previewed",
    "preview": {
        "create": 2,
        "overwrite": 1,
        "delete": 0,
        "same": 4,
        "keep": 0,
        "bytes": 2048,
        "sample": ["~ etc/app.conf"],
        "digest": "d1",
    },
}
RESTORE = {
    "repositoryRef": {"name": "main"},
    "archive": NIGHTLY,
    "target": {"claim": {"claimName": "app-data"}},
    "preview": True,
}
RESTORE_ID = str(derive_id(RESTORES.kind, "team", "waiting"))
SCHEDULE = {
    "name": "Weekly",
    "cron_expression": "0 5 * * 0",
    "timezone": "Europe/Berlin",
    "repository": "main",
    "enabled": "on",
    "run_prune_after": "on",
    "prune_keep_daily": "3",
    "prune_keep_weekly": "",
    "prune_keep_monthly": "0",
    "prune_keep_yearly": "0",
    "description": "Ask us.",
    "pre_script": "dump-db",
    "pre.HOST": "db",
    "pre.PASSWORD.secret": "db",
    "pre.PASSWORD.key": "password",
}
SCHEDULE_BODY = {
    "name": "Weekly",
    "cron_expression": "0 5 * * 0",
    "timezone": "Europe/Berlin",
    "repository": "main",
    "description": "Ask us.",
    "run_prune_after": True,
    "run_compact_after": False,
    "run_repository_scripts": False,
    "enabled": True,
    "prune_keep_hourly": 0,
    "prune_keep_quarterly": 0,
    "prune_keep_daily": 3,
    "prune_keep_weekly": 0,
    "prune_keep_monthly": 0,
    "prune_keep_yearly": 0,
    "pre_backup_script_id": derive_id("BorgScript", "team", "dump-db"),
    "pre_backup_script_parameters": {"HOST": "db", "PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}},
}


def make_world(*, running: bool = True) -> World:
    world = World(page=True)
    script = {
        "content": "true",
        "parameters": [{"name": "HOST", "required": True}, {"name": "PASSWORD", "type": "Password"}],
    }
    world.cluster.add("BorgScript", "dump-db", script)
    add_repository(world, "main")
    add_repository(world, "offsite")
    add_schedule(world, "nightly", "Nightly", runs="gg")
    if running:
        add_run(world, "nightly-now", "nightly", "Running", hours=0.1)
    add_archive(world, "main-1", NIGHTLY, time="2026-11-24T03:00:02Z")
    world.cluster.add(
        "BorgRestore", "waiting", RESTORE, status=PREVIEWED, metadata={"creationTimestamp": ago(minutes=1)}
    )
    return world


def specs_of(world: World) -> dict[Any, Any]:
    return {key: body["spec"] for key, body in world.cluster.objects.items()}


def writes_of(world: World) -> list[tuple[str, str, str]]:
    return [request for request in world.cluster.requests if request[0] not in ("list", "log")]
