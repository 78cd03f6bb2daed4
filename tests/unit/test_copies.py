"""Copies of claims: what pods and Jobs are made of, the steps before a Job that reads snapshots, and what runs say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_core.actions import (
    Action,
    CreateCronJob,
    CreateJob,
    CreateSnapshot,
    DeleteJob,
    DeleteSnapshot,
    MarkJob,
    PatchStatus,
    RecordEvent,
    ReleaseSnapshot,
    RepairCronJob,
    StartJob,
)
from borg_core.copies.snapshots import find_next_look
from borg_core.copies.volume import KEPT_SECONDS, derive_snapshot_name
from borg_core.copies.words import COPYING, NOT_COPIED, PATIENCE, describe_copy
from borg_core.native.claim import ObservedClaim, parse_claim
from borg_core.native.copy import SOURCE_PROTECTION, CopyVolume, ObservedSnapshot, find_copies, parse_snapshot
from borg_core.native.job import ObservedJob, parse_job
from borg_core.native.pod import Ending
from borg_core.registry import Reference
from borg_core.runs.world import Refusal
from borg_core.workload.bundle import Bundle
from borg_core.workload.job import render_job_template
from support import builders
from support.builders import NOW, SETTINGS, Case, planned, settled

CLONED = CopyVolume("source-0", "app-data", size="1Gi")
SNAPPED = replace(CLONED, snapshot="db.app-data")
SERVER = builders.ssh_repository()
LATER = NOW + PATIENCE + timedelta(seconds=1)


def bundle(copy: str, *repositories: Any, claim: dict[str, Any] | None = None, **spec: Any) -> Bundle:
    """Return a schedule whose one source is copied, into a repository that needs no volume unless others are given."""
    sources = [builders.source(copy=copy)]
    of = builders.schedule(repositories=("offsite",), sources=sources, **spec)
    if repositories:
        of = builders.schedule(sources=sources, **spec)
    made = builders.bundle(of, repositories or (SERVER,))
    return replace(made, claims={**made.claims, "app-data": builders.claim(**(claim or {}))})


def job_spec(of: Bundle, operation: Operation = Operation.BACKUP) -> dict[str, Any]:
    spec: dict[str, Any] = render_job_template(of.workload(operation), of.owner.reference, SETTINGS)["spec"]
    return spec


def pod_spec(of: Bundle, operation: Operation = Operation.BACKUP) -> dict[str, Any]:
    spec: dict[str, Any] = job_spec(of, operation)["template"]["spec"]
    return spec


def mounted(spec: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the volume that is mounted there, without its name."""
    (name,) = (mount["name"] for mount in spec["containers"][0]["volumeMounts"] if mount["mountPath"] == path)
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == name)
    return {key: value for key, value in volume.items() if key != "name"}


