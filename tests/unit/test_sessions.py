"""A session: its pod, what it says of itself, for whom it makes way, when it is forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_contract.codec import decode_session_plan
from borg_contract.pod import session_lock_holder
from borg_contract.session.plan import SESSION_PLAN_ENV
from borg_core import labels
from borg_core.actions import (
    Action,
    CreateJob,
    CreateNetworkPolicy,
    DeleteJob,
    DeleteSession,
    PatchStatus,
    Plan,
    RecordEvent,
)
from borg_core.formats import format_time
from borg_core.kinds.parts.job import JobOptions
from borg_core.kinds.session import SESSIONS, BorgSession
from borg_core.native.job import ObservedJob, parse_job
from borg_core.native.pod import Ending, ObservedPod, parse_pod
from borg_core.reconcile.session import KEPT, plan_session, reconcile_session
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.locks import derive_suspects
from borg_core.runs.world import Host, Refusal, World
from borg_core.sessions.facts import Facts, gather_facts
from borg_core.sessions.priority import PATIENCE
from borg_core.sessions.workload import derive_job_name, render_job, render_network_policy
from borg_core.settings import FacadePods, Settings
from borg_operator.store import Store
from support import builders
from support.builders import NOW

FACADE = FacadePods("borg-system", {"app.kubernetes.io/component": "api"})
SETTINGS = Settings(runner_image="runner:1", cluster="prod", facade=FACADE)
KEYS = ("a" * 43,)
SUBJECT = Reference("BorgSession", builders.NAMESPACE, "main")


def session(name: str = "main", status: dict[str, Any] | None = None, **spec: Any) -> BorgSession:
    body = {"repositoryRef": {"name": "main"}, **spec}
    return BorgSession.model_validate(
        {"metadata": builders.metadata(name, uid=f"{name}-uid-0123"), "spec": body, "status": status or {}}
    )


def facts(of: BorgSession | None = None, **more: Any) -> Facts:
    base = Facts(of or session(), builders.local_repository(), claims=builders.claims_called("repo-main"))
    return replace(base, **more)


def world(**more: Any) -> World:
    return World(**{"subject": SUBJECT, "settings": SETTINGS, "keys": KEYS, **more})


def job(of: BorgSession | None = None, **more: Any) -> ObservedJob:
    """Return the session's Job, as it is once it was made."""
    found = facts(of)
    manifest = render_job(found, KEYS, SETTINGS)
    metadata = {**manifest["metadata"], "uid": "job-uid", "creationTimestamp": format_time(NOW)}
    return replace(parse_job({**manifest, "metadata": metadata}), **more)


def pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, ObservedPod]:
    """Return the pod of that Job, by the Job's uid."""
    marks = render_job(facts(), KEYS, SETTINGS)["spec"]["template"]["metadata"]["labels"]
    body = {
        "metadata": {
            "namespace": builders.NAMESPACE,
            "name": "session-main-x",
            "uid": "pod-uid",
            "creationTimestamp": format_time(NOW),
            "labels": {**marks, labels.CONTROLLER_UID: "job-uid"},
        },
        "spec": {"nodeName": "n1"},
        "status": {
            "phase": "Running",
            "podIP": "10.1.2.3",
            "containerStatuses": [
                {"name": "session", "ready": True, "state": state or {"running": {"startedAt": format_time(NOW)}}}
            ],
            **status,
        },
    }
    return {"job-uid": parse_pod(body)}


def ended(message: str = "", code: int = 0, reason: str = "Completed") -> dict[str, ObservedPod]:
    told = {"exitCode": code, "reason": reason, "message": message, "startedAt": format_time(NOW)}
    return pod({"terminated": told}, phase="Succeeded" if code == 0 else "Failed")


def of_type(plan: Plan, kind: type[Action]) -> list[Any]:
    return [action for action in plan.actions if isinstance(action, kind)]


def said(plan: Plan) -> dict[str, Any]:
    (patch,) = of_type(plan, PatchStatus)
    status: dict[str, Any] = patch.status
    return status


def test_the_policy_is_made_before_the_job_so_that_no_pod_is_open_to_others() -> None:
    plan = plan_session(world(), facts(), NOW)
    assert [type(action) for action in plan.actions] == [CreateNetworkPolicy, CreateJob, PatchStatus]
    assert said(plan)["phase"] == "Starting"


