"""Kubernetes is the clock: it begins runs by itself, and what was missed while suspended stays missed."""

from datetime import UTC, datetime, timedelta

from e2e.team import Team, condition

Run = dict[str, object]


def test_the_cron_job_controller_itself_begins_a_run_each_minute(ticking: Team) -> None:
    run = ticking.eventually(
        lambda: [item for item in ticking.items("brun", "borgoperator.io/schedule=ticking") if _ended(item)],
        "a tick was run",
        within=90,
    )[0]

    name, status = run["metadata"]["name"], run["status"]
    scheduled = _time(status["scheduledTime"])
    assert status["phase"] == "Completed"
    assert status["trigger"] == "Scheduled"
    assert scheduled.second == 0
    assert name == f"ticking-{int(scheduled.timestamp()) // 60}"
    assert timedelta(0) <= _time(status["startTime"]) - scheduled < timedelta(seconds=30)
    assert run["metadata"]["labels"]["borgoperator.io/trigger"] == "Scheduled"
    job = ticking.get("job", name)
    assert [owner["kind"] for owner in job["metadata"]["ownerReferences"]] == ["CronJob"]
    assert status["jobUid"] == job["metadata"]["uid"]
    next_run = _time(ticking.get("bsched", "ticking")["status"]["nextRunTime"])
    assert timedelta(0) < next_run - datetime.now(UTC) + timedelta(seconds=5) < timedelta(seconds=70)


def test_a_suspended_schedule_runs_by_hand_and_does_not_make_up_for_missed_ticks_when_resumed(ticking: Team) -> None:
    paused = ticking.get("bsched", "paused")
    created = _time(paused["metadata"]["creationTimestamp"])
    ticking.eventually(
        lambda: datetime.now(UTC) > created.replace(second=0, microsecond=0) + timedelta(seconds=61),
        "a tick has passed since the schedule was made",
        within=70,
    )
    paused = ticking.get("bsched", "paused")
    assert condition(paused, "Suspended")["status"] == "True"
    assert "nextRunTime" not in paused["status"]
    assert ticking.completed("by-hand", "paused")["trigger"] == "Manual"
    assert ticking.names("brun", "borgoperator.io/schedule=paused") == {"by-hand"}

    ticking("patch", "bsched", "paused", "--type=merge", '--patch={"spec":{"suspend":false}}')
    resumed = _time(ticking.get("cronjob", "paused")["status"].get("lastScheduleTime") or _now())
    first = ticking.eventually(
        lambda: [item for item in ticking.items("jobs", "borgoperator.io/schedule=paused") if _by_clock(item)],
        "the schedule runs again",
        within=90,
    )

    ticks = [_time(job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]) for job in first]
    assert len(ticks) == 1
    assert ticks[0] > resumed
    assert condition(ticking.get("bsched", "paused"), "Suspended")["status"] == "False"


def _ended(run: dict[str, dict[str, object]]) -> bool:
    return "completionTime" in run.get("status", {})


def _by_clock(job: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    return "batch.kubernetes.io/cronjob-scheduled-timestamp" in job["metadata"].get("annotations", {})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _now() -> str:
    return datetime.now(UTC).isoformat()
