"""Small resources for tests: valid, with only what a test says different."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from borg_contract.result import RepositoryResult, RepositoryTotals, RunResult
from borg_contract.run import Operation, Phase
from borg_core.actions import Action, CreateCronJob, PatchStatus, Plan
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.script import BorgScript
from borg_core.native.claim import ObservedClaim
from borg_core.native.cron_job import ObservedCronJob, parse_cron_job, times_of
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod
from borg_core.reconcile.schedule import plan_schedule
from borg_core.registry import Reference
from borg_core.runs.world import World
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle

NAMESPACE = "team"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = Settings(runner_image="runner:1")
DB = Reference("BorgSchedule", NAMESPACE, "db")

A = TypeVar("A", bound=Action)


@dataclass(frozen=True)
class Case(World):
    """What is there around a schedule, and the schedule itself with all that it refers to."""

    bundle: Bundle | None = None


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
        "archiveLimit": 0,
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
        "archiveLimit": 0,
        **spec,
    }
    return BorgRepository.model_validate({"metadata": metadata(name), "spec": body})


def script(name: str, content: str = "true", parameters: tuple[dict[str, Any], ...] = ()) -> BorgScript:
    spec = {"content": content, "parameters": list(parameters)}
    return BorgScript.model_validate({"metadata": metadata(name), "spec": spec})


def run(name: str, status: dict[str, Any] | None = None, **spec: Any) -> BorgRun:
    body = {"scheduleRef": {"name": "db"}, **spec}
    return BorgRun.model_validate({"metadata": metadata(name), "spec": body, "status": status or {}})


def claim(name: str = "app-data", **more: Any) -> ObservedClaim:
    """Return a claim whose volume a CSI driver made."""
    known = {"size": "1Gi", "storage_class": "fast", "access_modes": ("ReadWriteOnce",), "driver": "csi.test", **more}
    return ObservedClaim(namespace=NAMESPACE, name=name, uid=f"uid-{name}", created="", labels={}, **known)


def claims_called(*names: str) -> dict[str, ObservedClaim]:
    return {name: claim(name) for name in names}


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
        claims=claims_called(*claims),
        neighbours=neighbours,
        namesakes=namesakes,
    )


def world(of: Bundle | None = None, **more: Any) -> Case:
    subject = of.owner.reference if of else DB
    return Case(**{"subject": subject, "settings": SETTINGS, "bundle": of, **more})


def plan(case: Case, now: datetime = NOW) -> Plan:
    return plan_schedule(case, case.bundle, now)


def planned(case: Case, kind: type[A], now: datetime = NOW) -> list[A]:
    """Return the actions of that kind that are planned."""
    return [action for action in plan(case, now).actions if isinstance(action, kind)]


def settled(case: Case, **cron_job: Any) -> Case:
    """Return the world after the plan of a new schedule was carried out."""
    assert case.bundle
    (made,) = planned(case, CreateCronJob)
    (patched,) = [patch for patch in planned(case, PatchStatus) if patch.target == case.subject]
    changed = with_status(case.bundle.schedule, patched.status)
    found = replace(observed(made.manifest), **cron_job)
    return replace(case, cron_job=found, bundle=replace(case.bundle, schedule=changed))


def observed(manifest: dict[str, Any]) -> ObservedCronJob:
    """Return a CronJob as it is once it was made."""
    made = {"uid": "uid-cron", "creationTimestamp": "2026-03-01T00:00:00Z"}
    return parse_cron_job({**manifest, "metadata": {**manifest["metadata"], **made}})


def cron_job(schedule: str = "0 2 * * *", *, suspend: bool = False, **more: Any) -> ObservedCronJob:
    """Return the CronJob of the schedule `db`."""
    spec = {"schedule": schedule, "timeZone": "Etc/UTC", "suspend": suspend, "startingDeadlineSeconds": 3600}
    metadata = {"namespace": NAMESPACE, "name": "db", "uid": "uid-cron"}
    return replace(parse_cron_job({"metadata": metadata, "spec": spec}), **{"owner_uid": "uid-db", **more})


def with_spec(cron_job: ObservedCronJob, **change: Any) -> ObservedCronJob:
    """Return the CronJob after somebody changed its spec."""
    spec = {**cron_job.spec, **change}
    schedule, time_zone, suspended = times_of(spec)
    text = json.dumps(spec)
    return replace(cron_job, schedule=schedule, time_zone=time_zone, suspended=suspended, spec_text=text)


def with_status(of: BorgSchedule, status: dict[str, Any]) -> BorgSchedule:
    return BorgSchedule.model_validate({**of.model_dump(by_alias=True), "status": status})


def job(name: str = "db-1", **more: Any) -> ObservedJob:
    base = ObservedJob(
        namespace=NAMESPACE,
        name=name,
        uid=f"job-uid-{name}",
        subject=DB,
        operation=Operation.BACKUP,
        owner_kind="CronJob",
        owner_uid="uid-cron",
        created=NOW,
        scheduled=NOW,
        started=NOW,
    )
    return replace(base, **more)


def job_by_hand(name: str = "now", **more: Any) -> ObservedJob:
    """Return the Job of the run of that name, as the operator made it: suspended."""
    given = {"run_uid": f"uid-{name}", "scheduled": None, "started": None, "suspended": True, "at_rest": True, **more}
    return job(name, **given)


def pod(of: ObservedJob | str = "db-1", **more: Any) -> dict[str, ObservedPod]:
    """Return the pod of a Job, by the Job's uid; running, unless `more` says otherwise."""
    name, uid = (of.name, of.uid) if isinstance(of, ObservedJob) else (of, f"job-uid-{of}")
    base = ObservedPod(NAMESPACE, f"{name}-x", f"pod-uid-{name}", uid, DB, NOW, began=True)
    return {uid: replace(base, **more)}


def pod_metadata(of: ObservedJob, **more: Any) -> dict[str, Any]:
    """Return the metadata of the Job's pod, as the API server shows it."""
    return {
        "namespace": "team",
        "name": "db-1-x",
        "uid": "pod",
        "creationTimestamp": "2026-03-02T12:00:00Z",
        "labels": {"batch.kubernetes.io/controller-uid": of.uid},
        "ownerReferences": [{"kind": "Job", "name": of.name, "uid": of.uid, "controller": True}],
        **more,
    }


def ended_pod(of: ObservedJob | str = "db-1", result: RunResult | None = None, **ending: Any) -> dict[str, ObservedPod]:
    """Return the pod of a Job after its container `borg` has ended."""
    return pod(of, ending=Ending(**{"result": result, "finished": NOW, **ending}), finished=True)


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
