"""What is gathered around a schedule: from what is known, and freshly asked for where absence would matter."""

from datetime import timedelta
from typing import Any

import pytest

from borg_core import labels
from borg_core.runs.world import World
from support import builders
from support.builders import DB, NOW
from support.operator import Operator, run
from support.recorder import Recorder

AT = "2026-03-02T12:00:00Z"
MARKS = {labels.MANAGED_BY: labels.MANAGER, labels.SCHEDULE: "db"}
FAILED = {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": AT}]}
WAITS = {
    "phase": "Pending",
    "containerStatuses": [{"name": "borg", "state": {"waiting": {"reason": "ContainerCreating"}}}],
}
ENDED = {
    "phase": "Failed",
    "containerStatuses": [
        {"name": "borg", "state": {"terminated": {"exitCode": 1, "startedAt": AT, "finishedAt": AT}}}
    ],
}


def metadata(name: str, uid: str = "", **more: Any) -> dict[str, Any]:
    made = {"namespace": "team", "name": name, "uid": uid or f"uid-{name}", "creationTimestamp": AT, "labels": MARKS}
    return {**made, **more}


def job(name: str = "db-1", **more: Any) -> dict[str, Any]:
    return {"metadata": metadata(name), "spec": {}, "status": {}, **more}


def pod(status: dict[str, Any], of: str = "uid-db-1", name: str = "p", **more: Any) -> dict[str, Any]:
    return {"metadata": metadata(name, labels={**MARKS, labels.CONTROLLER_UID: of}, **more), "status": status}


def event(about: str, note: str, reason: str = "FailedMount", time: str = AT, type_: str = "Warning") -> dict[str, Any]:
    found = {
        "type": type_,
        "reason": reason,
        "note": note,
        "regarding": {"uid": about},
        "deprecatedLastTimestamp": time,
    }
    return {"metadata": {"namespace": "team", "name": f"e-{abs(hash((note, time)))}"}, **found}


def gather(recorder: Recorder, operator: Operator | None = None, seconds: float = 0) -> tuple[World, list[str]]:
    """Return the world so long after NOW, and what was asked for."""
    known = operator or Operator(recorder)
    world = run(known.gatherer.gather(DB, {}, NOW + timedelta(seconds=seconds)))
    return world, [f"{request.verb} {request.kind}" for request in recorder.requests]


def with_objects(**objects: list[dict[str, Any]]) -> Recorder:
    recorder = Recorder()
    for kind, bodies in objects.items():
        for body in bodies:
            recorder.add(kind, body)
    return recorder


def test_of_the_claims_that_are_being_deleted_those_are_told_that_finished_jobs_keep() -> None:
    def using(name: str, claim: str, status: dict[str, Any]) -> dict[str, Any]:
        volumes = [{"name": "source-0", "persistentVolumeClaim": {"claimName": claim}}]
        return job(name, spec={"template": {"spec": {"volumes": volumes}}}, status=status)

    def claim(name: str, **more: Any) -> dict[str, Any]:
        return {"metadata": metadata(name, **more)}

    going = {"deletionTimestamp": AT}
    recorder = with_objects(
        Job=[
            using("db-1", "a", FAILED),
            using("db-2", "b", FAILED),
            using("db-3", "c", {}),
            using("db-4", "d", FAILED),
        ],
        PersistentVolumeClaim=[claim("a", **going), claim("b"), claim("c", **going), claim("e", **going)],
    )
    assert gather(recorder)[0].leaving == {"a"}


def test_where_all_is_well_nothing_is_asked() -> None:
    running = {"phase": "Running", "containerStatuses": [{"name": "borg", "state": {"running": {"startedAt": AT}}}]}
    recorder = with_objects(Job=[job()], Pod=[pod(running)])
    world, asked = gather(recorder, seconds=600)
    assert asked == []
    assert world.pods["uid-db-1"].began
    assert world.lingering == ()


def test_a_job_that_ended_is_not_taken_for_one_whose_pod_is_lost_while_the_watch_of_pods_lags() -> None:
    recorder = with_objects(Job=[job(status=FAILED)])
    operator = Operator(recorder, late=True)
    recorder.add("Pod", pod(ENDED))
    world, asked = gather(recorder, operator)
    assert asked == ["list Pod"]
    assert world.pods["uid-db-1"].ending


def test_the_last_word_of_a_pod_that_was_deleted_is_kept() -> None:
    recorder = with_objects(Job=[job(status=FAILED)], Pod=[pod(ENDED)])
    operator = Operator(recorder)
    recorder.remove("Pod", "p")
    world, _ = gather(recorder, operator)
    assert world.pods["uid-db-1"].ending
    assert world.lingering == ()


def test_of_two_pods_of_a_job_the_newest_counts() -> None:
    newer = pod(WAITS, name="q", creationTimestamp="2026-03-02T12:00:09Z")
    world, _ = gather(with_objects(Job=[job()], Pod=[pod(ENDED), newer]))
    assert world.pods["uid-db-1"].name == "q"


def test_a_pod_that_works_on_although_its_job_is_gone_lingers() -> None:
    world, _ = gather(with_objects(Pod=[pod({"phase": "Running"}, of="gone"), pod(ENDED, of="gone", name="q")]))
    assert [found.name for found in world.lingering] == ["p"]


def test_a_pod_that_works_on_although_its_job_was_suspended_lingers() -> None:
    suspended = job(spec={"suspend": True})
    world, _ = gather(with_objects(Job=[suspended], Pod=[pod({"phase": "Running"})]))
    assert [found.name for found in world.lingering] == ["p"]


def test_a_job_that_is_not_watched_any_more_is_asked_for_before_it_is_called_deleted() -> None:
    running = builders.run("db-1", {"phase": "Running", "jobUid": "uid-db-1"}).model_dump(mode="json", by_alias=True)
    recorder = with_objects(Job=[job(metadata=metadata("db-1", labels={}))], BorgRun=[running])
    world, asked = gather(recorder)
    assert asked == ["get Job"]
    assert [found.uid for found in world.jobs] == ["uid-db-1"]


def test_a_run_that_cannot_be_read_is_not_gone() -> None:
    unreadable = {"metadata": metadata("db-1"), "spec": {"scheduleRef": {"name": "db"}, "operation": "Dance"}}
    marked = job(metadata=metadata("db-1", "job", annotations={labels.RUN_UID: "uid-db-1"}))
    world, _ = gather(with_objects(Job=[marked], BorgRun=[unreadable]))
    assert world.runs == ()
    assert world.unreadable_runs == {"uid-db-1"}


def test_a_schedule_that_cannot_be_read_is_told_from_one_that_is_not_there() -> None:
    unreadable = {"metadata": metadata("db"), "spec": {"schedule": 5}}
    assert gather(with_objects())[0].unreadable == ""
    assert gather(with_objects(BorgSchedule=[unreadable]))[0].unreadable


@pytest.mark.parametrize(
    ("objects", "seconds", "said"),
    [
        ({"Job": [job()]}, 9, None),
        (
            {"Job": [job()], "Event": [event("uid-db-1", "exceeded quota", "FailedCreate")]},
            10,
            "FailedCreate: exceeded quota",
        ),
        ({"Job": [job()]}, 10, None),
        ({"Job": [job()]}, 30, "NoPod: the Job controller has made no pod for Job db-1, and no Event says why"),
        (
            {"Job": [job()], "Pod": [pod(WAITS)], "Event": [event("uid-p", "no such secret")]},
            10,
            "FailedMount: no such secret",
        ),
        (
            {"Job": [job()], "Pod": [pod(WAITS)]},
            30,
            "ContainerCreating: pod p waits on its node for its volumes or its network, and no Event says why",
        ),
        ({"Job": [job()], "Event": [event("uid-db-1", "made", "Created", type_="Normal")]}, 10, None),
        ({"Job": [job()], "Event": [event("somebody", "other")]}, 10, None),
        ({"Job": [job()], "Pod": [pod(WAITS)], "Event": [event("uid-p", "no", "FailedScheduling")]}, 10, None),
        ({"Job": [job(spec={"suspend": True})], "Event": [event("uid-db-1", "x")]}, 60, None),
        ({"Job": [job(status=FAILED)], "Pod": [pod(ENDED)], "Event": [event("uid-db-1", "x")]}, 60, None),
        (
            {
                "Job": [job()],
                "Event": [event("uid-db-1", 'pods "db-1-x7k2p" is forbidden\n  by policy', "FailedCreate")],
            },
            10,
            'FailedCreate: pods "db-1" is forbidden by policy',
        ),
        (
            {
                "Job": [job()],
                "Event": [
                    event("uid-db-1", "newer", time="2026-03-02T12:00:05Z"),
                    event("uid-db-1", "older", time="2026-03-02T12:00:04Z"),
                ],
            },
            10,
            "FailedMount: newer",
        ),
    ],
    ids=[
        "too early",
        "no pod, an Event",
        "no pod, no Event yet",
        "no pod, no Event for long",
        "a pod, an Event",
        "a pod, no Event for long",
        "a normal Event",
        "an Event of another",
        "an Event of the time before it had a node",
        "suspended",
        "over",
        "with the name of a pod that changes each time",
        "the newest",
    ],
)
def test_what_does_not_get_on_is_told_in_the_words_of_events_or_our_own(
    objects: dict[str, list[dict[str, Any]]], seconds: float, said: str | None
) -> None:
    world, _ = gather(with_objects(**objects), seconds=seconds)
    assert next(iter(world.words.values()), None) == said


def test_a_tick_that_is_overdue_is_asked_about() -> None:
    cron_job = {"metadata": metadata("db", "cron"), "spec": {"schedule": "1 12 * * *", "timeZone": "Etc/UTC"}}
    refused = event("cron", "Error creating job: refused", "FailedCreate")
    recorder = with_objects(CronJob=[cron_job], Event=[refused])
    assert gather(recorder, seconds=70)[0].words == {}
    assert gather(recorder, seconds=81)[0].words == {"cron": "FailedCreate: Error creating job: refused"}


LOCKED = 'Locked by run "db-0" in namespace "team" (borgoperator.io_team_db-0_uid_place): waits until 02:30 UTC'
NOT_READY: dict[str, Any] = {
    "phase": "Running",
    "containerStatuses": [{"name": "borg", "ready": False, "state": {"running": {"startedAt": AT}}}],
}


SILENT = "The SSH server has not answered borg and says nothing: it is asked once more, then borg is ended"
TIMED_OUT = 'Readiness probe failed: command timed out: "sh -c ! cat /tmp/borg-waits 2>/dev/null" timed out after 10s'
LATER = "2026-03-02T12:00:30Z"


def probe(
    about: str, note: str, by: str = "kubelet", time: str = AT, path: str = "spec.containers{borg}"
) -> dict[str, Any]:
    told = event(about, note, "Unhealthy", time)
    return {**told, "regarding": {"uid": about, "fieldPath": path}, "reportingController": by}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([probe("uid-p", f"Readiness probe failed: {LOCKED}\n")], LOCKED),
        ([probe("uid-p", f"Readiness probe failed: {LOCKED}", by="somebody")], ""),
        ([probe("uid-q", f"Readiness probe failed: {LOCKED}")], ""),
        ([probe("uid-p", 'Readiness probe errored: "sh": executable file not found')], ""),
        ([probe("uid-p", f"Liveness probe failed, then: Readiness probe failed: {LOCKED}")], ""),
        (
            [
                probe("uid-p", "Readiness probe failed: Locked by an older one", time="2026-03-02T11:00:00Z"),
                probe("uid-p", f"Readiness probe failed: {LOCKED}"),
            ],
            LOCKED,
        ),
        ([probe("uid-p", f"Readiness probe failed: {SILENT}")], SILENT),
        ([probe("uid-p", TIMED_OUT)], ""),
        ([probe("uid-p", f"Readiness probe failed: {LOCKED}"), probe("uid-p", TIMED_OUT, time=LATER)], LOCKED),
        ([probe("uid-p", f"Readiness probe failed: {LOCKED}", path="spec.containers{istio-proxy}")], ""),
        (
            [
                probe("uid-p", f"Readiness probe failed: {LOCKED}"),
                probe(
                    "uid-p",
                    "Readiness probe failed: HTTP probe failed with statuscode: 503",
                    time=LATER,
                    path="spec.containers{istio-proxy}",
                ),
            ],
            LOCKED,
        ),
        ([], ""),
    ],
    ids=[
        "its own",
        "by somebody",
        "of another pod",
        "no shell",
        "another probe",
        "the newest",
        "a silent server",
        "it took too long",
        "it took too long later",
        "of a sidecar",
        "a sidecar's later",
        "not heard yet",
    ],
)
def test_what_a_run_waits_for_is_read_from_the_kubelets_events_about_its_pod(
    events: list[dict[str, Any]], words: str
) -> None:
    recorder = with_objects(Job=[job()], Pod=[pod(NOT_READY)], Event=events)
    world, asked = gather(recorder, seconds=60)
    assert world.words.get("uid-p", "") == words
    assert asked == ["list Event"]


def test_a_run_that_has_just_begun_or_is_ready_is_asked_nothing() -> None:
    borg: dict[str, Any] = NOT_READY["containerStatuses"][0]
    ready = {**NOT_READY, "containerStatuses": [{**borg, "ready": True}]}
    beside = {**NOT_READY, "containerStatuses": [{**borg, "ready": True}, {**borg, "name": "istio-proxy"}]}
    for status, seconds in ((NOT_READY, 5), (ready, 600), (beside, 600)):
        assert gather(with_objects(Job=[job()], Pod=[pod(status)]), seconds=seconds)[1] == []