def template(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = mounted(spec, "/sources/data")["ephemeral"]["volumeClaimTemplate"]
    return found


# What pods and Jobs are made of


@pytest.mark.parametrize(
    ("copy", "origin"),
    [
        ("Clone", {"kind": "PersistentVolumeClaim", "name": "app-data"}),
        ("Snapshot", {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "db.app-data"}),
    ],
)
def test_a_copy_is_a_volume_of_the_pod_alone_at_the_path_that_the_source_always_has(
    copy: str, origin: dict[str, str]
) -> None:
    assert template(pod_spec(bundle(copy))) == {
        "metadata": {
            "labels": {"app.kubernetes.io/managed-by": "borg-operator"},
            "annotations": {"borgoperator.io/copy-of": "app-data"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "fast",
            "dataSource": origin,
        },
    }


def test_no_two_snapshots_have_one_name_wherever_dots_are() -> None:
    pairs = [("app", "db.data"), ("app.db", "data"), ("app", "d" * 240 + ".b.c"), ("app", "d" * 250), ("app", "data")]
    names = [derive_snapshot_name(*pair) for pair in pairs]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 253
    assert names[0].startswith("app.db.data-")
    assert names[-1] == "app.data"


def test_size_class_and_access_modes_are_those_of_the_claim() -> None:
    claim = {"size": "70Gi", "storage_class": "slow", "access_modes": ("ReadWriteOncePod",)}
    spec = template(pod_spec(bundle("Clone", claim=claim)))["spec"]
    assert (spec["resources"]["requests"]["storage"], spec["storageClassName"]) == ("70Gi", "slow")
    assert spec["accessModes"] == ["ReadWriteOncePod"]


def test_a_copy_is_mounted_read_only_and_the_claim_itself_not_at_all() -> None:
    spec = pod_spec(bundle("Clone"))
    (mount,) = (item for item in spec["containers"][0]["volumeMounts"] if item["mountPath"] == "/sources/data")
    assert mount["readOnly"] is True
    assert not [volume for volume in spec["volumes"] if "persistentVolumeClaim" in volume]


def test_two_sources_of_one_claim_are_read_from_one_copy() -> None:
    twice = [builders.source(copy="Clone", paths=["a"]), builders.source("other", copy="Clone", paths=["b"])]
    of = builders.bundle(builders.schedule(repositories=("offsite",), sources=twice), (SERVER,))
    spec = pod_spec(of)
    assert mounted(spec, "/sources/data") == mounted(spec, "/sources/other")
    assert len([volume for volume in spec["volumes"] if "ephemeral" in volume]) == 1


def test_no_copy_is_what_there_was_before() -> None:
    plain = builders.bundle(builders.schedule(repositories=("offsite",), sources=[builders.source()]), (SERVER,))
    assert job_spec(bundle("None")) == job_spec(plain)


@pytest.mark.parametrize("operation", [Operation.CHECK, Operation.COMPACT, Operation.PRUNE])
@pytest.mark.parametrize("copy", ["Clone", "Snapshot"])
def test_only_a_backup_makes_copies(copy: str, operation: Operation) -> None:
    spec = job_spec(bundle(copy), operation)
    assert not [volume for volume in spec["template"]["spec"]["volumes"] if "ephemeral" in volume]
    assert not spec.keys() & {"suspend", "ttlSecondsAfterFinished"}


@pytest.mark.parametrize(("copy", "waits"), [("Clone", False), ("None", False), ("Snapshot", True)])
def test_a_job_that_reads_snapshots_begins_when_the_operator_lets_it(copy: str, waits: bool) -> None:
    assert job_spec(bundle(copy)).get("suspend", False) is waits


@pytest.mark.parametrize("copy", ["Clone", "Snapshot"])
def test_a_finished_job_with_copies_goes_without_the_operator_too(copy: str) -> None:
    (made,) = planned(builders.world(bundle(copy)), CreateCronJob)
    spec = made.manifest["spec"]
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 1)
    assert spec["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] == KEPT_SECONDS


def test_files_of_a_copy_are_given_to_no_group_and_secrets_can_be_read_without_one() -> None:
    spec = pod_spec(bundle("Clone"))
    assert "fsGroup" not in spec["securityContext"]
    secret = next(volume["secret"] for volume in spec["volumes"] if "secret" in volume)
    assert secret["defaultMode"] == 0o444


def test_a_claim_that_grew_is_rendered_anew() -> None:
    before = settled(builders.world(bundle("Clone")))
    assert before.bundle
    assert not planned(before, RepairCronJob)
    grown = replace(before.bundle, claims={**before.bundle.claims, "app-data": builders.claim(size="3Gi")})
    (repair,) = planned(replace(before, bundle=grown), RepairCronJob)
    spec = repair.manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert template(spec)["spec"]["resources"]["requests"]["storage"] == "3Gi"
    assert repair.forget_missed_before is None


@pytest.mark.parametrize(
    ("asked", "has", "expected"),
    [("1Gi", None, "1Gi"), ("1Gi", "2Gi", "2Gi"), ("3Gi", "2Gi", "3Gi"), ("2048Mi", "1Gi", "2048Mi"), (None, None, "")],
    ids=["not bound yet", "rounded up by its driver", "growing", "in other units", "of no size"],
)
def test_the_size_of_a_claim_is_the_larger_of_what_it_has_and_what_it_asks_for(
    asked: str | None, has: str | None, expected: str
) -> None:
    body = {
        "metadata": builders.metadata("app-data"),
        "spec": {"resources": {"requests": {"storage": asked} if asked else {}}},
        "status": {"capacity": {"storage": has}} if has else {},
    }
    assert parse_claim(body).size == expected


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({}, ""),
        ({"volume.beta.kubernetes.io/storage-provisioner": "csi.test"}, "csi.test"),
        ({"volume.kubernetes.io/storage-provisioner": "csi.test"}, "csi.test"),
        ({"volume.kubernetes.io/storage-provisioner": "kubernetes.io/no-provisioner"}, ""),
    ],
    ids=["none", "an old cluster", "one", "in the tree"],
)
def test_the_driver_of_a_claim_is_what_kubernetes_says_of_it(notes: dict[str, str], expected: str) -> None:
    assert parse_claim({"metadata": builders.metadata("app-data", annotations=notes)}).driver == expected


# What shows before a run


def problems(of: Bundle, **more: Any) -> list[tuple[str, str]]:
    """Return reason and message of the condition Ready where it is False."""
    found = [patch for patch in planned(builders.world(of, **more), PatchStatus) if patch.target == of.owner.reference]
    conditions = found[0].status["conditions"]
    return [
        (item["reason"], item["message"]) for item in conditions if (item["type"], item["status"]) == ("Ready", "False")
    ]


