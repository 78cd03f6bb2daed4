"""Small resources for tests: valid, with only what a test says different."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from borg_contract.phases import Phase
from borg_contract.result import RepositoryResult, RepositoryTotals, RunResult
from borg_core.bundle import Bundle
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.script import BorgScript
from borg_core.native.job import ObservedJob
from borg_core.reconcile.world import World
from borg_core.settings import Settings

NAMESPACE = "team"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = Settings(runner_image="runner:1")


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": "2026-03-01T00:00:00Z",
        **more,
    }


def schedule(name: str = "db", repositories: tuple[str, ...] = ("main",), **spec: Any) -> BorgSchedule:
    refs = [{"name": repository} for repository in repositories]
    body = {"schedule": "0 2 * * *", "repositoryRefs": refs, **spec}
    return BorgSchedule.model_validate({"metadata": metadata(name), "spec": body})


def source(name: str = "data", claim: str = "app-data", **more: Any) -> dict[str, Any]:
    return {"name": name, "volume": {"persistentVolumeClaim": {"claimName": claim}}, **more}


def local_repository(name: str = "main", **spec: Any) -> BorgRepository:
    body = {
        "local": {"volume": {"persistentVolumeClaim": {"claimName": f"repo-{name}"}}},
        "encryption": {"mode": "repokey-blake2", "passphraseSecretRef": {"name": f"borg-{name}", "key": "passphrase"}},
        "sources": [source()],
        **spec,
    }
    return BorgRepository.model_validate({"metadata": metadata(name), "spec": body})


def ssh_repository(name: str = "offsite", **spec: Any) -> BorgRepository:
    body = {
        "ssh": {
            "url": "ssh://u1@host:22/./main",
            "privateKeySecretRef": {"name": "borg-ssh", "key": "id_ed25519"},
            "knownHostsSecretRef": {"name": "borg-ssh", "key": "known_hosts"},
        },
        "encryption": {"mode": "none"},
        "sources": [source()],
        **spec,
    }
    return BorgRepository.model_validate({"metadata": metadata(name), "spec": body})


def script(name: str, content: str = "true", parameters: tuple[dict[str, Any], ...] = ()) -> BorgScript:
    spec = {"content": content, "parameters": list(parameters)}
    return BorgScript.model_validate({"metadata": metadata(name), "spec": spec})


def run(name: str, status: dict[str, Any] | None = None, **spec: Any) -> BorgRun:
    body = {"scheduleRef": {"name": "db"}, **spec}
    return BorgRun.model_validate({"metadata": metadata(name), "spec": body, "status": status or {}})


def bundle(
    of: BorgSchedule | None = None,
    repositories: tuple[BorgRepository, ...] | None = None,
    scripts: tuple[BorgScript, ...] = (),
    claims: tuple[str, ...] = ("app-data", "repo-main", "repo-offsite"),
    *,
    neighbours: tuple[BorgSchedule, ...] = (),
    namesakes: tuple[BorgSchedule, ...] = (),
) -> Bundle:
    chosen = (local_repository(),) if repositories is None else repositories
    return Bundle(
        schedule=of or schedule(),
        repositories={item.metadata.name: item for item in chosen},
        scripts={item.metadata.name: item for item in scripts},
        claims=frozenset(claims),
        neighbours=neighbours,
        namesakes=namesakes,
    )


def world(of: Bundle | None = None, **more: Any) -> World:
    name = of.schedule.metadata.name if of else "db"
    return World(namespace=NAMESPACE, name=name, settings=SETTINGS, bundle=of, **more)


def job(name: str = "db-1", **more: Any) -> ObservedJob:
    base = ObservedJob(
        namespace=NAMESPACE,
        name=name,
        uid=f"job-uid-{name}",
        schedule="db",
        operation="Backup",
        owner_kind="CronJob",
        owner_uid="uid-cron",
        created=NOW,
        scheduled=NOW,
        started=NOW,
    )
    return replace(base, **more)


def result(phase: Phase = Phase.COMPLETED, **more: Any) -> RunResult:
    repository = RepositoryResult(
        name="main",
        phase=phase,
        archive="db-2026-03-02T12:00:00",
        original_size=100,
        compressed_size=60,
        deduplicated_size=10,
        files=3,
        seconds=1.5,
        totals=RepositoryTotals(archives=4, original_size=400, deduplicated_size=70),
    )
    return RunResult(phase=phase, repositories=(repository,), **more)
