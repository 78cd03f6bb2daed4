"""A namespace in which everything happened that the page can show."""

from datetime import UTC, datetime, timedelta
from typing import Any

from borg_core.formats import format_time
from support.rest_world import World

CLAIM = {"persistentVolumeClaim": {"claimName": "app-data"}}
HOSTILE = "<script>alert(1)</script>\"'`&lt;{{7*7}}{% x %}\u202e\u0000"
LONG = "a-very-long-title-that-somebody-made-of-a-path-and-a-host-and-a-date-" * 3


def ago(**span: float) -> str:
    return format_time(datetime.now(UTC) - timedelta(**span))


def add_repository(world: World, name: str, spec: dict[str, Any] | None = None, **status: Any) -> None:
    body = {
        "local": {"volume": {"persistentVolumeClaim": {"claimName": f"repo-{name}"}}},
        "encryption": {"mode": "repokey-blake2", "passphraseSecretRef": {"name": "borg", "key": "passphrase"}},
        "sources": [{"name": "data", "volume": CLAIM}],
        **(spec or {}),
    }
    ready = condition("Ready", "True", "LastRunSucceeded")
    world.cluster.add("BorgRepository", name, body, status={"conditions": [ready], **status})


def condition(type_: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(hours=5),
        "observedGeneration": 1,
    }


def add_schedule(world: World, name: str, title: str = "", runs: str = "", **more: Any) -> None:
    """Add a schedule with a run for each letter: g(ood), w(arnings), f(ailed), c(ancelled), the newest last."""
    status = more.pop("status", {})
    repositories = more.pop("repositories", ("main",))
    spec = {
        "schedule": "H 2 * * *",
        "timeZone": "Europe/Berlin",
        "repositoryRefs": [{"name": item} for item in repositories],
        "prune": {"enabled": True},
        "compact": {"enabled": True},
        **({"title": title} if title else {}),
        **more,
    }
    phases = {"g": "Completed", "w": "CompletedWithWarnings", "f": "Failed", "c": "Cancelled"}
    good = [age for age, letter in zip(range(len(runs), 0, -1), runs, strict=True) if letter in "gw"]
    last = phases[runs[-1]] if runs else None
    found = {
        "conditions": [condition("Ready", "True", "Scheduled")],
        "observedGeneration": 1,
        "nextRunTime": format_time(datetime.now(UTC) + timedelta(hours=7)),
        **({"lastRunTime": ago(hours=20), "lastRunPhase": last, "lastRunName": f"{name}-1"} if runs else {}),
        **({"lastSuccessTime": ago(hours=24 * (min(good) - 1) + 19.8)} if good else {}),
        "consecutiveFailures": len(runs) - len(runs.rstrip("f")),
        **status,
    }
    made = ago(days=40) if runs else ago(hours=3)
    world.cluster.add("BorgSchedule", name, spec, status=found, metadata={"creationTimestamp": made})
    for age, letter in zip(range(len(runs), 0, -1), runs, strict=True):
        add_run(world, f"{name}-{age}", name, phases[letter], hours=24 * (age - 1) + 20, repositories=repositories)


def add_run(
    world: World,
    name: str,
    schedule: str,
    phase: str,
    *,
    hours: float,
    repositories: tuple[str, ...] = ("main",),
    **more: Any,
) -> None:
    ended = phase not in ("Running", "Pending")
    grown = int(60e9 - hours * 2e7)
    items: list[dict[str, Any]] = [
        {
            "name": repository,
            "phase": phase,
            "archive": f"{schedule}-{ago(hours=hours)[:-1]}" if phase.startswith("Completed") else None,
            "originalSize": 48_318_382_080,
            "compressedSize": 30_318_382_080,
            "deduplicatedSize": 212_000_000,
            "files": 182_331,
            "seconds": 112.0,
            "totals": {"archives": 40, "originalSize": 2_000_000_000_000, "deduplicatedSize": grown},
        }
        for repository in (repositories if ended else ())
    ]
    for item in items:
        if phase == "CompletedWithWarnings":
            changed = "/sources/data/var/lib/app/socket: file changed while we backed it up"
            item |= {"warnings": [changed], "warningCount": 1}
        if phase == "Failed":
            item |= {
                "reason": "HostKeyMismatch",
                "error": "The server's host key is not the one in known_hosts: somebody may be in between, or the "
                "server was built anew. Ask whoever runs it for its key, and put it into the Secret borg-ssh.",
            }
            del item["totals"]
    status = {
        "phase": phase,
        "trigger": "Scheduled",
        "jobUid": f"job-{name}",
        "startTime": ago(hours=hours),
        "repositories": items,
        **({"completionTime": ago(hours=hours - 0.03)} if ended else {}),
        **({"reason": "HostKeyMismatch"} if phase == "Failed" else {}),
        **more.pop("status", {}),
    }
    spec = {"scheduleRef": {"name": schedule}, **more}
    if "repositoryRef" in spec:
        del spec["scheduleRef"]
    world.cluster.add("BorgRun", name, spec, status=status, metadata={"creationTimestamp": ago(hours=hours)})


def add_archive(world: World, name: str, archive: str, repository: str = "main", **spec: Any) -> None:
    body = {
        "repositoryRef": {"name": repository},
        "archive": archive,
        "id": (name.encode().hex() * 64)[:64],
        "time": ago(hours=20),
        "sources": ["data"],
        "originalSize": 48_318_382_080,
        "deduplicatedSize": 212_000_000,
        "files": 182_331,
        **spec,
    }
    world.cluster.add("BorgArchive", name, body)