@pytest.mark.parametrize("copy", ["Clone", "Snapshot"])
def test_a_claim_whose_volume_no_driver_made_cannot_be_copied(copy: str) -> None:
    ((reason, message),) = problems(bundle(copy, claim={"driver": ""}))
    assert reason == Reason.COPY_NOT_POSSIBLE
    assert 'PersistentVolumeClaim "app-data"' in message


def test_a_claim_that_no_pod_has_used_yet_can_be_copied_once_it_is_bound() -> None:
    ((reason, message),) = problems(bundle("Clone", claim={"driver": "", "phase": "Pending"}))
    assert reason == Reason.COPY_NOT_POSSIBLE
    assert '"app-data" is not bound to a volume yet' in message
    assert "a pod that uses it binds it" in message
    assert "leave copy out" not in message


def test_a_copy_beside_a_claim_that_is_written_needs_a_word_of_whose_its_files_become() -> None:
    local = builders.local_repository()
    ((reason, message),) = problems(bundle("Clone", local))
    assert reason == Reason.COPY_NOT_POSSIBLE
    assert "fileAccess: ReadAll" in message
    assert problems(bundle("Clone", local, job={"fileAccess": "ReadAll"})) == []
    assert problems(bundle("Clone", local, job={"fsGroup": 7})) == []
    platform = replace(SETTINGS, pods=replace(SETTINGS.pods, users_from_platform=True))
    assert problems(bundle("Clone", local), settings=platform) == []


def test_one_place_in_the_pod_is_read_in_one_way() -> None:
    other = builders.ssh_repository("second", sources=[builders.source()])
    first = builders.ssh_repository(sources=[builders.source(copy="Clone")])
    of = builders.bundle(builders.schedule(repositories=("offsite", "second")), (first, other))
    ((reason, message),) = problems(of)
    assert reason == Reason.SOURCE_CONFLICT
    assert "/sources/data" in message


# The steps before a Job that reads snapshots

READY = settled(builders.world(bundle("Snapshot")))
TICK = builders.job(
    "db-29000000",
    owner_uid="uid-cron",
    run_uid="uid-db-29000000",
    started=None,
    suspended=True,
    at_rest=True,
    copies=(SNAPPED,),
    reads_own=False,
)
REFUSED = {"uid-db-29000000": NOW}
"""Since when its run says that its copy is refused."""
STEPS = (CreateSnapshot, DeleteSnapshot, StartJob, DeleteJob)


def snapshot(of: ObservedJob = TICK, copy: CopyVolume = SNAPPED, **more: Any) -> ObservedSnapshot:
    found = ObservedSnapshot(builders.NAMESPACE, copy.snapshot, f"snap-{of.uid}-{copy.claim}", of.uid, NOW)
    return replace(found, **more)


def ticked(
    *snapshots: ObservedSnapshot, job: ObservedJob = TICK, run: dict[str, Any] | None = None, **more: Any
) -> Case:
    """Return the world after a tick, whose Job waits, with these snapshots."""
    assert READY.cron_job
    cron_job = replace(READY.cron_job, active=frozenset({TICK.uid}))
    runs = (builders.run(TICK.name, {"trigger": "Scheduled", **(run or {})}),)
    return replace(READY, cron_job=cron_job, jobs=(job,), runs=runs, snapshots=snapshots, **more)


def steps(world: Case, now: Any = NOW) -> list[type[Action]]:
    return [type(action) for action in builders.plan(world, now).actions if isinstance(action, STEPS)]


def said(world: Case, now: Any = NOW) -> tuple[str | None, str | None, str]:
    """Return phase, reason and message of the run, as they will be."""
    (patch,) = (item for item in planned(world, PatchStatus, now) if item.target.name == TICK.name)
    return patch.status.get("phase"), patch.status.get("reason"), patch.status.get("message") or ""


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (ticked(), [CreateSnapshot]),
        (ticked(snapshot()), []),
        (ticked(snapshot(is_ready=True)), [StartJob]),
        (ticked(snapshot(is_ready=True, deleting_since=NOW)), []),
        (ticked(job=replace(TICK, at_rest=False)), []),
        (ticked(replace(snapshot(is_ready=True), job_uid="of-a-run-before")), [DeleteSnapshot]),
        (ticked(replace(snapshot(is_ready=True), job_uid="of-a-run-before", deleting_since=NOW)), []),
        (ticked(snapshot(), job=replace(TICK, suspended=False, at_rest=False, started=NOW)), []),
        (ticked(job=replace(TICK, suspended=False, at_rest=False, started=NOW)), [CreateSnapshot]),
        (ticked(snapshot(is_ready=True), job=replace(TICK, succeeded=False)), [DeleteSnapshot]),
        (ticked(snapshot(), snapshot(job_uid="", name="before-the-upgrade")), []),
        (ticked(snapshot(job_uid="")), [DeleteSnapshot]),
    ],
    ids=[
        "nothing is there",
        "being taken",
        "taken",
        "somebody deletes it",
        "its controller has not taken up the pause",
        "one of an earlier run is in the way",
        "that one is on its way out",
        "somebody else let the Job begin, it is being taken",
        "somebody else let the Job begin",
        "the Job has ended",
        "somebody made one like ours for themselves",
        "somebody took the owner from one",
    ],
)
def test_a_snapshot_is_taken_in_steps_each_of_which_may_be_the_last(world: Case, expected: list[type]) -> None:
    assert steps(world) == expected


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (ticked(sizes={"app-data": "2Gi"}), [DeleteJob]),
        (ticked(sizes={"app-data": "1024Mi"}), [CreateSnapshot]),
        (ticked(sizes={"app-data": ""}), [CreateSnapshot]),
        (ticked(snapshot(is_ready=True), sizes={"app-data": "2Gi"}), [StartJob]),
        (ticked(snapshot(job_uid="of-a-run-before"), sizes={"app-data": "2Gi"}), [DeleteJob, DeleteSnapshot]),
    ],
    ids=["it grew", "in other units", "nobody knows", "it grew since it was taken", "an earlier run's is there"],
)
def test_a_job_that_waits_is_made_anew_where_its_claim_has_outgrown_it(world: Case, expected: list[type]) -> None:
    assert steps(world) == expected