def test_a_pod_has_what_a_runs_pod_has_and_the_plan_of_a_session() -> None:
    manifest = render_job(facts(), KEYS, SETTINGS)
    spec = manifest["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert (container["name"], container["command"], container["image"]) == ("session", ["borg-session"], "runner:1")
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"/repositories/main", "/run/borg/secrets/borg-main", "/var/cache/borg", "/tmp"}
    (text,) = (item["value"] for item in container["env"] if item["name"] == SESSION_PLAN_ENV)
    plan = decode_session_plan(text)
    assert (plan.uid, plan.public_keys, plan.cluster) == ("main-uid-0123", KEYS, "prod")
    assert plan.repository.location == "/repositories/main"
    assert plan.repository.sources == ()
    assert {"name": "scratch", "emptyDir": {"sizeLimit": str(plan.scratch_bytes)}} in spec["volumes"]


def test_a_session_ends_by_itself_before_its_pod_is_ended_and_that_before_its_job() -> None:
    spec = render_job(facts(session(maxSeconds=3600)), KEYS, SETTINGS)["spec"]
    assert 3600 < spec["template"]["spec"]["activeDeadlineSeconds"] < spec["activeDeadlineSeconds"]


def test_a_pod_runs_as_those_of_the_oldest_schedule_and_is_put_where_runs_are_at_work() -> None:
    options = JobOptions(run_as_user=1000, tolerations=({"key": "backup"},))
    spec = render_job(facts(options=options), KEYS, SETTINGS)["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["tolerations"] == [{"key": "backup"}]
    (wish,) = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert wish["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"app.kubernetes.io/name": "borg-run"}}
    over_ssh = facts(repository=builders.ssh_repository("main"))
    assert "affinity" not in render_job(over_ssh, KEYS, SETTINGS)["spec"]["template"]["spec"]


def test_a_jobs_name_is_another_one_when_a_session_is_made_anew_and_never_too_long() -> None:
    long = "a" * 63
    assert derive_job_name(session(long)) != derive_job_name(session("a" * 62))
    assert len(derive_job_name(session(long))) <= 63
    again = BorgSession.model_validate({**session().model_dump(by_alias=True), "metadata": builders.metadata("main")})
    assert derive_job_name(again) != derive_job_name(session())


def test_the_policy_lets_in_the_facade_alone_and_nothing_out_where_all_is_on_volumes() -> None:
    manifest = render_network_policy(session(), builders.local_repository(), FACADE)
    spec = manifest["spec"]
    assert spec["podSelector"] == {"matchLabels": {labels.SESSION_UID: "main-uid-0123"}}
    (rule,) = spec["ingress"]
    assert rule["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "borg-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "api"}},
        }
    ]
    assert (spec["policyTypes"], spec.get("egress")) == (["Ingress", "Egress"], None)
    over_ssh = render_network_policy(session(), builders.ssh_repository(), FACADE)
    assert over_ssh["spec"]["policyTypes"] == ["Ingress"]
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "main-uid-0123"


def test_without_network_policies_there_is_only_the_job() -> None:
    plan = plan_session(world(settings=replace(SETTINGS, facade=None)), facts(), NOW)
    assert [type(action) for action in plan.actions] == [CreateJob, PatchStatus]


@pytest.mark.parametrize(
    ("more", "phase", "reason"),
    [
        ({"keys": None}, "Failed", "NoFacade"),
        ({"keys": ()}, "Starting", "WaitingForKey"),
    ],
)
def test_without_a_key_there_is_no_pod_that_nobody_could_ask(more: dict[str, Any], phase: str, reason: str) -> None:
    plan = plan_session(world(**more), facts(), NOW)
    assert of_type(plan, CreateJob) == []
    assert (said(plan)["phase"], said(plan)["reason"]) == (phase, reason)


@pytest.mark.parametrize("kind", ["Job", "NetworkPolicy"])
def test_where_one_of_the_two_is_refused_that_alone_is_tried_again_and_it_says_so(kind: str) -> None:
    refused = Reference(kind, builders.NAMESPACE, derive_job_name(session()))
    plan = plan_session(world(refusals={refused: Refusal("quota exceeded")}), facts(), NOW)
    (action,) = [action for action in plan.actions if isinstance(action, CreateJob | CreateNetworkPolicy)]
    assert type(action).__name__ == f"Create{kind}"
    assert said(plan)["reason"] == "RefusedByApiServer"
    assert "quota exceeded" in said(plan)["message"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"repository": None}, "RepositoryNotFound"),
        ({"claims": {}}, "ClaimNotFound"),
        ({"options": JobOptions(image="mine:1")}, "ImageNotAllowed"),
    ],
)
def test_what_cannot_be_opened_fails_and_says_why(change: dict[str, Any], reason: str) -> None:
    plan = plan_session(world(), facts(**change), NOW)
    assert of_type(plan, CreateJob) == []
    assert (said(plan)["phase"], said(plan)["reason"]) == ("Failed", reason)
    (event,) = of_type(plan, RecordEvent)
    assert event.warning