def fill(world: World) -> None:
    """Let everything happen."""
    verified = {
        "lastBackupTime": ago(hours=20),
        "archives": 214,
        "originalSize": 9_900_000_000_000,
        "deduplicatedSize": 59_600_000_000,
        "lastCheckTime": ago(days=3),
        "lastCheckResult": "Completed",
        "nextCheckTime": format_time(datetime.now(UTC) + timedelta(days=4)),
        "lastDrillTime": ago(days=2),
        "lastDrillResult": "Completed",
        "coverage": 83,
        "restoreRate": 85_000_000,
        "estimatedRestoreTime": "11m20s",
    }
    add_repository(world, "main", {"verification": {"check": {"schedule": "0 3 * * 0"}}}, **verified)
    offsite = {
        "local": None,
        "ssh": {
            "url": "ssh://u123456@u123456.your-storagebox.de:23/./backups/production/cluster-eu-central-1/offsite",
            "privateKeySecretRef": {"name": "borg-ssh", "key": "id_ed25519"},
            "knownHostsSecretRef": {"name": "borg-ssh", "key": "known_hosts"},
        },
    }
    held = {"holder": "borg@elsewhere.3921", "runName": "", "time": ago(minutes=50)}
    add_repository(world, "offsite", offsite, deduplicatedSize=41_000_000_000, archives=88, lock=held)
    script = {
        "content": "#!/bin/sh\npg_dump --host $HOST app >/scratch/app.sql\n",
        "description": "Dumps the database.",
        "parameters": [
            {"name": "HOST", "required": True, "description": "Where it listens."},
            {"name": "PASSWORD", "type": "Password"},
        ],
    }
    world.cluster.add("BorgScript", "dump-db", script)
    add_schedule(
        world, "nightly", "Nightly", "g" * 12, description="All of the application's files.\nAsk the storage team."
    )
    add_schedule(world, "photos", "Fotos der Abteilung", "g" * 8 + "w" + "g" * 3, repositories=("main", "offsite"))
    add_schedule(world, "database", "Database", "ggggffcggff", repositories=("offsite",))
    hook = {"preBackup": {"scriptRef": {"name": "dump-db"}, "parameters": [{"name": "HOST", "value": "db.team.svc"}]}}
    add_schedule(world, "weekly", "每周备份 - 财务部门", "gg", hooks=hook, status={"lastSuccessTime": ago(hours=15)})
    add_schedule(world, "arabic", "النسخ الاحتياطي اليومي", "ggwg")
    add_schedule(world, "old", "Before the move", "gg", suspend=True)
    add_schedule(world, "long", LONG, "ggg")
    add_schedule(world, "never", "Quite new", "")
    add_run(world, "nightly-now", "nightly", "Running", hours=0.02)
    add_run(
        world,
        "photos-now",
        "photos",
        "Pending",
        hours=0.01,
        status={
            "reason": "WaitingForLock",
            "message": "It waits for the lock of offsite, which borg@elsewhere.3921 has held for 50 min.",
        },
    )
    on_main: dict[str, Any] = {"repositoryRef": {"name": "main"}}
    add_run(world, "main-check-1", "", "Completed", hours=72, operation="Check", **on_main)
    found = {"files": 18_204, "bytes": 4_900_000_000, "seconds": 61.0}
    drilled = [{"name": "main", "phase": "Completed", "drill": found}]
    add_run(
        world, "main-drill-1", "", "Completed", hours=48, operation="Drill", status={"repositories": drilled}, **on_main
    )
    for age in range(12):
        add_archive(
            world,
            f"main-{age}",
            f"nightly-{ago(hours=24 * age + 20)[:-1]}",
            time=ago(hours=24 * age + 20),
            scheduleRef={"name": "nightly"},
            runRef={"name": f"nightly-{age + 1}"},
        )
    add_archive(world, "main-hand", "before-the-upgrade", sources=[], comment="by hand, before 4.2", time=ago(days=20))
    for name in ("app-data", "photos-of-2019", LONG, "repo-main"):
        world.cluster.add("PersistentVolumeClaim", name, {})
    _add_restores(world)


def _add_restores(world: World) -> None:
    archive = f"nightly-{ago(hours=20)[:-1]}"
    spec = {
        "repositoryRef": {"name": "main"},
        "archive": archive,
        "target": {"claim": {"claimName": "app-data"}},
        "paths": ["etc/app.conf", "uploads"],
    }
    preview = {
        "create": 2,
        "overwrite": 1,
        "delete": 0,
        "same": 1204,
        "keep": 3,
        "bytes": 2_048_000,
        "sample": ["~ etc/app.conf", "+ uploads/2026/summer.jpg", "+ uploads/2026/winter.jpg"],
        "digest": "d1",
    }
    resolved = {"archive": archive, "id": "ab" * 32, "time": ago(hours=20), "source": "data"}
    waits = {"phase": "Previewed", "preview": preview, "resolved": resolved, "runName": "nightly-1"}
    world.cluster.add(
        "BorgRestore",
        "waiting",
        {**spec, "preview": True},
        status=waits,
        metadata={"creationTimestamp": ago(minutes=5)},
    )
    done = {
        "phase": "Completed",
        "preview": preview,
        "resolved": resolved,
        "files": 3,
        "bytes": 2_048_000,
        "verified": {"files": 3, "mismatches": 0},
        "undoArchive": "undo-1",
        "startTime": ago(days=1),
        "completionTime": ago(days=1),
    }
    world.cluster.add("BorgRestore", "done", spec, status=done, metadata={"creationTimestamp": ago(days=1)})