def test_the_run_of_a_tick_whose_job_is_made_anew_is_the_same() -> None:
    gone = replace(ticked(run={"scheduledTime": "2026-03-02T12:00:00Z"}), jobs=())
    assert gone.bundle
    grown = replace(gone.bundle, claims={**gone.bundle.claims, "app-data": builders.claim(size="2Gi")})
    (made,) = planned(replace(gone, bundle=grown), CreateJob)
    assert made.manifest["metadata"]["annotations"]["borgoperator.io/run-uid"] == "uid-db-29000000"
    assert find_copies(made.manifest["spec"]["template"]["spec"]) == (replace(SNAPPED, size="2Gi"),)
    assert made.manifest["spec"]["suspend"] is True


def test_a_snapshot_belongs_to_the_job_so_that_it_goes_with_it() -> None:
    (made,) = planned(ticked(), CreateSnapshot)
    assert made.manifest == {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": "db.app-data",
            "namespace": "team",
            "labels": {"app.kubernetes.io/managed-by": "borg-operator", "borgoperator.io/schedule": "db"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": TICK.name, "uid": TICK.uid}],
        },
        "spec": {"source": {"persistentVolumeClaimName": "app-data"}},
    }


def test_a_tick_that_waits_for_its_snapshot_stays_one_of_the_clock_and_says_when_it_was_due() -> None:
    (patch,) = (item for item in planned(ticked(run={}), PatchStatus) if item.target.name == TICK.name)
    assert patch.status["scheduledTime"] == "2026-03-02T12:00:00Z"
    assert patch.status.get("trigger", "Scheduled") == "Scheduled"
    assert (patch.status["reason"], patch.status["message"]) == (Reason.WAITING_FOR_COPY, f'{COPYING} "app-data"')


def test_a_tick_waits_for_a_run_that_is_at_work_before_it_takes_its_snapshot() -> None:
    before = builders.job_by_hand("before", suspended=False, at_rest=False, started=NOW)
    world = ticked()
    assert world.cron_job
    world = replace(
        world,
        jobs=(*world.jobs, before),
        runs=(*world.runs, builders.run("before", {"phase": "Running", "jobUid": before.uid})),
        cron_job=replace(world.cron_job, active=frozenset({TICK.uid, before.uid})),
    )
    assert steps(world) == []


@pytest.mark.parametrize(
    ("world", "now", "phase", "reason", "words"),
    [
        (ticked(snapshot()), NOW, None, Reason.WAITING_FOR_COPY, "VolumeSnapshot db.app-data is not ready"),
        (ticked(snapshot()), NOW + timedelta(days=1), None, Reason.WAITING_FOR_COPY, "is not ready"),
        (ticked(snapshot(error="no room on pool 7")), NOW, None, Reason.COPY_FAILED, "no room on pool 7"),
        (
            ticked(snapshot(error="no room on pool 7"), refused=REFUSED),
            LATER,
            "Failed",
            Reason.COPY_FAILED,
            "no room on pool 7",
        ),
        (ticked(snapshot(error="no room on pool 7")), LATER, None, Reason.COPY_FAILED, "no room on pool 7"),
        (
            ticked(snapshot(error="rpc error: code = DeadlineExceeded desc = late"), refused=REFUSED),
            LATER,
            None,
            Reason.WAITING_FOR_COPY,
            "late",
        ),
        (ticked(serves_snapshots=False), NOW, None, Reason.COPY_FAILED, "does not serve VolumeSnapshots"),
        (
            ticked(serves_snapshots=False, refused=REFUSED),
            LATER,
            "Failed",
            Reason.COPY_FAILED,
            "does not serve VolumeSnapshots",
        ),
        (
            ticked(refusals={Reference("VolumeSnapshot", "team", "db.app-data"): Refusal("exceeded quota")}),
            NOW,
            None,
            Reason.COPY_FAILED,
            "exceeded quota",
        ),
    ],
    ids=[
        "slow",
        "very slow",
        "refused",
        "refused for long",
        "refused a moment ago, asked for long before",
        "its driver may be at it",
        "no such kind in the cluster",
        "no such kind for long",
        "a quota",
    ],
)
def test_what_keeps_a_snapshot_from_being_there_is_said(
    world: Case, now: Any, phase: str | None, reason: Reason, words: str
) -> None:
    told = said(world, now)
    assert told[:2] == (phase or "Pending", reason)
    assert words in told[2]