def test_a_ready_pod_is_told_with_its_address_and_when_it_ends() -> None:
    status = said(plan_session(world(jobs=(job(),), pods=pod()), facts(), NOW))
    assert (status["phase"], status["address"], status["podName"]) == ("Ready", "10.1.2.3", "session-main-x")
    assert status["expiresAt"] == format_time(NOW + timedelta(seconds=14400))
    (ready,) = status["conditions"]
    assert (ready["type"], ready["status"]) == ("Ready", "True")


def test_a_pod_that_does_not_answer_any_more_is_not_told_as_one_that_does() -> None:
    before = session(status={"phase": "Ready", "address": "10.1.2.3"})
    silent = pod(containerStatuses=[{"name": "session", "ready": False, "state": {"running": {}}}])
    status = said(plan_session(world(jobs=(job(),), pods=silent), facts(before), NOW))
    assert (status["phase"], status["address"]) == ("Starting", None)


def test_a_pod_that_does_not_start_says_why() -> None:
    waiting = pod({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, phase="Pending")
    status = said(plan_session(world(jobs=(job(),), pods=waiting), facts(), NOW))
    assert (status["phase"], status["reason"]) == ("Starting", "WaitingForPod")
    assert "no such image" in status["message"]


REFUSED = '{"reason":"PassphraseWrong","message":"The passphrase is wrong"}'


@pytest.mark.parametrize(
    ("pods", "done", "phase", "reason"),
    [
        (ended(), {"succeeded": True}, "Ended", "SessionEnded"),
        (ended(), {}, "Ended", "SessionEnded"),  # the Job's controller has not seen it yet
        (ended(REFUSED, 1, "Error"), {"succeeded": False}, "Failed", "PassphraseWrong"),
        (ended('{"reason":"not a word","message":""}', 1, "Error"), {"succeeded": False}, "Failed", "ResultUnreadable"),
        (ended("", 137, "OOMKilled"), {"succeeded": False}, "Failed", "OutOfMemory"),
        ({}, {"succeeded": False}, "Failed", "PodLost"),
        ({}, {"succeeded": False, "failure_reason": "DeadlineExceeded"}, "Ended", "SessionEnded"),
    ],
)
def test_how_a_session_ended(pods: dict[str, ObservedPod], done: dict[str, Any], phase: str, reason: str) -> None:
    status = said(plan_session(world(jobs=(job(**done),), pods=pods), facts(), NOW))
    assert (status["phase"], status["reason"], status["endTime"]) == (phase, reason, format_time(NOW))


def test_a_pod_that_the_cluster_takes_away_is_replaced_and_the_session_goes_on() -> None:
    gone = {uid: replace(found, disrupted=True) for uid, found in ended("", 143, "Error").items()}
    assert said(plan_session(world(jobs=(job(),), pods=gone), facts(), NOW))["phase"] == "Starting"


def test_a_session_whose_job_was_deleted_has_ended() -> None:
    before = session(status={"phase": "Ready", "address": "10.1.2.3"})
    for jobs in ((), (job(deleting=True),)):
        status = said(plan_session(world(jobs=jobs), facts(before), NOW))
        assert (status["phase"], status["reason"]) == ("Ended", "JobDeleted")


def test_one_session_is_enough_for_a_repository_and_the_first_one_stays() -> None:
    store = Store()
    store.put(SESSIONS, _body("second", "2026-03-01T00:00:02Z"))
    store.put(SESSIONS, _body("first", "2026-03-01T00:00:01Z"))
    store.put(SESSIONS, _body("other", "2026-03-01T00:00:00Z", repository="offsite"))
    store.put(SESSIONS, _body("over", "2026-03-01T00:00:00Z", status={"phase": "Ended"}))
    from borg_core.kinds.repository import REPOSITORIES  # noqa: PLC0415

    repository = builders.local_repository()
    store.put(REPOSITORIES, repository.model_dump(by_alias=True, mode="json"))
    found = {name: store.get(SESSIONS, builders.NAMESPACE, name) for name in ("first", "second")}
    assert found["first"]
    assert gather_facts(store, found["first"]).before is None
    assert found["second"]
    before = gather_facts(store, found["second"]).before
    assert before
    assert before.metadata.name == "first"
    status = said(plan_session(world(), facts(before=before), NOW))
    assert (status["phase"], status["reason"]) == ("Ended", "AlreadyOpen")
    assert '"first"' in status["message"]


def _body(name: str, created: str, repository: str = "main", status: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = builders.metadata(name, creationTimestamp=created)
    return {
        "kind": "BorgSession",
        "metadata": metadata,
        "spec": {"repositoryRef": {"name": repository}},
        "status": status or {},
    }


HOLDER = session_lock_holder(builders.NAMESPACE, "main", "main-uid-0123", "0123456789ab")
LONG_AGO = format_time(NOW - PATIENCE)


@pytest.mark.parametrize(
    ("reason", "message", "started", "makes_way"),
    [
        ("WaitingForLock", f"Locked by session ({HOLDER}): waits", LONG_AGO, True),
        ("WaitingForLock", f"Locked by session ({HOLDER}): waits", format_time(NOW), False),
        ("WaitingForLock", 'Locked by run "x" (borgoperator.io_team_x_u_p): waits', LONG_AGO, False),
        ("WaitingForLock", "Locked by another client, or a borg serve", LONG_AGO, True),
        ("WaitingForPod", 'FailedAttachVolume: Multi-Attach error for volume "v"', None, True),
        ("WaitingForPod", "Unschedulable: PersistentVolumeClaim with ReadWriteOncePod access mode", None, True),
        ("WaitingForPod", "ErrImagePull: no such image", None, False),
        ("WaitingForRun", "Waits", None, False),
        (None, "", LONG_AGO, False),
    ],
)
def test_a_run_comes_first(reason: str | None, message: str, started: str | None, makes_way: bool) -> None:
    status = {"phase": "Running", "reason": reason, "message": message, "startTime": started}
    given = {key: value for key, value in status.items() if value is not None}
    found = facts(runs=(builders.run("db-1", given),))
    plan = plan_session(world(jobs=(job(),), pods=pod()), found, NOW)
    assert [action.uid for action in of_type(plan, DeleteJob)] == (["job-uid"] if makes_way else [])
    assert said(plan)["phase"] == ("Ended" if makes_way else "Ready")
    if makes_way:
        assert '"db-1"' in said(plan)["message"]


def test_the_lock_of_a_session_is_looked_at_as_that_of_a_run() -> None:
    status = {"phase": "Running", "reason": "WaitingForLock", "message": f"Locked by session ({HOLDER}): waits"}
    waiting = builders.run("db-1", status)
    entry = Entry(waiting, None, None, waiting.status)
    host = Host(builders.bundle().owner, 10, lambda _: (), lambda *_: builders.bundle().workload())
    assert list(derive_suspects(host, [entry], "prod")) == [HOLDER]


def test_one_that_is_open_looks_again_and_again_whether_a_run_waits() -> None:
    found = plan_session(world(jobs=(job(),), pods=pod()), facts(), NOW)
    assert found.requeue_after
    assert found.requeue_after <= 30


@pytest.mark.parametrize("phase", sorted(KEPT))
def test_a_session_that_has_ended_is_there_for_a_while_and_then_forgotten(phase: Any) -> None:
    over = session(status={"phase": phase.value, "endTime": format_time(NOW)})
    kept = plan_session(world(), facts(over), NOW + KEPT[phase] - timedelta(seconds=1))
    assert (kept.actions, kept.requeue_after) == ((), 1)
    plan = plan_session(world(), facts(over), NOW + KEPT[phase])
    assert plan.actions == (DeleteSession(SUBJECT, "main-uid-0123"),)


def test_jobs_of_a_session_that_is_gone_or_was_made_anew_are_ended() -> None:
    left = job(owner_uid="earlier")
    assert of_type(plan_session(world(jobs=(left,)), facts(), NOW), DeleteJob) == [DeleteJob(left.reference, left.uid)]
    plan = reconcile_session(world(jobs=(left,)), Store(), NOW)
    assert plan.actions == (DeleteJob(left.reference, left.uid),)


def test_the_end_of_a_sessions_container_is_seen_as_that_of_a_runs() -> None:
    (found,) = ended().values()
    assert found.stopped
    assert found.session_uid == "main-uid-0123"
    assert found.ending == Ending(reason="Completed", exit_code=0, finished=None)
