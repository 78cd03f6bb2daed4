"""An application that tries what a drill restored: its container, and what its end makes of the drill."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_contract.codec import decode_plan, encode
from borg_contract.run import Phase
from borg_core.actions import CreateCronJob, CreateJob, EndPod
from borg_core.kinds.parts.verification import DrillApp
from borg_core.kinds.run import BorgRun
from borg_core.native.pod import ObservedPod, parse_pod
from borg_core.policies.permissions import is_forbidden
from borg_core.reconcile.repository import plan_repository
from borg_core.registry import Reference
from borg_core.repositories.surroundings import Surroundings
from borg_core.runs.status.run_status import derive_run_status
from borg_core.runs.world import World
from borg_core.settings import Settings
from borg_core.workload.containers import render_app
from support import builders
from support.builders import NOW

IMAGE = "registry.example.com/postgres:18"
APP = {
    "image": IMAGE,
    "command": ["pg_restore"],
    "args": ["--list", "/restored/db/sources/data/dump"],
    "env": [{"name": "LANG", "value": "C.UTF-8"}],
    "paths": ["sources/data/dump"],
    "timeoutSeconds": 600,
}
FROM_SECRET = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "pg", "key": "password"}}}
ALLOWING = Settings(runner_image="runner:1", allowed_images=("registry.example.com/*",))
AT = "2026-03-02T12:00:00Z"
RESULT = encode(builders.result())
BAD = encode(builders.result(Phase.FAILED, reason="RepositoryDamaged", message="main: damaged"))
JOB = builders.job(run_uid="uid-db-1")


def actions_of(app: dict[str, Any], settings: Settings = ALLOWING, *runs: BorgRun) -> tuple[Any, ...]:
    asked = {"drill": {"schedule": "0 5 * * 6", "app": app}, "check": {"schedule": "0 3 * * 0"}}
    world = World(Reference("BorgRepository", "team", "main"), settings, runs=runs)
    around = Surroundings(schedules=1, names=("db",), claims=builders.claims_called("repo-main"))
    return plan_repository(world, builders.local_repository(verification=asked), around, NOW).actions


def cron_jobs_of(app: dict[str, Any], settings: Settings = ALLOWING) -> dict[str, Any]:
    made = (action.manifest for action in actions_of(app, settings) if isinstance(action, CreateCronJob))
    return {manifest["metadata"]["name"]: manifest["spec"] for manifest in made}


def template_of(app: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = cron_jobs_of(app)["main-drill"]["jobTemplate"]["spec"]["template"]
    return template


def test_the_application_begins_when_the_drill_has_ended_with_nothing_but_the_files() -> None:
    template = template_of(APP)
    pod = template["spec"]
    [borg], [app] = pod["initContainers"], pod["containers"]
    assert (borg["name"], app["name"], app["image"]) == ("borg", "app", IMAGE)
    assert "readinessProbe" not in borg, "the API server takes none of an init container"
    assert (app["command"], app["args"]) == (APP["command"], APP["args"])
    assert app["env"] == APP["env"], "no plan, and nothing of the repository"
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in app["volumeMounts"]}
    assert mounts == {"/restored": True, "/tmp": False}
    assert {"name": "restored", "mountPath": "/restored"} in borg["volumeMounts"]
    assert app["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert template["metadata"]["annotations"] == {
        "borgoperator.io/app-seconds": "600",
        "kubectl.kubernetes.io/default-container": "borg",
    }
    plan = decode_plan(next(item["value"] for item in borg["env"] if item["name"] == "BORG_RUN_PLAN"))
    assert plan.drill
    assert (plan.drill.for_app, plan.drill.app_paths) == (True, ("sources/data/dump",))


def test_checks_have_no_application() -> None:
    pod = cron_jobs_of(APP)["main-check"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [item["name"] for item in pod["containers"]] == ["borg"]
    assert "initContainers" not in pod


def test_what_an_application_with_a_secret_prints_is_kept_by_nobody_but_its_log() -> None:
    borg = {"imagePullPolicy": "IfNotPresent", "resources": {"limits": {"memory": "1Gi"}}}
    plain = render_app(DrillApp.model_validate(APP), borg)
    secret = render_app(DrillApp.model_validate({**APP, "env": [FROM_SECRET]}), borg)
    assert plain["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert secret["terminationMessagePolicy"] == "File"
    assert secret["env"] == [FROM_SECRET]
    assert secret["resources"] == borg["resources"], "a quota asks for them of every container"


def test_an_image_that_the_installer_did_not_allow_keeps_drills_from_running_and_nothing_else() -> None:
    closed = Settings(runner_image="runner:1")
    main = {"scheduleRef": None, "repositoryRef": {"name": "main"}}
    asked, check = builders.run("now", operation="Drill", **main), builders.run("then", operation="Check", **main)
    assert list(cron_jobs_of(APP, closed)) == ["main-check"]
    actions = actions_of(APP, closed, asked, check)
    words = [action.status for action in actions if getattr(action, "target", None) and action.target.name == "now"]
    assert (words[0]["reason"], words[0]["phase"]) == ("ImageNotAllowed", "Pending")
    assert "spec.verification.drill.app" in words[0]["message"]
    assert IMAGE in words[0]["message"]
    assert not any(action.manifest["metadata"]["name"] == "now" for action in actions if isinstance(action, CreateJob))
    was_allowed = cron_jobs_of(APP)["main-drill"]
    assert is_forbidden(was_allowed, closed)
    assert not is_forbidden(was_allowed, ALLOWING)


def pod_of(
    borg: dict[str, Any] | None,
    app: dict[str, Any] | None = None,
    *,
    policy: str = "FallbackToLogsOnError",
    **status: Any,
) -> ObservedPod:
    """Return the pod with its two containers in these states, as the API server shows it."""
    return parse_pod(
        {
            "metadata": builders.pod_metadata(JOB, annotations={"borgoperator.io/app-seconds": "600"}),
            "spec": {
                "initContainers": [{"name": "borg"}],
                "containers": [{"name": "app", "image": IMAGE, "terminationMessagePolicy": policy}],
            },
            "status": {
                "phase": "Running",
                "initContainerStatuses": [{"name": "borg", "ready": False, "state": borg}] if borg else [],
                "containerStatuses": [{"name": "app", "ready": False, "state": app}] if app else [],
                **status,
            },
        }
    )


def over(message: str = "", code: int = 0, **more: Any) -> dict[str, Any]:
    return {"terminated": {"message": message, "exitCode": code, "startedAt": AT, "finishedAt": AT, **more}}


RUNNING = {"running": {"startedAt": AT}}
NOT_YET = {"waiting": {"reason": "PodInitializing"}}
NO_IMAGE = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
NO_SECRET = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "pg" not found'}}
ENDED = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than …"}
FAILED = {"phase": "Failed"}

STATES: dict[str, tuple[ObservedPod, str, str | None, str]] = {
    "the drill is at work": (pod_of(RUNNING, NOT_YET), "Running", None, ""),
    "the drill waits for a node": (pod_of(None), "Pending", None, ""),
    "the application is at work": (pod_of(over(RESULT), RUNNING), "Running", None, ""),
    "its image is pulled": (pod_of(over(RESULT), NOT_YET), "Running", None, ""),
    "no image": (pod_of(over(RESULT), NO_IMAGE), "Running", "WaitingForPod", "ErrImagePull: not found"),
    "well": (pod_of(over(RESULT), over(), phase="Succeeded"), "Completed", None, ""),
    "the drill found damage": (pod_of(over(BAD, 1), NOT_YET, **FAILED), "Failed", "RepositoryDamaged", "damaged"),
    "the application failed": (
        pod_of(over(RESULT), over("reading\n\tno such table\x1b\n", 3), **FAILED),
        "Failed",
        "AppFailed",
        "failed with exit code 3. It last said: reading; no such table?",
    ),
    "and was silent": (pod_of(over(RESULT), over("", 3), **FAILED), "Failed", "AppFailed", "3, and said nothing"),
    "and may have said a secret": (
        pod_of(over(RESULT), over("hunter2", 3), policy="File", **FAILED),
        "Failed",
        "AppFailed",
        "in the log of the pod's container app alone",
    ),
    "it had too little memory": (
        pod_of(over(RESULT), over("", 137, reason="OOMKilled"), **FAILED),
        "Failed",
        "OutOfMemory",
        "more memory",
    ),
    "it had no such program": (
        pod_of(over(RESULT), over('exec: "x": not found', 128, reason="StartError"), **FAILED),
        "Failed",
        "AppFailed",
        'could not be started: exec: "x": not found',
    ),
    "it had no such program, and containerd tells of a start": (
        pod_of(over(RESULT), over('exec: "x": not found', 128, startedAt="1970-01-01T00:00:00Z"), **FAILED),
        "Failed",
        "AppFailed",
        'could not be started: exec: "x": not found',
    ),
    "it never ended": (
        pod_of(over(RESULT), over("", 143), **ENDED),
        "Failed",
        "AppTimedOut",
        "had not ended 600 s after the files were there (drill.app.timeoutSeconds)",
    ),
    "no image until then": (
        pod_of(over(RESULT), NO_IMAGE, **ENDED),
        "Failed",
        "AppTimedOut",
        "had not begun (ErrImagePull: not found)",
    ),
    "no Secret until then": (
        pod_of(over(RESULT), NO_SECRET, **ENDED),
        "Failed",
        "AppTimedOut",
        'secret "pg" not found',
    ),
    "its node was full": (
        pod_of(over(RESULT), over("", 137), phase="Failed", reason="Evicted", message="low on  memory"),
        "Failed",
        "Evicted",
        "low on memory",
    ),
}


@pytest.mark.parametrize("name", sorted(STATES))
def test_what_a_drill_says_while_and_after_an_application_tries_its_files(name: str) -> None:
    pod, phase, reason, says = STATES[name]
    job = replace(JOB, succeeded=phase == "Completed", completed=NOW) if pod.finished else JOB
    status = derive_run_status(builders.run("db-1"), job, pod, "", NOW)
    assert (status.phase, status.reason) == (phase, reason)
    assert says in (status.message or "")
    assert "hunter2" not in status.model_dump_json()
    if reason == "AppFailed":
        [told] = status.repositories
        assert (told.phase, told.reason, told.error) == (Phase.FAILED, reason, status.message)
    assert not pod.others_left
    assert not pod.waits


def test_an_application_that_does_not_end_is_ended() -> None:
    pod = pod_of(over(RESULT), RUNNING)
    assert pod.app_deadline == NOW + timedelta(seconds=600)

    def plan(now: Any) -> tuple[list[EndPod], float | None]:
        world = builders.world(builders.bundle(), jobs=(builders.job(),), pods={JOB.uid: pod})
        found = builders.plan(world, now)
        return [action for action in found.actions if isinstance(action, EndPod)], found.requeue_after

    early = pod.app_deadline - timedelta(seconds=20)
    assert plan(early) == ([], 20.0)
    assert [action.pod.name for action in plan(pod.app_deadline)[0]] == ["db-1-x"]
    for over_already in (
        pod_of(over(RESULT), over()),
        pod_of(over(BAD, 1), NOT_YET, **FAILED),
        pod_of(RUNNING, NOT_YET),
    ):
        assert over_already.app_deadline is None