FORMER: dict[str, Any] = {"job_uid": "of-a-run-before", "is_ready": True}
WAITS = replace(TICK, created=NOW)
HELD: dict[str, Any] = {
    "deleting_since": NOW - timedelta(days=3),
    "finalizers": ("team.example/hold", "bound-protection"),
}
TAKEN = {Reference("VolumeSnapshot", "team", "db.app-data"): Refusal("another has the name", taken=True)}


FORGOTTEN = (SOURCE_PROTECTION, "team.example/hold")


def test_a_snapshot_of_which_no_volume_could_be_made_is_released_once_nothing_is_being_copied() -> None:
    left = snapshot(**FORMER, deleting_since=NOW, finalizers=FORGOTTEN, version="7")
    [release] = planned(ticked(left, job=WAITS), ReleaseSnapshot)
    assert release == ReleaseSnapshot(left.reference, "7", ("team.example/hold",))
    assert not planned(ticked(left, job=WAITS, copying=frozenset({left.name})), ReleaseSnapshot)
    assert not planned(ticked(replace(left, deleting_since=None), job=WAITS), ReleaseSnapshot)
    assert not planned(ticked(replace(left, finalizers=FORGOTTEN[1:]), job=WAITS), ReleaseSnapshot)


@pytest.mark.parametrize(
    ("of", "looks"),
    [
        ({"deleting_since": NOW, "finalizers": FORGOTTEN}, True),
        ({}, True),
        ({"deleting_since": NOW, "finalizers": FORGOTTEN[1:]}, False),
        ({"job_uid": ""}, False),
        ({"job_uid": "", "deleting_since": NOW, "finalizers": FORGOTTEN}, False),
    ],
    ids=["the provisioner's finalizer", "not deleted yet", "kept by somebody else", "somebody's own", "and leaving"],
)
def test_a_snapshot_that_is_to_go_is_looked_at_also_when_its_job_is_gone(of: dict[str, Any], looks: bool) -> None:
    alone = find_next_look(replace(READY, snapshots=(snapshot(**{**FORMER, **of}),)))
    assert (alone is not None) is looks


def test_a_snapshot_that_is_on_its_way_out_is_waited_for_with_patience() -> None:
    told = said(ticked(snapshot(**FORMER, **HELD), job=WAITS))
    assert told[:2] == ("Pending", Reason.WAITING_FOR_COPY)
    assert "is being deleted" in told[2]


@pytest.mark.parametrize(
    ("snapshots", "refusals", "words"),
    [
        (
            (snapshot(**FORMER, **HELD),),
            {},
            (
                "VolumeSnapshot db.app-data of an earlier run",
                "since 2026-02-27T12:00:00Z",
                "finalizers team.example/hold, bound-protection",
                "kubectl -n team get volumesnapshot db.app-data -o yaml",
                "kubectl -n team patch volumesnapshot db.app-data --type merge",
            ),
        ),
        ((snapshot(**HELD),), {}, ("db.app-data is being deleted", "finalizers team.example/hold")),
        ((snapshot(**FORMER),), {}, ("VolumeSnapshot db.app-data of an earlier run is still there",)),
        ((), TAKEN, ("VolumeSnapshot db.app-data is not of this operator", "get volumesnapshot db.app-data")),
        ((), {key: Refusal("exceeded quota") for key in TAKEN}, ("exceeded quota",)),
        ((snapshot(is_taken_up=False),), {}, ("no snapshot controller has taken up VolumeSnapshot db.app-data",)),
    ],
    ids=[
        "finalizers keep one of an earlier run",
        "finalizers keep its own",
        "one of an earlier run cannot be deleted",
        "somebody else's has the name",
        "a quota",
        "no controller",
    ],
)
def test_what_stays_in_the_way_of_a_snapshot_fails_the_run_with_what_to_do(
    snapshots: tuple[ObservedSnapshot, ...], refusals: dict[Reference, Refusal], words: tuple[str, ...]
) -> None:
    world = ticked(*snapshots, job=WAITS, refusals=refusals)
    assert said(world)[0] == "Pending"
    told = said(replace(world, refused=REFUSED), LATER)
    assert told[:2] == ("Failed", Reason.COPY_FAILED)
    assert [part for part in words if part not in told[2]] == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [(NOW - timedelta(days=3), "Failed"), (LATER - timedelta(minutes=1), "Pending")],
    ids=["of old", "a moment ago"],
)
def test_the_patience_begins_neither_before_the_deletion_nor_before_the_job(since: Any, expected: str) -> None:
    assert said(ticked(snapshot(**FORMER, deleting_since=since), job=WAITS), LATER)[0] == expected


