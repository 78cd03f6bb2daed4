"""What the API server will not have, for as long as it likes: said once, asked for again with patience, and healed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from borg_cluster.errors import ApiError, Forbidden, Refused, WebhookFailed
from support import builders
from support.controllers import CronJobController
from support.recorder import Request
from support.running import Cluster, claims, run_by_hand
from support.virtual_time import run_virtually

QUOTA = Forbidden("exceeded quota: q")
WEBHOOK = WebhookFailed('failed calling webhook "x": no service')
PATIENCE_SECONDS = 90.0
MOST_ATTEMPTS = 12
"""Within that time: at first quickly, then twice as late each time."""


async def begin(cluster: Cluster) -> None:
    for claim in claims():
        cluster.recorder.add("PersistentVolumeClaim", claim)
    cluster.add(builders.local_repository(), builders.schedule(schedule="52 11 * * *"))
    await cluster.begin()


def refusing(verb: str, kind: str, error: ApiError, subresource: str = "") -> Callable[[Request], BaseException | None]:
    def refuse(request: Request) -> BaseException | None:
        asked = (request.verb, request.kind, request.subresource)
        return error if asked == (verb, kind, subresource) else None

    return refuse


def attempts(cluster: Cluster, verb: str, kind: str, subresource: str = "") -> int:
    found = [r for r in cluster.recorder.requests if (r.verb, r.kind, r.subresource) == (verb, kind, subresource)]
    return len(found)


def conditions(cluster: Cluster) -> dict[str, tuple[str, str, str]]:
    return {c.type: (c.status, c.reason, c.message) for c in cluster.schedule.status.conditions}


def play(check: Callable[[Cluster], Any], refuse: Callable[[Request], BaseException | None], by_hand: bool) -> Cluster:
    """Return the cluster after it refused for a while, was checked, and was let do again for some minutes."""

    async def work() -> Cluster:
        cluster = Cluster()
        allowed = cluster._refuse
        cluster._refuse = refuse
        await begin(cluster)
        if by_hand:
            await cluster.live(2)
            cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(PATIENCE_SECONDS)
        check(cluster)
        cluster._refuse = allowed
        await cluster.live(300)
        await cluster.stop()
        return cluster

    return run_virtually(work())


@pytest.mark.parametrize("error", [QUOTA, WEBHOOK], ids=["quota", "webhook"])
def test_a_refused_cron_job_is_said_once_and_made_in_the_end(error: Refused) -> None:
    def check(cluster: Cluster) -> None:
        status, reason, message = conditions(cluster)["Ready"]
        assert (status, reason) == ("False", "RefusedByApiServer")
        assert error.message in message
        assert "Stalled" not in conditions(cluster)
        assert [event.split(":")[0] for event in cluster.events] == ["RefusedByApiServer"]
        assert 3 <= attempts(cluster, "create", "CronJob") <= MOST_ATTEMPTS
        assert attempts(cluster, "merge", "BorgSchedule", "status") <= 2

    cluster = play(check, refusing("create", "CronJob", error), by_hand=False)
    assert conditions(cluster)["Ready"][0] == "True"
    assert max(cluster.events.values()) == 1


@pytest.mark.parametrize("jump", [-timedelta(days=1), timedelta(days=1)], ids=str)
def test_what_was_refused_is_asked_for_again_in_time_when_the_clock_jumps(jump: timedelta) -> None:
    def check(cluster: Cluster) -> None:
        cluster.operator_ahead = jump

    before = play(lambda _: None, refusing("create", "CronJob", QUOTA), by_hand=False)
    cluster = play(check, refusing("create", "CronJob", QUOTA), by_hand=False)
    assert conditions(cluster)["Ready"][0] == "True"
    assert attempts(cluster, "create", "CronJob") == attempts(before, "create", "CronJob")


@pytest.mark.parametrize("error", [QUOTA, WEBHOOK], ids=["quota", "webhook"])
def test_a_refused_job_leaves_its_run_waiting_with_the_words_and_runs_in_the_end(error: Refused) -> None:
    def check(cluster: Cluster) -> None:
        run = next(run for run in cluster.runs if run.metadata.name == "now")
        assert (run.status.phase, run.status.reason) == ("Pending", "RefusedByApiServer")
        assert error.message in run.status.message
        assert sum(event.startswith("RefusedByApiServer") for event in cluster.events) == 1
        # The tick is nothing that the refusal holds: that Job is the CronJob controller's.
        assert any(run.status.trigger == "Scheduled" and run.finished for run in cluster.runs)

    cluster = play(check, refusing("create", "Job", error), by_hand=True)
    run = next(run for run in cluster.runs if run.metadata.name == "now")
    assert run.status.phase == "Completed"
    assert cluster.recorder.find("CronJob", "db")["status"]["active"] == []
    assert max(cluster.events.values()) == 1


@pytest.mark.parametrize(
    ("verb", "kind", "subresource"),
    [
        ("create", "BorgRun", ""),
        ("merge", "BorgRun", "status"),
        ("merge", "BorgRun", ""),
        ("merge", "BorgSchedule", "status"),
        ("merge", "BorgRepository", "status"),
        ("merge", "CronJob", "status"),
        ("merge", "Job", ""),
        ("create", "Event", ""),
    ],
)
def test_whatever_else_is_refused_is_asked_for_with_patience_and_ends_well(
    verb: str, kind: str, subresource: str
) -> None:
    # Each turn that could not be used is news.
    often = MOST_ATTEMPTS if (verb, kind) == ("merge", "Job") else 1

    def check(cluster: Cluster) -> None:
        assert attempts(cluster, verb, kind, subresource) <= 2 * MOST_ATTEMPTS
        # What is not refused goes on: the clock's own run was begun and ended, for a Job that may not start gives its
        # turn back, and asks for another one later.
        assert any(job["status"].get("conditions") for job in cluster.recorder.all_of("Job"))
        assert all(times <= often for times in cluster.events.values()), cluster.events

    cluster = play(check, refusing(verb, kind, QUOTA, subresource), by_hand=True)
    assert all(run.finished for run in cluster.runs), [(r.metadata.name, r.status.message) for r in cluster.runs]
    assert len(cluster.runs) == 2
    assert sorted(cluster.recorder.names("BorgRun")) == sorted(cluster.recorder.names("Job"))
    assert conditions(cluster)["Ready"][0] == "True"
    assert all(times <= often for times in cluster.events.values()), cluster.events
    assert cluster.schedule.status.active == ()


@pytest.mark.parametrize("goes", [True, False], ids=["it goes", "it is let do"])
def test_what_was_refused_fails_no_more_soon_after_that_is_over(*, goes: bool) -> None:
    async def work() -> None:
        cluster = Cluster()
        allowed, cluster._refuse = cluster._refuse, refusing("create", "CronJob", QUOTA)
        await begin(cluster)
        await cluster.live(PATIENCE_SECONDS)
        assert cluster.controller._queue.failing == 1
        if goes:
            cluster.recorder.remove("BorgSchedule", "db")
        else:
            cluster._refuse = allowed
        await cluster.live(250)
        assert cluster.controller._queue.failing == 0
        await cluster.stop()

    run_virtually(work())


def test_a_name_that_somebody_else_has_is_said_and_asked_for_with_patience() -> None:
    async def work() -> Cluster:
        cluster = Cluster()
        metadata = {"name": "db", "namespace": "team"}
        cluster.recorder.add("CronJob", {"metadata": metadata, "spec": {"schedule": "0 0 1 1 *", "suspend": True}})
        await begin(cluster)
        await cluster.live(PATIENCE_SECONDS)
        assert conditions(cluster)["Ready"][:2] == ("False", "CronJobNameTaken")
        assert attempts(cluster, "create", "CronJob") <= MOST_ATTEMPTS
        assert attempts(cluster, "merge", "BorgSchedule", "status") <= 2
        assert cluster.recorder.find("CronJob", "db")["spec"]["schedule"] == "0 0 1 1 *"
        cluster.recorder.remove("CronJob", "db")
        await cluster.live(300)
        await cluster.stop()
        return cluster

    cluster = run_virtually(work())
    assert conditions(cluster)["Ready"][0] == "True"
    assert max(cluster.events.values()) == 1


def test_a_cron_job_that_lost_its_label_is_seen_again() -> None:
    async def work() -> None:
        cluster = Cluster()
        await begin(cluster)
        await cluster.live(3)
        cluster.recorder.edit("CronJob", "db", {"metadata": {"labels": None}})
        await cluster.live(10)
        marks = cluster.recorder.find("CronJob", "db")["metadata"]["labels"]
        assert marks["app.kubernetes.io/managed-by"] == "borg-operator"
        assert marks["borgoperator.io/schedule"] == "db"
        assert conditions(cluster)["Ready"][0] == "True"
        assert len(cluster.recorder.requests) < 20
        assert attempts(cluster, "merge", "CronJob") == 0, "the chart's role may update CronJobs, not patch them"
        await cluster.stop()

    run_virtually(work())


def test_a_cron_job_that_the_clusters_admission_changes_is_not_repaired_for_ever() -> None:
    async def work() -> None:
        cluster = Cluster()
        changing = cluster.recorder._replace

        def change(key: Any, body: dict[str, Any]) -> dict[str, Any]:
            if key[0] == "CronJob" and body["spec"].get("startingDeadlineSeconds"):
                body["spec"]["startingDeadlineSeconds"] = 600
            return changing(key, body)

        await begin(cluster)
        await cluster.live(3)
        cluster.recorder._replace = change  # type: ignore[method-assign]
        cluster.recorder.edit("CronJob", "db", {"metadata": {"annotations": {"touched": "yes"}}})
        await cluster.live(60)
        assert 1 <= attempts(cluster, "replace", "CronJob") <= 2
        await cluster.stop()

    run_virtually(work())


def by_admission(cluster: Cluster, name: str, change: dict[str, Any]) -> Callable[[], None]:
    """Let a policy change the CronJob whenever it is written; return what ends that."""
    recorder = cluster.recorder
    replacing, storing = recorder._replace, recorder._store
    on = [True]

    def changed(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        is_meant = on[0] and kind == "CronJob" and body["metadata"]["name"] == name
        return {**body, "spec": {**body["spec"], **change}} if is_meant else body

    recorder._replace = lambda key, body: replacing(key, changed(key[0], body))  # type: ignore[method-assign]
    recorder._store = lambda kind, body, **more: storing(kind, changed(kind, body), **more)  # type: ignore[method-assign]
    return lambda: on.__setitem__(0, False)


@pytest.mark.parametrize(
    ("change", "differs", "suspended", "next_run"),
    [
        ({"suspend": True}, "spec.suspend is true, not false", "True", None),
        ({"schedule": "0 5 * * 0"}, 'spec.schedule is "0 5 * * 0", not "52 11 * * *"', "False", "2026-03-08T05:00:00Z"),
    ],
)
def test_times_that_the_clusters_admission_will_have_otherwise_are_told_and_asked_for_with_patience(
    change: dict[str, Any], differs: str, suspended: str, next_run: str | None
) -> None:
    async def work() -> None:
        cluster = Cluster()
        end = by_admission(cluster, "db", change)
        await begin(cluster)
        await cluster.live(PATIENCE_SECONDS)
        told = conditions(cluster)
        assert told["Ready"][:2] == ("False", "CronJobOverruled")
        assert differs in told["Ready"][2]
        assert "admission policy" in told["Ready"][2]
        assert (told["Suspended"][0], "Stalled" in told) == (suspended, False)
        assert cluster.schedule.status.next_run_time == next_run
        assert attempts(cluster, "replace", "CronJob") <= MOST_ATTEMPTS
        assert sum(event.startswith("CronJobOverruled") for event in cluster.events) == 1
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(30)
        assert [run.status.phase for run in cluster.runs] == ["Completed"], "runs by hand begin"
        end()
        await cluster.live(400)
        assert conditions(cluster)["Ready"][0] == "True"
        assert suspended == "False" or len(cluster.runs) == 1, "what was missed meanwhile is not made up for"
        await cluster.stop()

    run_virtually(work())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"suspend": True}, "spec.suspend is true, not false"),
        ({"successfulJobsHistoryLimit": 1}, "its spec is another one"),
    ],
)
def test_a_cron_job_that_somebody_else_changes_back_each_time_is_let_be_and_told(
    change: dict[str, Any], told: str
) -> None:
    async def work() -> None:
        cluster = Cluster()
        await begin(cluster)
        await cluster.live(3)
        for _ in range(600):
            await cluster.live(1)
            spec = cluster.recorder.find("CronJob", "db")["spec"]
            if any(spec.get(key) != value for key, value in change.items()):
                cluster.recorder.edit("CronJob", "db", {"spec": change}, manager="kyverno")
        ready = conditions(cluster)["Ready"]
        assert ready[:2] == ("False", "CronJobOverruled")
        assert f"{told}; kyverno changes it back" in ready[2]
        assert attempts(cluster, "replace", "CronJob") <= MOST_ATTEMPTS
        assert sum(event.startswith("CronJobOverruled") for event in cluster.events) == 1
        if change.get("suspend"):
            assert conditions(cluster)["Suspended"][0] == "True"
            assert cluster.schedule.status.next_run_time is None
        cluster.recorder.edit("BorgSchedule", "db", {"spec": {"schedule": "0 3 * * *"}})
        await cluster.live(5)
        assert cluster.recorder.find("CronJob", "db")["spec"]["schedule"] == "0 3 * * *", "another spec is sent at once"
        assert conditions(cluster)["Ready"][0] == "True"
        await cluster.stop()

    run_virtually(work())


def test_an_edit_that_cannot_be_undone_for_a_while_is_undone_then() -> None:
    async def work() -> None:
        cluster = Cluster()
        await begin(cluster)
        await cluster.live(3)
        allowed, cluster._refuse = cluster._refuse, refusing("replace", "CronJob", QUOTA)
        cluster.recorder.edit("CronJob", "db", {"spec": {"successfulJobsHistoryLimit": 1}}, manager="kubectl-edit")
        await cluster.live(300)
        assert conditions(cluster)["Ready"][:2] == ("False", "RefusedByApiServer")
        cluster._refuse = allowed
        await cluster.live(300)
        assert cluster.recorder.find("CronJob", "db")["spec"]["successfulJobsHistoryLimit"] != 1
        assert conditions(cluster)["Ready"][0] == "True"
        await cluster.stop()

    run_virtually(work())


@pytest.mark.parametrize(
    ("cron_job", "condition"), [("main-check", "ChecksScheduled"), ("main-drill", "DrillsScheduled")]
)
def test_checks_that_the_clusters_admission_suspends_are_told(cron_job: str, condition: str) -> None:
    async def work() -> None:
        cluster = Cluster()
        by_admission(cluster, cron_job, {"suspend": True})
        cluster.add(
            builders.local_repository(
                verification={"check": {"schedule": "0 4 * * *"}, "drill": {"schedule": "0 5 * * *"}}
            )
        )
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        await cluster.begin()
        await cluster.live(PATIENCE_SECONDS)
        status = cluster.recorder.find("BorgRepository", "main")["status"]
        (told,) = (item for item in status["conditions"] if item["type"] == condition)
        assert (told["status"], told["reason"]) == ("False", "CronJobOverruled")
        assert "spec.suspend is true, not false" in told["message"]
        assert sum(event.startswith("CronJobOverruled") for event in cluster.events) == 1
        await cluster.stop()

    run_virtually(work())


def test_a_cluster_where_nothing_happens_is_asked_nothing() -> None:
    async def work() -> None:
        cluster = Cluster()
        await begin(cluster)
        await cluster.live(5)
        before = len(cluster.recorder.requests)
        await cluster.live(60)
        assert len(cluster.recorder.requests) == before
        await cluster.stop()

    run_virtually(work())


@pytest.mark.parametrize(
    ("cron_job", "kind", "condition"),
    [
        ("db", "BorgSchedule", "Ready"),
        ("main-check", "BorgRepository", "ChecksScheduled"),
        ("main-drill", "BorgRepository", "DrillsScheduled"),
    ],
)
def test_a_tick_that_is_refused_is_told_in_the_controllers_words_until_it_is_made_up_for(
    cron_job: str, kind: str, condition: str
) -> None:
    words = 'FailedCreate: Error creating job: failed calling webhook "x": no service'

    def look(cluster: Cluster) -> tuple[str, str, str]:
        (found,) = (body for body in cluster.recorder.all_of(kind))
        return next(
            (c["status"], c["reason"], c["message"]) for c in found["status"]["conditions"] if c["type"] == condition
        )

    async def work() -> None:
        cluster = Cluster()
        cluster.cron_jobs = []  # nobody takes a tick: all are refused
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        at = {"schedule": "52 11 * * *"}
        cluster.add(
            builders.local_repository(verification={"check": at, "drill": at}),
            builders.schedule(schedule=at["schedule"]),
        )
        await cluster.begin()
        await cluster.live(5)
        uid = cluster.recorder.find("CronJob", cron_job)["metadata"]["uid"]
        reason, _, note = words.partition(": ")
        told = {"type": "Warning", "reason": reason, "note": note, "regarding": {"uid": uid}}
        cluster.recorder.add("Event", {"metadata": {"namespace": "team", "name": "e"}, **told})
        assert look(cluster)[0] == "True"
        await cluster.live(110)
        status, why, message = look(cluster)
        assert (status, why) == ("False", "JobRefused")
        assert "the run that was due at 2026-03-02T11:52:00Z could not begin" in message
        assert words in message
        assert [text.split(":")[0] for text in cluster.events if words in text and text != words] == ["JobRefused"]
        cluster.cron_jobs = [CronJobController(cluster.recorder, cron_job)]
        await cluster.live(30)
        assert look(cluster)[0] == "True"
        await cluster.stop()

    run_virtually(work())
