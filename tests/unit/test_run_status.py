"""What a run says of each state that its Job and its pod can be in."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from borg_contract.codec import encode
from borg_contract.reasons import Reason
from borg_contract.restore.result import RestoreResult
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Operation, Phase
from borg_core.formats import format_time
from borg_core.kinds.run import BorgRun, BorgRunStatus, Trigger
from borg_core.native.job import ObservedJob, parse_job
from borg_core.native.pod import Ending, ObservedPod, parse_pod
from borg_core.runs.status.run_status import derive_run_status, derive_trigger
from borg_runner.fault import Fault
from borg_runner.run.summary import add_post_fault, summarize, summarize_so_far
from support import builders
from support.builders import NOW

RESULT = encode(builders.result())
PARTIAL = encode(summarize_so_far([builders.result().repositories[0]], ["main", "second"]))
NINE = NOW + timedelta(seconds=9)
BAD = encode(builders.result(Phase.FAILED, reason="DiskFull", message="main: disk full"))
AT = "2026-03-02T12:00:00Z"
WORKING = builders.job(run_uid="uid-db-1")
FAILED = replace(WORKING, succeeded=False, completed=NOW)
DONE = replace(WORKING, succeeded=True, completed=NOW)


def pod(state: dict[str, Any] | None = None, phase: str = "Running", **more: Any) -> ObservedPod:
    """Return the pod whose container `borg` is in that state, as the API server shows it."""
    statuses = [{"name": "borg", "state": state}] if state is not None else []
    spec, extra = more.pop("spec", {}), more.pop("others", {})
    statuses += [{"name": name, "state": found} for name, found in extra.items()]
    return parse_pod(
        {
            "metadata": builders.pod_metadata(WORKING),
            "spec": spec,
            "status": {"phase": phase, "containerStatuses": statuses, **more},
        }
    )


def over(message: str = "", reason: str = "Completed", code: int = 0, **more: Any) -> dict[str, Any]:
    began = {"startedAt": AT} if more.pop("began", True) else {}
    return {"terminated": {"message": message, "reason": reason, "exitCode": code, "finishedAt": AT, **began, **more}}


UNSCHEDULABLE = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node has room"}]
DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]
MADE_UP = over("The container could not be located", "ContainerStatusUnknown", 137, began=False)

PULL = {"reason": "ErrImagePull", "message": "failed to pull: no such host"}
BACK_OFF = {
    "reason": "ImagePullBackOff",
    "message": 'Back-off pulling image "r:1": ErrImagePull: failed to pull: no such host',
}

CASES: dict[str, tuple[ObservedJob, ObservedPod | None, str, tuple[str, str | None]]] = {
    "no pod yet": (WORKING, None, "", ("Pending", None)),
    "no pod, and an Event says why": (WORKING, None, "FailedCreate: quota", ("Pending", "WaitingForPod")),
    "no node": (WORKING, pod(phase="Pending", conditions=UNSCHEDULABLE), "", ("Pending", "WaitingForPod")),
    "being made": (
        WORKING,
        pod({"waiting": {"reason": "ContainerCreating"}}, "Pending"),
        "",
        ("Pending", None),
    ),
    "being made, and an Event says why it takes so long": (
        WORKING,
        pod({"waiting": {"reason": "ContainerCreating"}}, "Pending"),
        "FailedMount: no such secret",
        ("Pending", "WaitingForPod"),
    ),
    "no image": (
        WORKING,
        pod({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, "Pending"),
        "",
        ("Pending", "WaitingForPod"),
    ),
    "at work": (WORKING, pod({"running": {"startedAt": AT}}), "", ("Running", None)),
    "waits for a lock": (WORKING, pod({"running": {}}), "Locked by laptop", ("Running", "WaitingForLock")),
    "waits for a server": (
        WORKING,
        pod({"running": {}}),
        "The SSH server has not answered borg since …",
        ("Running", "WaitingForServer"),
    ),
    "waits for a volume": (
        WORKING,
        pod({"running": {}}),
        "No answer from a volume: …",
        ("Running", "WaitingForVolume"),
    ),
    "waits for another container": (
        WORKING,
        pod({"running": {}}, others={"stream-db": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}),
        'Waits for container "stream-db" of this pod since …',
        ("Running", "WaitingForContainer"),
    ),
    "waits for the command of a restore": (
        WORKING,
        pod({"running": {}}),
        "The command pg_restore has taken nothing since …",
        ("Running", "WaitingForCommand"),
    ),
    "borg has ended, the Job does not know": (WORKING, pod(over(RESULT), "Succeeded"), "", ("Completed", None)),
    "borg has ended, a sidecar has not": (
        WORKING,
        pod(over(RESULT), others={"istio-proxy": {"running": {}}}),
        "",
        ("Completed", None),
    ),
    "a sidecar has died, borg has not": (
        WORKING,
        pod({"running": {}}, others={"a-proxy": over(code=1, reason="Error")}),
        "",
        ("Running", None),
    ),
    "failed with a result": (FAILED, pod(over(BAD, "Error", 1), "Failed"), "", ("Failed", "DiskFull")),
    "the pod's deadline, with a result": (
        FAILED,
        pod(over(BAD, "Error", 1), "Failed", reason="DeadlineExceeded"),
        "",
        ("Failed", "DeadlineExceeded"),
    ),
    "the pod's deadline, and all was done": (
        FAILED,
        pod(over(RESULT), "Failed", reason="DeadlineExceeded"),
        "",
        ("Completed", None),
    ),
    "the pod's deadline, without a result": (
        FAILED,
        pod(over("", "Error", 137), "Failed", reason="DeadlineExceeded"),
        "",
        ("Failed", "DeadlineExceeded"),
    ),
    "the Job's deadline, no pod": (
        replace(FAILED, failure_reason="DeadlineExceeded"),
        None,
        "",
        ("Failed", "DeadlineExceeded"),
    ),
    "out of memory": (FAILED, pod(over("", "OOMKilled", 137), "Failed"), "", ("Failed", "OutOfMemory")),
    "out of memory, and the pod has a reason too": (
        FAILED,
        pod(over("", "OOMKilled", 137), "Failed", reason="DeadlineExceeded"),
        "",
        ("Failed", "OutOfMemory"),
    ),
    "evicted": (FAILED, pod(over("", "Error", 137), "Failed", reason="Evicted"), "", ("Failed", "Evicted")),
    "evicted, nothing known of the container": (
        FAILED,
        pod(None, "Failed", reason="Evicted"),
        "",
        ("Failed", "Evicted"),
    ),
    "no result": (FAILED, pod(over("", "Error", 1), "Failed"), "", ("Failed", "RunnerCrashed")),
    "a result that nobody can read": (
        FAILED,
        pod(over("[[[[", "Error", 1), "Failed"),
        "",
        ("Failed", "ResultUnreadable"),
    ),
    "words of the kubelet in place of a result": (FAILED, pod(MADE_UP, "Failed"), "", ("Failed", "RunnerCrashed")),
    "deleted by force": (
        FAILED,
        replace(pod(over("", "Error", 137), "Failed"), deleting=True),
        "",
        ("Failed", "PodLost"),
    ),
    "failed, and no pod is left": (FAILED, None, "", ("Failed", "PodLost")),
    "completed, and no pod is left": (DONE, None, "", ("Completed", "PodLost")),
    "completed without a result": (DONE, pod(over(""), "Succeeded"), "", ("Completed", "PodLost")),
    "taken away by a drain, another pod will come": (
        WORKING,
        pod(over("", "Error", 143), "Failed", conditions=DISRUPTED),
        "",
        ("Running", None),
    ),
    "taken away by a drain, the Job has ended": (
        FAILED,
        pod(over(BAD, "Error", 1), "Failed", conditions=DISRUPTED),
        "",
        ("Failed", "DiskFull"),
    ),
}


def status_of(job: ObservedJob | None, found: ObservedPod | None, words: str = "", **run: Any) -> BorgRunStatus:
    status = {"jobUid": WORKING.uid, "phase": "Running", "startTime": AT, **run.pop("status", {})}
    return derive_run_status(builders.run("db-1", status, **run), job, found, words, NOW + timedelta(minutes=5))


@pytest.mark.parametrize("case", CASES)
def test_a_run_says_what_becomes_of_its_container_borg(case: str) -> None:
    job, found, words, expected = CASES[case]
    status = status_of(job, found, words)
    assert ((status.phase or Phase.PENDING).value, status.reason) == expected
    if expected[1] == "WaitingForPod":
        assert status.message
    assert (status.completion_time is not None) is (status.phase is not None and status.phase.finished)


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_was_cancelled_is_cancelled_unless_it_was_done(case: str) -> None:
    job, found, words, (phase, _) = CASES[case]
    status = status_of(job, found, words, cancel=True)
    assert status.phase is not None
    if not Phase(phase).finished:
        assert status.phase.value == phase
        assert ("is set" in status.message) == (status.phase is Phase.RUNNING)
    elif status.repositories and phase == "Completed":
        assert status.phase is Phase.COMPLETED
    else:
        assert status.phase is Phase.CANCELLED


def test_what_the_kubelet_makes_up_is_no_borg_that_ran() -> None:
    status = status_of(FAILED, pod(MADE_UP, "Failed"))
    assert status.start_time is None
    assert "could not be located" not in status.message


NO_SHIM = "OCI runtime create failed: container init was OOM-killed (memory limit too low?): unknown"


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
@pytest.mark.parametrize("started", [{}, {"startedAt": "1970-01-01T00:00:00Z"}], ids=["no time", "containerd's"])
def test_a_container_that_could_not_be_started_says_why_and_has_begun_nothing(
    reason: str, started: dict[str, str]
) -> None:
    found = pod(over(NO_SHIM, reason, 128, began=False, **started), "Failed")
    status = status_of(FAILED, found)
    assert (status.reason, status.start_time) == ("RunnerCrashed", None)
    assert status.message == f"Pod db-1-x could not be started: {NO_SHIM}"


def test_a_stopped_run_ends_when_its_container_did_and_tells_how_long_it_took() -> None:
    status = status_of(replace(WORKING, started=NOW - timedelta(seconds=92)), pod(over(RESULT), "Succeeded"))
    assert (status.completion_time, status.duration) == (AT, "1m32s")


@pytest.mark.parametrize(
    ("before", "found", "cancel", "expected"),
    [
        ({}, None, False, ("Failed", "JobDeleted", True)),
        ({}, None, True, ("Cancelled", "RunCancelled", True)),
        ({"phase": "Pending"}, None, False, ("Failed", "JobDeleted", False)),
        ({"phase": "Pending"}, None, True, ("Cancelled", "RunCancelled", False)),
        ({"phase": "Pending"}, pod({"running": {}}), False, ("Failed", "JobDeleted", True)),
        ({}, pod(over(RESULT), "Succeeded"), False, ("Completed", None, True)),
        ({}, pod(over(RESULT), "Succeeded"), True, ("Completed", None, True)),
        ({}, pod(over(BAD, "Error", 1), "Failed"), True, ("Cancelled", "RunCancelled", True)),
        ({"phase": "Pending", "jobUid": None}, None, False, ("Pending", None, True)),
        ({"phase": "Pending", "jobUid": None}, None, True, ("Cancelled", "RunCancelled", False)),
        ({"phase": "Completed"}, None, True, ("Completed", None, True)),
    ],
    ids=[
        "was at work",
        "was at work, cancelled",
        "had not begun",
        "had not begun, cancelled",
        "had begun, as its pod tells",
        "its pod's last word was a result",
        "the same, cancelled too late",
        "its pod's last word was that it was stopped",
        "there was none yet",
        "there was none yet, cancelled",
        "is over",
    ],
)
def test_a_job_that_vanished_is_no_act_of_anybody(
    before: dict[str, Any], found: ObservedPod | None, cancel: bool, expected: tuple[str, str | None, bool]
) -> None:
    status = status_of(None, found, status=before, cancel=cancel)
    assert status.phase
    assert (status.phase.value, status.reason, status.start_time is not None) == expected


def failed_at(name: str, error: str) -> RepositoryResult:
    return RepositoryResult(name=name, phase=Phase.FAILED, reason="Locked", error=error)


@pytest.mark.parametrize(
    ("repositories", "message"),
    [
        ([failed_at("main", "It is locked.")], "main (Locked). It is locked."),
        (
            [failed_at("main", "It is locked."), replace(failed_at("far", "No answer."), reason="Unreachable")],
            (
                "2 of 2 repositories failed or were skipped: main (Locked), far (Unreachable). "
                "main: It is locked. far: No answer."
            ),
        ),
        (
            [failed_at("a", "It is locked."), failed_at("b", "It is locked."), builders.result().repositories[0]],
            "2 of 3 repositories failed or were skipped: a (Locked), b (Locked). a: It is locked.",
        ),
    ],
    ids=["the only one", "each its own", "all the same"],
)
def test_why_its_repositories_failed_is_what_a_run_says(repositories: list[RepositoryResult], message: str) -> None:
    told = add_post_fault(summarize(repositories, None), Fault(Reason.HOOK_FAILED, "The script failed too."))
    status = status_of(FAILED, pod(over(encode(told), "Error", 1), "Failed"))
    counted, told_errors = message.split("). ", 1)
    assert (status.reason, status.message) == (
        "RepositoriesFailed",
        f"{counted}). The script failed too. {told_errors}",
    )


@pytest.mark.parametrize("case", CASES)
def test_a_finished_run_never_changes(case: str) -> None:
    job, found, words, _ = CASES[case]
    run: BorgRun = builders.run("db-1", {"phase": "Failed", "message": "as it was", "jobUid": WORKING.uid})
    assert derive_run_status(run, job, found, words, NOW) == run.status


def test_an_ending_without_a_container_is_one_all_the_same() -> None:
    assert pod(None, "Failed", reason="Evicted").ending == Ending(reason="Evicted")
    assert pod(None, "Pending").ending is None


def test_an_image_that_cannot_be_unpacked_is_told_in_the_kubelets_words() -> None:
    words = "failed to extract layer sha256:1: write /var/lib/x: no space left on device: unknown"
    waiting = {"reason": "ErrImagePull", "message": f'failed to pull and unpack image "runner:1": {words}'}
    status = derive_run_status(None, WORKING, pod({"waiting": waiting}, "Pending"), "", NOW)
    assert (status.phase, status.reason) == (Phase.PENDING, "WaitingForPod")
    assert status.message.endswith(words)


@pytest.mark.parametrize("state", [None, over("", "Error", 137)], ids=["nothing known of the container", "killed"])
def test_an_evicted_run_says_what_the_node_was_short_of_and_what_to_do(state: dict[str, Any] | None) -> None:
    words = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 20Mi. "
    evicted = pod(state, "Failed", reason="Evicted", message=words)
    status = derive_run_status(None, FAILED, evicted, "", NOW)
    assert status.message.startswith(f"The node evicted pod db-1-x: {words.rstrip('. ')}. Make room on the node")
    assert "spec.job.resources" in status.message
    endless = pod(state, "Failed", reason="Evicted", message="x" * 40_000)
    assert len(derive_run_status(None, FAILED, endless, "", NOW).message) < 2000


def test_a_pod_whose_own_volume_is_about_to_be_made_is_not_stuck() -> None:
    message = '0/1 nodes are available: waiting for ephemeral volume controller to create persistentvolumeclaim "x"'
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    assert pod(None, "Pending", conditions=[condition]).waiting == ""


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.", "stop it"),
        ("pod has unbound immediate PersistentVolumeClaims. not found", "`kubectl describe pvc`"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "cancel this run"),
    ],
)
def test_what_keeps_a_pod_from_its_volume_is_told_with_what_to_do(message: str, advice: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    told = pod(None, "Pending", conditions=[condition]).waiting
    assert told.startswith(f"Unschedulable: {message.rstrip('.')}. ")
    assert advice in told


@pytest.mark.parametrize("waiting", [PULL, BACK_OFF], ids=["tries", "backs off"])
def test_a_kubelet_that_tries_and_backs_off_by_turns_says_one_thing(waiting: dict[str, Any]) -> None:
    status = derive_run_status(None, WORKING, pod({"waiting": waiting}, "Pending"), "", NOW)
    assert status.message == "ErrImagePull: failed to pull: no such host"


@pytest.mark.parametrize(
    ("job", "state", "more", "cancel", "expected"),
    [
        (FAILED, over(PARTIAL, "OOMKilled", 137), {}, False, ("Failed", "OutOfMemory")),
        (FAILED, over(PARTIAL, "Error", 137), {}, False, ("Failed", "RunnerCrashed")),
        (FAILED, over(PARTIAL, "Error", 137), {"reason": "Evicted"}, False, ("Failed", "Evicted")),
        (FAILED, over(PARTIAL, "Error", 137), {"reason": "DeadlineExceeded"}, False, ("Failed", "DeadlineExceeded")),
        (FAILED, over(PARTIAL, "Error", 137), {}, True, ("Cancelled", "RunCancelled")),
        (DONE, over(PARTIAL), {}, False, ("CompletedWithWarnings", "ResultUnreadable")),
        (None, over(PARTIAL, "Error", 137), {}, False, ("Failed", "JobDeleted")),
    ],
)
def test_a_runner_that_was_killed_tells_why_and_what_it_had_done(
    job: ObservedJob | None, state: dict[str, Any], more: dict[str, Any], cancel: bool, expected: tuple[str, str]
) -> None:
    before = {"phase": "Running", "startTime": AT, "jobUid": WORKING.uid}
    run = builders.run("db-1", before, **({"cancel": True} if cancel else {}))
    status = derive_run_status(run, job, pod(state, "Failed", **more), "", NOW)
    assert (status.phase, status.reason) == expected
    assert [item.archive for item in status.repositories] == [builders.result().repositories[0].archive]
    assert "Not done: second." in (status.message or "")


@pytest.mark.parametrize("job", [WORKING, DONE])
def test_a_result_that_cannot_be_read_is_no_silent_success(job: ObservedJob) -> None:
    status = derive_run_status(None, job, pod(over(RESULT[:40])), "", NOW)
    assert (status.phase, status.reason) == (Phase.COMPLETED_WITH_WARNINGS, "ResultUnreadable")
    assert "logs db-1-x -c borg" in (status.message or "")


@pytest.mark.parametrize(("has_stream", "goes_on"), [(False, True), (True, False)], ids=["volumes", "a dump"])
def test_a_run_that_died_says_whether_the_next_one_goes_on(has_stream: bool, goes_on: bool) -> None:
    containers = [{"name": "borg"}, *([{"name": "stream-db"}] if has_stream else [])]
    body = {
        "metadata": {"namespace": "team", "name": "db-1", "uid": "uid", "creationTimestamp": AT},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    job = replace(FAILED, failure_reason="DeadlineExceeded", has_stream=parse_job(body).has_stream)
    message = derive_run_status(None, job, None, "", NOW).message
    assert ("goes on from borg's last checkpoint" in message, "begins anew" in message) == (goes_on, not goes_on)


STOPPED = RepositoryResult("main", Phase.FAILED, reason="Interrupted", error="The pod was stopped while borg worked.")
WRITTEN = replace(
    STOPPED, archive="db-1", error='Archive "db-1" was written, but prune failed: The pod is being stopped.'
)
NO_MENDING = "Nothing is to be mended after the stop."
REST = f"{NO_MENDING} The next run does what is left."
ANEW = f"{NO_MENDING} A backup with a dump keeps no checkpoint: the next run begins anew."
BOTH = "2 of 2 repositories failed or were skipped: far (PassphraseWrong), main (Interrupted)."
GOES_ON = f"{NO_MENDING} The next run goes on from borg's last checkpoint."
WRONG = RepositoryResult("far", Phase.FAILED, reason="PassphraseWrong", error="The passphrase is wrong.")


@pytest.mark.parametrize(
    ("found", "job", "message"),
    [
        ([STOPPED], FAILED, f"main (Interrupted). {STOPPED.error} {GOES_ON}"),
        (
            [STOPPED],
            replace(FAILED, has_stream=True),
            f"main (Interrupted). {STOPPED.error} {ANEW}",
        ),
        ([WRITTEN], FAILED, f"main (Interrupted). {WRITTEN.error} {REST}"),
        (
            [replace(STOPPED, archive="db-1")],
            FAILED,
            f'main (Interrupted). {STOPPED.error} Archive "db-1" was written. {REST}',
        ),
        (
            [STOPPED],
            replace(FAILED, operation=Operation.CHECK),
            f"main (Interrupted). {STOPPED.error} {REST}",
        ),
        ([STOPPED], replace(FAILED, operation=Operation.RESTORE), f"main (Interrupted). {STOPPED.error}"),
        (
            [WRONG, STOPPED],
            FAILED,
            f"{BOTH} main: {STOPPED.error} far: {WRONG.error} {GOES_ON}",
        ),
    ],
    ids=["borg", "dump", "archive", "archive that the error does not name", "check", "restore", "another failed too"],
)
def test_a_run_whose_pod_was_stopped_says_why_and_what_comes_next(
    found: list[RepositoryResult], job: ObservedJob, message: str
) -> None:
    status = status_of(job, pod(over(encode(summarize(found, None)), "Error", 1), "Failed"))
    assert (status.reason, status.message) == ("Interrupted", message)


def test_a_run_that_failed_tells_no_error_twice() -> None:
    told = RunResult(Phase.FAILED, (STOPPED,), "Interrupted", f"main: {STOPPED.error}")
    status = status_of(FAILED, pod(over(encode(told), "Error", 1), "Failed"))
    assert status.message == f"main: {STOPPED.error} {GOES_ON}"


def test_a_runner_that_was_killed_tells_why_repositories_before_had_failed() -> None:
    partial = encode(summarize_so_far([WRONG], ["far", "main"]))
    message = status_of(FAILED, pod(over(partial, "OOMKilled", 137), "Failed")).message
    assert message.endswith("Not done: main. far: The passphrase is wrong."), message


@pytest.mark.parametrize("cancel", [False, True], ids=["deadline", "cancelled"])
def test_a_run_that_was_stopped_says_what_was_at_work_then(cancel: bool) -> None:
    done = builders.result().repositories[0]
    stopped = replace(done, name="second", phase=Phase.FAILED, reason="Interrupted", error='Dump "db" had not ended.')
    result = encode(replace(builders.result(Phase.FAILED, message="1 of 2: second."), repositories=(done, stopped)))
    run = builders.run("db-1", cancel=True) if cancel else None
    found = derive_run_status(run, FAILED, pod(over(result, "Error", 1), "Failed", reason="DeadlineExceeded"), "", NOW)
    assert found.message.endswith('. 1 of 2: second. second: Dump "db" had not ended.'), found.message


@pytest.mark.parametrize(
    ("known", "job", "expected"),
    [
        (None, None, Trigger.MANUAL),
        ("Scheduled", None, Trigger.SCHEDULED),
        ("Scheduled", builders.job_by_hand("db-1-by-hand", suspended=False), Trigger.SCHEDULED),
        ("Manual", None, Trigger.MANUAL),
    ],
)
def test_what_the_clock_asked_for_stays_so_when_its_job_is_gone(
    known: str | None, job: ObservedJob | None, expected: Trigger
) -> None:
    assert derive_trigger(builders.run("db-1", {"trigger": known} if known else None), job) is expected


def test_of_a_restore_that_was_stopped_nobody_says_that_nothing_is_to_be_mended() -> None:
    half = RepositoryResult("main", Phase.FAILED, reason="Interrupted", error="Stopped.", restore=RestoreResult())
    result = encode(replace(builders.result(Phase.FAILED, reason="Interrupted", message="main."), repositories=(half,)))
    run = builders.run("back-restore", {"phase": "Running", "jobUid": WORKING.uid})
    found = derive_run_status(run, None, pod(over(result, "Error", 1), "Failed"), "", NOW)
    assert found.reason == "Interrupted"
    assert "Nothing is to be mended" not in found.message


def test_no_time_is_recorded_that_is_to_come() -> None:
    ahead = NOW + timedelta(days=3)
    job = replace(DONE, started=ahead, completed=ahead)
    found = derive_run_status(None, job, pod(over(RESULT), "Succeeded"), "", NOW)
    for time in (found.start_time, found.completion_time):
        assert time is not None
        assert time <= (NOW + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_run_at_work_that_began_in_the_future_says_the_same_each_time() -> None:
    job = replace(WORKING, started=NOW + timedelta(minutes=30))
    first = derive_run_status(None, job, pod({"running": {"startedAt": AT}}), "", NOW)
    again = derive_run_status(None, job, pod({"running": {"startedAt": AT}}), "", NOW + timedelta(seconds=1))
    assert first == again


@pytest.mark.parametrize(
    ("job_says", "node_says", "ended"),
    [(NINE, NINE, NINE), (NINE, NINE - timedelta(days=1), NOW), (NINE, None, NOW)],
    ids=["both", "the Job's controller", "the node is gone"],
)
def test_an_operator_whose_clock_is_a_day_slow_puts_no_run_before_its_job(
    job_says: datetime, node_says: datetime | None, ended: datetime
) -> None:
    job = replace(DONE, created=NOW, started=NOW, completed=job_says)
    over_by_then = None
    if node_says is not None:
        over_by_then = pod(over(RESULT, finishedAt=format_time(node_says)), "Succeeded")
    found = derive_run_status(None, job, over_by_then, "", NOW - timedelta(days=1))
    assert (found.start_time, found.completion_time) == (format_time(NOW), format_time(ended))


@pytest.mark.parametrize(
    ("off", "ended"),
    [(timedelta(days=1), NOW + timedelta(minutes=6)), (-timedelta(days=1), NOW)],
    ids=["a day fast", "a day slow"],
)
def test_two_clocks_that_are_wrong_alike_are_those_of_one_machine(off: timedelta, ended: datetime) -> None:
    job = replace(DONE, created=NOW, started=NOW, completed=NOW + off)
    node_says = pod(over(RESULT, finishedAt=format_time(NOW + off)), "Succeeded")
    found = derive_run_status(None, job, node_says, "", NOW + timedelta(minutes=1))
    assert found.completion_time == format_time(ended)


@pytest.mark.parametrize("there", [True, False], ids=["its pod tells", "nobody tells"])
def test_of_a_run_whose_job_is_gone_no_time_is_recorded_that_is_to_come(there: bool) -> None:
    ahead = format_time(NOW + timedelta(days=3))
    run = builders.run("db-1", {"phase": "Running", "jobUid": WORKING.uid, "startTime": ahead})
    found = derive_run_status(run, None, pod(over(RESULT), "Succeeded") if there else None, "", NOW)
    latest = format_time(NOW + timedelta(minutes=5))
    assert (found.start_time, found.completion_time) == (latest, latest)