def test_the_patience_of_a_run_begins_when_it_is_its_turn() -> None:
    world = ticked(snapshot(**FORMER, **HELD), job=WAITS)
    before = {"phase": "Failed", "startTime": "2026-03-02T12:01:00Z", "completionTime": "2026-03-02T12:01:30Z"}
    world = replace(world, runs=(*world.runs, builders.run("before", before)))
    assert said(world, LATER)[0] == "Pending"
    assert said(world, LATER + timedelta(seconds=90))[0] == "Failed"


def test_a_snapshot_that_is_long_in_coming_says_where_to_look() -> None:
    message = said(ticked(snapshot(), job=WAITS), LATER)[2]
    assert "is not ready to use since 2026-03-02T12:00:00Z" in message
    assert "kubectl -n team describe volumesnapshot db.app-data" in message


def test_a_snapshot_says_who_keeps_it_and_whether_anybody_has_seen_it() -> None:
    metadata = {"namespace": "team", "name": "s", "uid": "u", "creationTimestamp": "2026-03-02T12:00:00Z"}
    fresh = parse_snapshot({"metadata": metadata})
    assert (fresh.deleting, fresh.is_taken_up, fresh.finalizers) == (False, False, ())
    kept = {**metadata, "finalizers": ["a"], "deletionTimestamp": "2026-03-02T12:00:00Z"}
    found = parse_snapshot({"metadata": kept})
    assert (found.deleting_since, found.is_taken_up, found.finalizers) == (NOW, True, ("a",))
    assert parse_snapshot({"metadata": metadata, "status": {"readyToUse": False}}).is_taken_up


LET_GO = replace(TICK, suspended=False, at_rest=False, started=NOW)
"""Its Job, which somebody else let begin."""


@pytest.mark.parametrize(
    ("world", "vouches"),
    [
        (ticked(), True),
        (ticked(snapshot()), True),
        (ticked(snapshot(is_ready=True)), True),
        (ticked(snapshot(**FORMER)), False),
        (ticked(snapshot(**FORMER, deleting_since=NOW)), False),
        (ticked(snapshot(deleting_since=NOW)), False),
        (ticked(refusals=TAKEN), False),
        (ticked(job=LET_GO), True),
        (ticked(snapshot(), job=LET_GO), True),
        (ticked(snapshot(**FORMER), job=LET_GO), False),
        (ticked(snapshot(), job=LET_GO, pods=builders.pod(LET_GO)), False),
        (ticked(job=LET_GO, pods=builders.pod(LET_GO, began=False), copied=frozenset({f"pod-uid-{TICK.name}"})), False),
        (ticked(snapshot(), job=replace(TICK, reads_own=True)), False),
    ],
    ids=[
        "it is asked for",
        "it is being taken",
        "it is taken",
        "one of an earlier run is there",
        "that one is on its way out",
        "somebody deletes its own",
        "somebody else's has the name",
        "asked for beside a pod",
        "being taken beside a pod",
        "an earlier run's, and a pod",
        "its pod has begun",
        "its pod has a volume",
        "that is said already",
    ],
)
def test_a_job_is_vouched_for_before_its_pod_can_read_the_snapshot_of_another(world: Case, *, vouches: bool) -> None:
    actions = builders.plan(world, NOW).actions
    kinds = [type(action) for action in actions]
    note = MarkJob(TICK.reference, TICK.uid, {"borgoperator.io/own-snapshots": "true"})
    assert (note in actions) is vouches
    if vouches and StartJob in kinds:
        assert actions.index(note) < kinds.index(StartJob)
    if vouches and CreateSnapshot in kinds:
        assert kinds.index(CreateSnapshot) < actions.index(note)


DID_WELL = replace(LET_GO, succeeded=True, completed=NOW)


