"""What the operator asks of copies, and what it writes: snapshots for Jobs, words of the storage about clones."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from borg_cluster.errors import NotFound
from borg_core import labels
from borg_core.actions import CreateSnapshot, DeleteSnapshot, ReleaseSnapshot
from borg_core.copies.snapshots import render_snapshot
from borg_core.copies.words import COPYING, NOT_COPIED
from borg_core.native.copy import SNAPSHOTS, SOURCE_PROTECTION, CopyVolume
from borg_core.registry import Reference
from borg_operator.loop.apply import TakenError
from support import builders
from support.builders import DB, NOW
from support.operator import Operator, run
from support.recorder import Recorder, Request

MARKS = {labels.MANAGED_BY: labels.MANAGER, labels.SCHEDULE: "db"}
CLAIM_UID = "12345678-aaaa"


def volume(snapshot: str = "") -> dict[str, Any]:
    origin = (
        {"kind": SNAPSHOTS.kind, "name": snapshot}
        if snapshot
        else {"kind": "PersistentVolumeClaim", "name": "app-data"}
    )
    template = {"metadata": {"annotations": {labels.COPY_OF: "app-data"}}, "spec": {"dataSource": origin}}
    return {"name": "source-0", "ephemeral": {"volumeClaimTemplate": template}}


def cluster(
    snapshot: str = "", claim: dict[str, Any] | None = None, event: str = "", running: bool = False
) -> Recorder:
    """Return a cluster with the Job `db-1`, its pod `p`, the claim of its copy, and what is said of that."""
    recorder = Recorder()
    spec = {"volumes": [volume(snapshot)]}
    owned = {"namespace": "team", "labels": {**MARKS, labels.CONTROLLER_UID: "uid-db-1"}}
    recorder.add(
        "Job", {"metadata": {**owned, "name": "db-1", "uid": "uid-db-1"}, "spec": {"template": {"spec": spec}}}
    )
    state = {"running": {"startedAt": "2026-03-02T12:00:00Z"}} if running else {}
    status = {"phase": "Pending", "containerStatuses": [{"name": "borg", "state": state}]}
    recorder.add("Pod", {"metadata": {**owned, "name": "p", "uid": "uid-p"}, "spec": spec, "status": status})
    if claim is not None:
        metadata = {"namespace": "team", "name": "p-source-0", "uid": CLAIM_UID}
        recorder.add("PersistentVolumeClaim", {"metadata": metadata, "spec": claim})
    if event:
        said = {"type": "Warning", "reason": "ProvisioningFailed", "note": event, "regarding": {"uid": CLAIM_UID}}
        recorder.add("Event", {"metadata": {"namespace": "team", "name": "e"}, **said})
    return recorder


def words(recorder: Recorder) -> tuple[str, list[str]]:
    """Return what is gathered of the pod at once, and what was asked for."""
    world = run(Operator(recorder).gatherer.gather(DB, {}, NOW))
    return world.words.get("uid-p", ""), [f"{request.verb} {request.kind}" for request in recorder.requests]


def test_a_driver_that_refuses_a_clone_is_heard_at_once() -> None:
    said, _ = words(cluster(claim={}, event="CSI driver does not support clone operations"))
    expected = f'{NOT_COPIED} "app-data": ProvisioningFailed: CSI driver does not support clone operations'
    assert said == expected


@pytest.mark.parametrize(
    ("attempt", "reason", "begin"),
    [
        ("2026-03-02T12:00:04Z", "Provisioning", COPYING),
        ("2026-03-02T12:00:03Z", "Provisioning", NOT_COPIED),
        ("2026-03-02T12:00:02Z", "Provisioning", NOT_COPIED),
        ("2026-03-02T12:00:04Z", "ExternalProvisioning", NOT_COPIED),
    ],
    ids=["it was asked again", "it refused at once", "it was asked before", "others wait for it"],
)
def test_what_a_driver_refused_is_true_until_it_is_asked_again(attempt: str, reason: str, begin: str) -> None:
    recorder = cluster(claim={}, event="no room")
    recorder.edit("Event", "e", {"deprecatedLastTimestamp": "2026-03-02T12:00:03Z"})
    again = {"type": "Normal", "reason": reason, "regarding": {"uid": CLAIM_UID}, "deprecatedLastTimestamp": attempt}
    recorder.add("Event", {"metadata": {"namespace": "team", "name": "again"}, **again})
    assert words(recorder)[0].startswith(begin)


def test_how_large_claims_are_of_which_snapshots_are_read_is_known() -> None:
    recorder = cluster("db.app-data")
    spec = {"resources": {"requests": {"storage": "2Gi"}}}
    recorder.add("PersistentVolumeClaim", {"metadata": {"namespace": "team", "name": "app-data"}, "spec": spec})
    assert run(Operator(recorder).gatherer.gather(DB, {}, NOW)).sizes == {"app-data": "2Gi"}


def test_since_when_runs_say_that_their_copy_is_refused_is_known() -> None:
    recorder = cluster(claim={})
    status = {"phase": "Pending", "reason": "CopyFailed"}
    metadata = {"namespace": "team", "name": "db-1", "uid": "run"}
    recorder.add("BorgRun", {"metadata": metadata, "spec": {"scheduleRef": {"name": "db"}}, "status": status})
    operator = Operator(recorder)

    def refused(minutes: int) -> dict[str, datetime]:
        return dict(run(operator.gatherer.gather(DB, {}, NOW + timedelta(minutes=minutes))).refused)

    assert refused(0) == {"run": NOW}
    assert refused(1) == {"run": NOW}
    recorder.edit("BorgRun", "db-1", {"status": {"reason": "WaitingForCopy"}})
    assert refused(2) == {}
    recorder.edit("BorgRun", "db-1", {"status": {"reason": "CopyFailed"}})
    assert refused(3) == {"run": NOW + timedelta(minutes=3)}


def test_a_driver_that_says_nothing_is_waited_for() -> None:
    assert words(cluster(claim={}))[0].startswith(f'{COPYING} "app-data"')


@pytest.mark.parametrize(
    ("recorder", "expected"),
    [
        (lambda: cluster(claim={"volumeName": f"pvc-{CLAIM_UID}"}, event="of before"), ""),
        (lambda: cluster(claim=None), ""),
        (lambda: cluster(claim={}, event="of before", running=True), ""),
        (lambda: cluster(claim={"volumeName": "disk-07"}, running=True), NOT_COPIED),
    ],
    ids=["it is made", "its claim is not known yet", "its pod runs", "another volume"],
)
def test_where_nothing_is_to_be_said_nothing_is_asked(recorder: Any, expected: str) -> None:
    said, asked = words(recorder())
    assert said.startswith(expected)
    assert bool(said) is bool(expected)
    assert asked == []


def test_snapshots_are_asked_for_where_a_job_reads_any_and_nowhere_else() -> None:
    assert "list VolumeSnapshot" in words(cluster("db.app-data", claim={}))[1]
    assert "list VolumeSnapshot" not in words(cluster(claim={}))[1]


def test_snapshots_are_asked_for_until_the_last_is_gone_also_without_their_job() -> None:
    recorder = cluster("db.app-data")
    named = {"namespace": "team", "name": "db.app-data", "creationTimestamp": "2026-03-02T12:00:00Z"}
    recorder.add("VolumeSnapshot", {"metadata": {**named, "labels": MARKS, "uid": "s"}})
    operator = Operator(recorder)
    assert len(run(operator.gatherer.gather(DB, {}, NOW)).snapshots) == 1
    recorder.remove("Job", "db-1")
    assert len(run(operator.gatherer.gather(DB, {}, NOW)).snapshots) == 1
    recorder.remove("VolumeSnapshot", "db.app-data")
    assert run(operator.gatherer.gather(DB, {}, NOW)).snapshots == ()
    asked = len(recorder.requests)
    assert run(operator.gatherer.gather(DB, {}, NOW)).snapshots == ()
    assert not any(request.kind == SNAPSHOTS.kind for request in recorder.requests[asked:])


def test_a_cluster_without_snapshots_is_known_by_its_answer() -> None:
    def refuse(request: Request) -> BaseException | None:
        return NotFound("the server could not find the requested resource") if request.kind == SNAPSHOTS.kind else None

    recorder = cluster("db.app-data")
    recorder.refuse = refuse
    assert run(Operator(recorder).gatherer.gather(DB, {}, NOW)).serves_snapshots is False


@pytest.mark.parametrize(
    ("snapshot", "claim", "expected"),
    [
        ("db.app-data", {"volumeName": "pvc-1"}, {"uid-p"}),
        ("db.app-data", {}, set()),
        ("", {"volumeName": "pvc-1"}, set()),
    ],
    ids=["made", "not made yet", "a clone"],
)
def test_pods_that_have_volumes_made_from_snapshots_are_known(
    snapshot: str, claim: dict[str, Any], expected: set[str]
) -> None:
    assert run(Operator(cluster(snapshot, claim)).gatherer.gather(DB, {}, NOW)).copied == expected


def manifest(job_name: str) -> dict[str, Any]:
    return render_snapshot(DB, builders.job(job_name), CopyVolume("source-0", "app-data", "db.app-data"))


def test_a_snapshot_is_taken_once_and_one_of_another_job_is_not_taken_for_it() -> None:
    recorder = Recorder()
    operator = Operator(recorder)
    operator.apply(CreateSnapshot(manifest("db-1")))
    operator.apply(CreateSnapshot(manifest("db-1")))
    assert recorder.names(SNAPSHOTS.kind) == ["db.app-data"]
    with pytest.raises(TakenError):
        operator.apply(CreateSnapshot(manifest("db-2")))


def test_only_the_snapshot_that_is_meant_is_deleted() -> None:
    recorder = Recorder()
    operator = Operator(recorder)
    operator.apply(CreateSnapshot(manifest("db-1")))
    reference = Reference(SNAPSHOTS.kind, "team", "db.app-data")
    operator.apply(DeleteSnapshot(reference, "of-another"))
    assert recorder.names(SNAPSHOTS.kind) == ["db.app-data"]
    operator.apply(DeleteSnapshot(reference, recorder.find(SNAPSHOTS.kind, "db.app-data")["metadata"]["uid"]))
    operator.apply(DeleteSnapshot(reference, "gone"))
    assert recorder.names(SNAPSHOTS.kind) == []


PROTECTED = {"finalizers": [SOURCE_PROTECTION, "other"], "deletionTimestamp": "2026-03-02T12:00:00Z"}
FROM = {"dataSource": {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": "db.app-data"}}


@pytest.mark.parametrize(
    ("claim", "copying"),
    [(FROM, {"db.app-data"}), ({**FROM, "volumeName": "pvc-1"}, set()), ({}, set())],
    ids=["a copy is being made", "it is made", "a claim of the team"],
)
def test_whether_it_is_being_copied_is_looked_at_where_a_snapshot_leaves(
    claim: dict[str, Any], copying: set[str]
) -> None:
    recorder = cluster("db.app-data")
    named = {"namespace": "team", "name": "db.app-data", "creationTimestamp": "2026-03-02T12:00:00Z"}
    recorder.add("VolumeSnapshot", {"metadata": {**named, "labels": MARKS, "uid": "s", **PROTECTED}})
    recorder.add("PersistentVolumeClaim", {"metadata": {"namespace": "team", "name": "q-source-0"}, "spec": claim})
    world = run(Operator(recorder).gatherer.gather(DB, {}, NOW))
    assert world.copying == copying


def test_a_snapshot_is_released_only_as_it_was_seen() -> None:
    recorder = Recorder()
    metadata = {"namespace": "team", "name": "db.app-data", "uid": "s", **PROTECTED}
    version = recorder.add("VolumeSnapshot", {"metadata": metadata})["metadata"]["resourceVersion"]
    target = Reference(SNAPSHOTS.kind, "team", "db.app-data")
    for seen in ("0", version):
        Operator(recorder).apply(ReleaseSnapshot(target, seen, ("other",)))
        left = recorder.find("VolumeSnapshot", "db.app-data")["metadata"]["finalizers"]
        assert (left == ["other"]) is (seen == version)