@pytest.mark.parametrize(
    ("job", "pods", "more"),
    [
        (LET_GO, builders.pod(LET_GO), {}),
        (DID_WELL, builders.ended_pod(DID_WELL, builders.result()), {}),
        (DID_WELL, {}, {}),
    ],
    ids=["it reads", "it has read", "its pod is gone"],
)
def test_a_run_that_somebody_else_let_begin_without_the_operator_may_have_read_the_snapshot_of_another(
    job: ObservedJob, pods: dict[str, Any], more: dict[str, Any]
) -> None:
    world = ticked(snapshot(**FORMER), job=job, pods=pods, **more)
    phase, reason, message = said(world)
    assert (phase, reason) == ("Failed", Reason.COPY_FAILED)
    assert "Do not trust an archive of this run" in message
    own = replace(world, jobs=(replace(job, reads_own=True),))
    assert said(own)[0] == ("Completed" if job.finished else "Running")


def test_a_volume_that_was_there_before_its_snapshot_fails_the_run_and_one_that_never_began_says_why_itself() -> None:
    waits = builders.pod(LET_GO, began=False, copies=(SNAPPED,))
    world = ticked(job=LET_GO, pods=waits, copied=frozenset(pod.uid for pod in waits.values()))
    assert said(world)[1] == Reason.COPY_FAILED
    assert said(replace(world, refused=REFUSED), LATER)[0] == "Failed"
    late = replace(LET_GO, succeeded=False, failure_reason="DeadlineExceeded", completed=NOW)
    never = builders.pod(late, began=False, ending=Ending(), finished=True)
    assert said(ticked(job=late, pods=never))[1] == Reason.DEADLINE_EXCEEDED


def test_a_run_whose_snapshot_failed_takes_its_job_and_so_the_snapshot_along() -> None:
    ended = {"phase": "Failed", "reason": "CopyFailed", "completionTime": "2026-03-02T12:02:00Z"}
    assert steps(ticked(snapshot(error="no"), run=ended), LATER) == [DeleteJob]


def test_of_several_claims_it_is_said_that_they_are_not_of_one_moment() -> None:
    second = CopyVolume("source-1", "uploads", "db.uploads")
    job = replace(TICK, copies=(SNAPPED, second))
    assert steps(ticked(job=job)) == [CreateSnapshot, CreateSnapshot]
    message = said(ticked(snapshot(is_ready=True), snapshot(copy=second), job=job))[2]
    assert "1 of 2 snapshots, taken one after another, are there" in message


# What becomes of a run's Job, and what a run says whose clone is not made

CLONES = builders.job(
    "db-29000000", owner_uid="uid-cron", run_uid="uid-db-29000000", copies=(CLONED,), created=NOW, started=NOW
)


def cloning(words: str = "", job: ObservedJob = CLONES, run: dict[str, Any] | None = None, **pod: Any) -> Case:
    """Return the world of a run whose pod waits for its clone, as `words` say."""
    pods = builders.pod(job, **{"began": False, "copies": (CLONED,), "waiting": "Unschedulable: no volume", **pod})
    told = {found.uid: words for found in pods.values()} if words else {}
    return ticked(job=job, run=run, pods=pods, words=told)


@pytest.mark.parametrize(
    ("words", "refused", "expected"),
    [
        (f"{NOT_COPIED}: it cannot", NOW, ("Failed", Reason.COPY_FAILED)),
        (f"{NOT_COPIED}: it cannot", LATER, ("Pending", Reason.COPY_FAILED)),
        (f"{NOT_COPIED}: it cannot", None, ("Pending", Reason.COPY_FAILED)),
        (f"{COPYING}: it is slow", None, ("Pending", Reason.WAITING_FOR_COPY)),
        (f"{COPYING}: it is slow", NOW, ("Pending", Reason.WAITING_FOR_COPY)),
        ("", None, ("Pending", Reason.WAITING_FOR_POD)),
    ],
    ids=["refused for long", "refused", "refused for the first time", "slow", "at it after all", "it is not the clone"],
)
def test_a_run_says_what_its_storage_says_of_the_clone(words: str, refused: Any, expected: tuple[str, Reason]) -> None:
    world = replace(cloning(words), refused={f"uid-{TICK.name}": refused} if refused else {})
    assert said(world, LATER)[:2] == expected


def test_a_clone_that_failed_is_told_in_one_event_and_takes_the_job_along() -> None:
    words = f"{NOT_COPIED}: it cannot"
    (event,) = planned(cloning(words), RecordEvent)
    assert (event.reason, event.warning) == (Reason.COPY_FAILED, True)
    again = {"phase": "Pending", "reason": "CopyFailed", "message": words, "jobUid": CLONES.uid}
    assert not planned(cloning(words, run=again), RecordEvent)
    ended = {"phase": "Failed", "reason": "CopyFailed", "message": words, "jobUid": CLONES.uid}
    assert steps(cloning(words, run=ended), LATER) == [DeleteJob]


def test_a_run_that_read_another_volume_than_the_clone_has_failed_whatever_it_says() -> None:
    job = replace(CLONES, succeeded=True, completed=NOW)
    world = cloning(f"{NOT_COPIED}: it read another volume", job)
    ended = builders.ended_pod(job, builders.result())
    assert said(replace(world, pods=ended))[:2] == ("Failed", Reason.COPY_FAILED)


DONE: dict[str, Any] = {"phase": "Completed", "completionTime": "2026-03-02T12:00:00Z", "jobUid": CLONES.uid}


@pytest.mark.parametrize(
    ("job", "run", "active", "expected"),
    [
        (replace(CLONES, succeeded=True), DONE, frozenset(), [DeleteJob]),
        (replace(CLONES, succeeded=True), DONE, frozenset({CLONES.uid}), []),
        (replace(CLONES, succeeded=False), {**DONE, "phase": "Failed"}, frozenset(), []),
        (replace(CLONES, succeeded=True, copies=()), DONE, frozenset(), []),
        (replace(CLONES, succeeded=True, deleting=True), DONE, frozenset(), []),
    ],
    ids=["recorded", "its CronJob does not know yet", "it failed: its log stays", "it has no copies", "on its way"],
)
def test_a_job_that_went_well_goes_with_its_copies_once_that_is_recorded(
    job: ObservedJob, run: dict[str, Any], active: frozenset[str], expected: list[type]
) -> None:
    world = cloning("", job, run)
    assert world.cron_job
    assert steps(replace(world, cron_job=replace(world.cron_job, active=active), pods={})) == expected


@pytest.mark.parametrize(
    ("claim", "warning", "begin", "words"),
    [
        ({"volume": "pvc-12345678-aaaa"}, "", "", ""),
        ({"volume": "pvc-12345678-aaaa"}, "ProvisioningFailed: of before", "", ""),
        ({"volume": "disk-03"}, "", NOT_COPIED, "the volume disk-03"),
        ({}, "", COPYING, "nothing is heard"),
        ({}, "ProvisioningFailed: rpc error: code = Aborted desc = at it", COPYING, "at it"),
        ({}, "ProvisioningFailed: rpc error: code = DeadlineExceeded desc = late", COPYING, "late"),
        ({}, "ProvisioningFailed: rpc error: code = ResourceExhausted desc = full", NOT_COPIED, "full"),
        ({}, "ProvisioningFailed: CSI driver does not support clone operations", NOT_COPIED, "does not support"),
    ],
    ids=[
        "bound",
        "bound after all",
        "bound to a free volume",
        "silent",
        "at it",
        "late",
        "without room",
        "without clones",
    ],
)
def test_what_is_heard_of_a_copy_tells_whether_it_may_yet_come(
    claim: dict[str, str], warning: str, begin: str, words: str
) -> None:
    found = replace_uid(builders.claim("pod-source-0"), claim)
    told = describe_copy(CLONED, found, warning)
    assert told.startswith(begin) if begin else not told
    assert words in told


def replace_uid(claim: ObservedClaim, change: dict[str, Any]) -> ObservedClaim:
    return replace(claim, uid="12345678-aaaa-bbbb", **change)


# What is read of the cluster's own objects


def test_a_job_says_whether_its_snapshots_can_only_be_its_own() -> None:
    for value, expected in (("true", True), ("", True), ("false", False)):
        notes = {"borgoperator.io/own-snapshots": value}
        assert parse_job({"metadata": builders.metadata("db-1", annotations=notes)}).reads_own is expected


def test_a_job_that_is_made_to_read_snapshots_is_not_vouched_for() -> None:
    for copy, expected in (("Snapshot", "false"), ("Clone", None)):
        of = bundle(copy)
        template = render_job_template(of.workload(Operation.BACKUP), of.owner.reference, SETTINGS)
        assert template["metadata"]["annotations"].get("borgoperator.io/own-snapshots") == expected


def test_a_rendered_job_is_known_again_by_its_copies() -> None:
    assert find_copies(pod_spec(bundle("Clone"))) == (CLONED,)
    assert find_copies(pod_spec(bundle("Snapshot"))) == (SNAPPED,)
    assert find_copies({"volumes": [{"name": "x", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]}) == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, (False, "")),
        ({"readyToUse": False, "error": {"message": "no\n room"}}, (False, "no room")),
        ({"readyToUse": True, "error": None}, (True, "")),
    ],
    ids=["new", "refused", "taken"],
)
def test_a_snapshot_says_whether_it_is_ready(status: dict[str, Any] | None, expected: tuple[bool, str]) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "db-1", "uid": "uid-1"}
    metadata = builders.metadata("db.app-data", ownerReferences=[owner])
    found = parse_snapshot({"metadata": metadata, **({"status": status} if status else {})})
    assert (found.is_ready, found.error, found.job_uid) == (*expected, "uid-1")
