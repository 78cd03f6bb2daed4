"""Restores, played through in virtual time.

Preview and approval, an application that is stopped and started, schedules that wait, pods that are killed.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from borg_cluster.client import Object
from borg_cluster.errors import Forbidden
from borg_contract.restore.result import RestorePreview, RestoreResult
from borg_contract.result import RunResult
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.kinds.restore_status import MOST_SCALED, BorgRestoreStatus, RestorePhase
from borg_core.native.claim_user import ClaimUser, ScalableWorkload
from borg_core.restores.writers import Clearance, derive_clearance, scale_down
from support import builders
from support.restoring import ARCHIVE, DIGEST, UNDO, Application, answer, looked, restore, told
from support.running import BEGIN, Cluster, claims, run_by_hand
from support.virtual_time import run_virtually

Look = Callable[[Cluster], None]


def play(*looks: tuple[float, Look], schedule: str = "0 2 * * *", application: bool = False, **spec: Any) -> Cluster:
    """Return the cluster after a restore was asked for: each look comes so many seconds after the one before."""
    cluster = Cluster(answer=answer)

    async def work() -> None:
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        cluster.add(builders.local_repository(), builders.schedule(schedule=schedule))
        if application:
            cluster.application = Application(cluster.recorder)
        await cluster.begin()
        await cluster.live(2)
        cluster.add(restore(**spec))
        for seconds, look in looks:
            await cluster.live(seconds)
            look(cluster)
        await cluster.live(40)
        await cluster.stop()

    run_virtually(work())
    return cluster


def is_suspended(cluster: Cluster) -> bool:
    found: bool = cluster.recorder.find("CronJob", "db")["spec"]["suspend"]
    return found


def replicas(cluster: Cluster) -> int | None:
    return cluster.application.replicas if cluster.application else None


def edit(**spec: Any) -> Look:
    return lambda cluster: cluster.recorder.edit("BorgRestore", "back", {"spec": spec})


def test_an_archive_is_looked_at_and_then_brought_back() -> None:
    cluster = play()
    status = cluster.restore.status
    assert (status.phase, status.reason) == (RestorePhase.COMPLETED, None)
    assert status.resolved == ARCHIVE
    assert (status.files, status.undo_archive, status.verified and status.verified.files) == (3, UNDO, 3)
    assert status.start_time
    assert status.completion_time
    assert [run.metadata.name for run in cluster.runs] == ["back-preview", "back-restore"]
    assert status.message == (
        f'3 restored from {ARCHIVE.archive} into claim "app-data"; 3 files read back and compared; what was there is '
        f"in archive {UNDO}"
    )


def test_the_second_run_gets_the_very_archive_that_the_first_one_found() -> None:
    cluster = play(archive=None, latest={"scheduleRef": {"name": "db"}, "maxAge": "2d"})
    plans = {job["metadata"]["name"]: plan_of(job) for job in cluster.recorder.all_of("Job")}
    assert plans["back-preview"]["latest"] == {"schedule": "db", "maxAgeSeconds": 172800}
    assert "archiveId" not in plans["back-preview"]
    assert plans["back-restore"]["archiveId"] == ARCHIVE.id
    assert "latest" not in plans["back-restore"]


def pod_of(cluster: Cluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.recorder.find("Job", name)["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(("job", "group", "mode"), [({}, None, 0o444), ({"fsGroup": 2000}, 2000, 0o440)])
def test_a_pod_that_keeps_the_applications_groups_can_read_its_secrets(
    job: dict[str, Any], group: int | None, mode: int
) -> None:
    cluster = play(ownership="RunAs", job=job)
    pod = pod_of(cluster, "back-restore")
    assert pod["securityContext"].get("fsGroup") == group
    modes = {volume["secret"]["defaultMode"] for volume in pod["volumes"] if "secret" in volume}
    assert modes == {mode}


def plan_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = json.loads(container["env"][0]["value"])["restore"]
    return found


def test_a_preview_changes_nothing_until_its_digest_is_approved() -> None:
    seen: list[Any] = []

    def look(cluster: Cluster) -> None:
        status = cluster.restore.status
        seen.append((status.phase, status.reason, len(cluster.runs), is_suspended(cluster)))

    cluster = play((60, look), (0, edit(approve="other")), (20, look), (0, edit(approve=DIGEST)), preview=True)
    assert seen == [
        (RestorePhase.PREVIEWED, "WaitingForApproval", 1, False),
        (RestorePhase.PREVIEWED, "PreviewOutdated", 1, False),
    ]
    assert cluster.restore.status.phase is RestorePhase.COMPLETED


def test_who_is_in_the_way_is_told_before_anybody_approves_and_no_more_once_it_is_gone() -> None:
    seen: list[str] = []

    def look(cluster: Cluster) -> None:
        assert cluster.restore.status.reason == "WaitingForApproval"
        seen.append(cluster.restore.status.message or "")

    def stop(cluster: Cluster) -> None:
        cluster.recorder.edit("Deployment", "web", {"spec": {"replicas": 0}})

    play((60, look), (0, stop), (120, look), preview=True, application=True)
    assert 'Claim "app-data" is in use by Deployment "web"' in seen[0]
    assert "kubectl -n team patch brest" in seen[0]
    assert "in use" not in seen[1]


@pytest.mark.parametrize(
    ("overwrite", "delete", "phase"),
    [(0, 0, RestorePhase.COMPLETED), (1, 0, RestorePhase.PREVIEWED), (0, 1, RestorePhase.PREVIEWED)],
)
def test_a_mirror_that_would_destroy_something_has_to_be_approved(
    overwrite: int, delete: int, phase: RestorePhase
) -> None:
    cluster = play()
    cluster = Cluster()

    def tell(pod: dict[str, Any]) -> RunResult | None:
        is_preview = pod["metadata"]["labels"].get(labels.OPERATION) == Operation.PREVIEW
        return looked(overwrite=overwrite, delete=delete) if is_preview else answer(pod)

    cluster = play((0, lambda cluster: setattr(cluster, "answer", tell)), mode="Mirror")
    assert cluster.restore.status.phase is phase


def test_the_target_may_have_changed_since_it_was_approved() -> None:
    """The new preview is shown, and nothing was changed; approving that goes on."""
    outdated = told(
        Phase.FAILED,
        replace(looked("d2").repositories[0].restore or RestoreResult()),
        reason="PreviewOutdated",
        message="The target has changed since.",
    )
    seen: list[Any] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        name = pod["metadata"]["name"]
        return outdated if name == "back-restore-pod" else answer(pod)

    def look(cluster: Cluster) -> None:
        status = cluster.restore.status
        seen.append((status.phase, status.reason, status.preview and status.preview.digest, is_suspended(cluster)))

    cluster = play(
        (0, lambda cluster: setattr(cluster, "answer", tell)),
        (60, look),
        (0, edit(approve="d2")),
        preview=True,
        approve=DIGEST,
    )
    assert seen == [(RestorePhase.PREVIEWED, "PreviewOutdated", "d2", False)]
    assert cluster.restore.status.phase is RestorePhase.COMPLETED


def test_schedules_that_read_the_claim_wait_and_then_make_up_for_what_they_missed() -> None:
    seen: list[Any] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        """Restore until the tick is past."""
        is_restore = pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE
        return None if is_restore and len(seen) < 2 else answer(pod)

    def look(cluster: Cluster) -> None:
        status = cluster.schedule.status
        seen.append((is_suspended(cluster), status.conditions[0].reason))

    cluster = play(
        (0, lambda cluster: setattr(cluster, "answer", tell)),
        (30, look),
        (80, look),
        schedule="52 11 * * *",
    )
    assert BEGIN.strftime("%H:%M") == "11:50"
    assert (
        seen == [(True, "WaitingForRestore", ())] * 2
        or [item[:2] for item in seen] == [(True, "WaitingForRestore")] * 2
    )
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    backups = [run for run in cluster.runs if run.spec.operation is Operation.BACKUP]
    assert [run.status.phase for run in backups] == [Phase.COMPLETED]
    assert (backups[0].status.start_time or "") >= (cluster.restore.status.completion_time or "")
    assert not is_suspended(cluster)


def test_a_run_by_hand_waits_for_the_restore_as_well() -> None:
    def ask(cluster: Cluster) -> None:
        cluster.add(run_by_hand(at=cluster.recorder.now))

    cluster = play((6, ask))
    (backup,) = [run for run in cluster.runs if run.metadata.name == "now"]
    assert backup.status.phase is Phase.COMPLETED
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    pods = [run for run in cluster.runs if run.spec.operation in (Operation.BACKUP, Operation.RESTORE)]
    first, second = sorted(pods, key=lambda run: run.status.start_time or "")
    assert (first.status.completion_time or "") <= (second.status.start_time or "")


def test_an_application_that_uses_the_claim_is_in_the_way() -> None:
    seen: list[Any] = []

    def look(cluster: Cluster) -> None:
        status = cluster.restore.status
        seen.append((status.phase, status.reason, is_suspended(cluster)))
        assert status.message.startswith(
            'Claim "app-data" is in use by Deployment "web" (pod web-0), Deployment "web" (pod web-1), '
        )
        cluster.recorder.edit("Deployment", "web", {"spec": {"replicas": 0}})

    cluster = play((60, look), application=True)
    assert seen == [(RestorePhase.PENDING, "ClaimInUse", False)]
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    assert replicas(cluster) == 0


def test_an_application_is_stopped_and_started_again() -> None:
    at_work: list[int] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE:
            at_work.append(cluster_of[0].application.replicas)
        return answer(pod)

    cluster_of: list[Any] = []

    def begin(cluster: Cluster) -> None:
        cluster_of.append(cluster)
        cluster.answer = tell

    cluster = play((0, begin), application=True, writers="ScaleDown")
    status = cluster.restore.status
    assert status.phase is RestorePhase.COMPLETED
    assert at_work == [0]
    assert replicas(cluster) == 3
    assert [(item.kind, item.name, item.replicas, item.restored) for item in status.scaled] == [
        ("Deployment", "web", 3, True)
    ]
    assert cluster.restore.metadata.finalizers == ()


@pytest.mark.parametrize("seconds", range(4, 20, 3))
def test_whenever_a_restore_is_cancelled_the_application_gets_its_replicas_back(seconds: int) -> None:
    cluster = play((seconds, edit(cancel=True)), application=True, writers="ScaleDown")
    assert cluster.restore.status.phase in (RestorePhase.CANCELLED, RestorePhase.COMPLETED)
    assert replicas(cluster) == 3
    assert cluster.restore.metadata.finalizers == ()
    assert not is_suspended(cluster)


@pytest.mark.parametrize("seconds", range(4, 20, 3))
def test_whenever_a_restore_is_deleted_the_application_gets_its_replicas_back(seconds: int) -> None:
    def delete(cluster: Cluster) -> None:
        cluster.recorder.ask_to_go("BorgRestore", "back")

    cluster = play((seconds, delete), application=True, writers="ScaleDown")
    assert cluster.restores == []
    assert replicas(cluster) == 3
    assert not is_suspended(cluster)


@pytest.mark.parametrize("killed", [1, 2, 3])
def test_a_restore_whose_pod_is_killed_is_tried_three_times(killed: int) -> None:
    lost = RunResult(Phase.FAILED, reason="Killed", message="borg was killed")
    times: list[str] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE and len(times) < killed:
            times.append(pod["metadata"]["name"])
            return lost
        return answer(pod)

    cluster = play((0, lambda cluster: setattr(cluster, "answer", tell)), (40, lambda _: None))
    status = cluster.restore.status
    assert times == ["back-restore-pod", "back-restore-2-pod", "back-restore-3-pod"][:killed]
    assert status.attempts == min(killed + 1, 3)
    if killed < 3:
        assert f"3 restored in {killed + 1} attempts" in status.message
    assert status.phase is (RestorePhase.COMPLETED if killed < 3 else RestorePhase.FAILED)


def test_the_undo_archive_is_that_of_the_first_attempt() -> None:
    """One that is killed after it has finished leaves nothing in the target that a second one could go on by."""
    lost = told(Phase.FAILED, RestoreResult(undo_archive="back-undo-first"), reason="Killed", message="was killed")

    def tell(pod: dict[str, Any]) -> RunResult | None:
        return lost if pod["metadata"]["name"] == "back-restore-pod" else answer(pod)

    status = play((0, answering(tell)), (40, lambda _: None)).restore.status
    assert (status.phase, status.attempts, status.undo_archive) == (RestorePhase.COMPLETED, 2, "back-undo-first")
    assert "what was there is in archive back-undo-first" in (status.message or "")


def test_a_failure_of_the_archive_is_told_and_not_tried_again() -> None:
    missing = told(Phase.FAILED, RestoreResult(), reason="ArchiveNotFound", message="There is no archive db-2025.")
    cluster = play((0, lambda cluster: setattr(cluster, "answer", lambda _: missing)))
    status = cluster.restore.status
    assert (status.phase, status.reason, status.message) == (
        RestorePhase.FAILED,
        "ArchiveNotFound",
        "There is no archive db-2025.",
    )
    assert len(cluster.runs) == 1
    assert cluster.recorder.find("BorgRepository", "main")["status"].get("conditions", []) == []


@pytest.mark.parametrize(
    ("files", "size", "wanted"),
    [(1, 300, "1024Mi"), (300_000, 300_000 * 1024, "5157Mi"), (100, 10 * 1024**3, "11265Mi")],
    ids=["very little", "more files than ext4 has inodes for their bytes", "large ones"],
)
def test_a_new_claim_has_room_for_blocks_and_inodes(files: int, size: int, wanted: str) -> None:
    def answer_many(pod: Object) -> RunResult:
        if pod["metadata"]["labels"].get(labels.OPERATION) != Operation.PREVIEW:
            return answer(pod)
        preview = RestorePreview(create=files, overwrite=0, delete=0, digest=DIGEST)
        return told(Phase.COMPLETED, RestoreResult(ARCHIVE, size=size, preview=preview))

    cluster = play((0, lambda cluster: setattr(cluster, "answer", answer_many)), target={"newClaim": {"name": "fresh"}})
    claim = cluster.recorder.find("PersistentVolumeClaim", "fresh")
    assert claim["spec"]["resources"]["requests"]["storage"] == wanted


@pytest.mark.parametrize("target", [{"newClaim": {"name": "fresh"}}, {"claim": {"claimName": "app-data"}}])
def test_a_claim_that_the_restore_made_too_small_is_told_as_such(target: dict[str, Any]) -> None:
    full = told(Phase.FAILED, RestoreResult(), reason="NotEnoughSpace", message="It is full.")

    def answer_full(pod: Object) -> RunResult:
        return full if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE else answer(pod)

    cluster = play((0, lambda cluster: setattr(cluster, "answer", answer_full)), target=target)
    status = cluster.restore.status
    assert (status.phase, status.reason) == (RestorePhase.FAILED, "NotEnoughSpace")
    assert ("`target.newClaim.size`" in status.message) == ("newClaim" in target)
    assert ('claim "fresh"' in status.message) == ("newClaim" in target)


def test_a_new_claim_is_made_once_its_size_is_known() -> None:
    cluster = play(target={"newClaim": {"name": "fresh", "storageClassName": "fast"}})
    claim = cluster.recorder.find("PersistentVolumeClaim", "fresh")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1024Mi"}},
        "storageClassName": "fast",
    }
    assert "ownerReferences" not in claim["metadata"]
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    mounted = [
        [mount["mountPath"] for mount in job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]]
        for job in cluster.recorder.all_of("Job")
    ]
    assert ["/target" in paths for paths in mounted] == [False, True]


@pytest.mark.parametrize(
    ("spec", "phase", "reason"),
    [
        ({"target": {"newClaim": {"name": "app-data"}}}, RestorePhase.FAILED, "ClaimExists"),
        ({"target": {"claim": {"claimName": "none"}}}, RestorePhase.PENDING, "ClaimNotFound"),
        ({"target": {"claim": {"claimName": "repo-main"}}}, RestorePhase.FAILED, "TargetIsRepository"),
        ({"repositoryRef": {"name": "none"}}, RestorePhase.PENDING, "RepositoryNotFound"),
        ({"job": {"image": "evil"}}, RestorePhase.FAILED, "ImageNotAllowed"),
        ({"paths": [f"{number}-" + "x" * 1000 for number in range(128)]}, RestorePhase.FAILED, "PlanTooLarge"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_begun(
    spec: dict[str, Any], phase: RestorePhase, reason: str
) -> None:
    cluster = play(**spec)
    assert (cluster.restore.status.phase, cluster.restore.status.reason) == (phase, reason)
    assert cluster.runs == []


def test_a_claim_without_files_is_not_restored_into() -> None:
    cluster = Cluster(answer=answer)

    async def work() -> None:
        for claim in claims():
            device = {"spec": {"volumeMode": "Block"}} if claim["metadata"]["name"] == "app-data" else {}
            cluster.recorder.add("PersistentVolumeClaim", {**claim, **device})
        cluster.add(builders.local_repository(), restore(target={"claim": {"claimName": "app-data"}}))
        await cluster.begin()
        await cluster.live(20)
        await cluster.stop()

    run_virtually(work())
    assert (cluster.restore.status.phase, cluster.restore.status.reason) == (RestorePhase.PENDING, "ClaimUnusable")
    assert cluster.runs == []


def test_a_restore_that_a_restore_of_the_cluster_put_back_is_not_done_again() -> None:
    cluster = Cluster(answer=answer)

    async def work() -> None:
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        back = restore()
        notes = {labels.RESTORE_UID: "of the former life"}
        metadata = back.metadata.model_copy(update={"annotations": notes})
        cluster.add(builders.local_repository(), back.model_copy(update={"metadata": metadata}))
        await cluster.begin()
        await cluster.live(20)
        await cluster.stop()

    run_virtually(work())
    assert (cluster.restore.status.phase, cluster.restore.status.reason) == (RestorePhase.CANCELLED, "Restored")
    assert cluster.runs == []


@pytest.mark.parametrize("phase", ["Completed", "Failed"])
def test_a_restore_that_was_put_back_with_its_end_stays_as_it_is(phase: str) -> None:
    cluster = Cluster(answer=answer)

    async def work() -> None:
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        back = restore()
        metadata = back.metadata.model_copy(update={"annotations": {labels.RESTORE_UID: "of the former life"}})
        ended = {"phase": phase, "reason": "X", "message": "said then", "completionTime": "2026-03-01T00:00:00Z"}
        status = back.status.model_validate({**ended, "undoArchive": "x-undo"})
        cluster.add(builders.local_repository(), back.model_copy(update={"metadata": metadata, "status": status}))
        await cluster.begin()
        await cluster.live(20)
        await cluster.stop()

    run_virtually(work())
    status = cluster.restore.status
    assert (status.phase, status.reason, status.message) == (phase, "X", "said then")
    assert status.undo_archive == "x-undo"
    assert cluster.runs == []


def test_two_restores_into_one_claim_come_one_after_the_other() -> None:
    def ask(cluster: Cluster) -> None:
        cluster.add(restore("again"))

    cluster = play((1, ask))
    assert [found.status.phase for found in cluster.restores] == [RestorePhase.COMPLETED] * 2
    runs = [run for run in cluster.runs if run.spec.operation is Operation.RESTORE]
    first, second = sorted(runs, key=lambda run: run.status.start_time or "")
    assert (first.status.completion_time or "") <= (second.status.start_time or "")


def test_a_run_that_somebody_makes_for_a_restore_does_nothing() -> None:
    def ask(cluster: Cluster) -> None:
        cluster.add(run_by_hand("mine", cluster.recorder.now, scheduleRef=None, restoreRef={"name": "back"},
                                operation="Restore"))  # fmt: skip

    cluster = play((60, ask), preview=True)
    (mine,) = [run for run in cluster.runs if run.metadata.name == "mine"]
    assert (mine.status.phase, mine.status.reason) == (Phase.FAILED, "NotOfARestore")
    assert [job["metadata"]["name"] for job in cluster.recorder.all_of("Job")] == ["back-preview"]


def killed_first(pod: dict[str, Any]) -> RunResult | None:
    lost = RunResult(Phase.FAILED, reason="Killed", message="borg was killed")
    return lost if pod["metadata"]["name"] == "back-restore-pod" else answer(pod)


def answering(tell: Callable[[dict[str, Any]], RunResult | None]) -> Look:
    return lambda cluster: setattr(cluster, "answer", tell)


def test_replicas_are_recorded_when_they_are_taken_and_not_before() -> None:
    """Two restores into one claim, one after the other: the second one stops what the first has given back."""

    def ask(cluster: Cluster) -> None:
        cluster.add(restore("again", writers="ScaleDown"))

    cluster = play((1, ask), (40, lambda _: None), application=True, writers="ScaleDown")
    assert [found.status.phase for found in cluster.restores] == [RestorePhase.COMPLETED] * 2
    assert [[item.replicas for item in found.status.scaled] for found in cluster.restores] == [[3], [3]]
    assert replicas(cluster) == 3


def test_an_application_that_nobody_runs_stays_as_it_is() -> None:
    def stop(cluster: Cluster) -> None:
        cluster.recorder.edit("Deployment", "web", {"spec": {"replicas": 0}})

    cluster = play((0, stop), application=True, writers="ScaleDown")
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    assert replicas(cluster) == 0
    assert cluster.restore.status.scaled == ()


def test_an_approval_that_is_taken_back_does_not_open_what_goes_on() -> None:
    """The second attempt is held to what the first one was allowed to do."""
    cluster = play((0, answering(killed_first)), (12, edit(approve="")), mode="Mirror", preview=True, approve=DIGEST)
    plans = {job["metadata"]["name"]: plan_of(job) for job in cluster.recorder.all_of("Job")}
    assert plans["back-restore"]["digest"] == DIGEST
    assert plans["back-restore-2"]["digest"] == DIGEST


def test_a_mirror_is_held_to_its_preview_also_where_nothing_would_be_lost() -> None:
    def tell(pod: dict[str, Any]) -> RunResult | None:
        is_preview = pod["metadata"]["labels"].get(labels.OPERATION) == Operation.PREVIEW
        return looked(overwrite=0) if is_preview else answer(pod)

    cluster = play((0, answering(tell)), mode="Mirror")
    plans = {job["metadata"]["name"]: plan_of(job) for job in cluster.recorder.all_of("Job")}
    assert plans["back-restore"]["digest"] == DIGEST


@pytest.mark.parametrize("seconds", [10, 11, 12])
def test_what_a_deleted_restore_still_writes_to_is_nobody_elses(seconds: int) -> None:
    """It stays until its pod has ended, and others wait for it."""
    seen: list[tuple[bool, int]] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        return None if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE else answer(pod)

    def delete(cluster: Cluster) -> None:
        cluster.recorder.ask_to_go("BorgRestore", "back")
        at_work = [p for p in cluster.node.at_work() if p["metadata"]["labels"][labels.OPERATION] == "Restore"]
        seen.append((is_suspended(cluster), len(at_work)))

    cluster = play((0, answering(tell)), (seconds, delete))
    assert seen == [(True, 1)]
    assert cluster.restores == []
    assert not cluster.node.at_work()
    assert not is_suspended(cluster)


def test_a_name_that_somebody_elses_run_has_is_passed_over() -> None:
    def take(cluster: Cluster) -> None:
        cluster.add(run_by_hand("back-restore", cluster.recorder.now))

    cluster = play((0, take), (30, lambda _: None))
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    assert cluster.restore.status.run_name == "back-restore-2"


def test_the_claim_of_another_repository_is_no_target() -> None:
    def ask(cluster: Cluster) -> None:
        other = builders.local_repository("other")
        assert other.spec.local
        cluster.add(other.model_copy(update={"spec": other.spec.model_copy(update={"local": claim_of("backups")})}))
        cluster.recorder.add("PersistentVolumeClaim", {"metadata": builders.metadata("backups")})
        cluster.add(restore("into", target={"claim": {"claimName": "backups"}}))

    def claim_of(name: str) -> Any:
        local = builders.local_repository().spec.local
        assert local
        claim = local.volume.persistent_volume_claim
        assert claim
        volume = local.volume.model_copy(
            update={"persistent_volume_claim": claim.model_copy(update={"claim_name": name})}
        )
        return local.model_copy(update={"volume": volume})

    cluster = play((1, ask))
    into = next(found for found in cluster.restores if found.metadata.name == "into")
    assert (into.status.phase, into.status.reason) == (RestorePhase.FAILED, "TargetIsRepository")


@pytest.mark.parametrize("before", ["2026-11-25T00:00:00+99:99", "0001-01-01T00:00:00+12:00", "soon"])
def test_a_time_that_is_none_is_said(before: str) -> None:
    cluster = play(archive=None, latest={"before": before})
    assert (cluster.restore.status.phase, cluster.restore.status.reason) == (RestorePhase.FAILED, "InvalidArgument")


def test_a_scale_that_is_refused_is_said() -> None:
    seen: list[Any] = []

    def refuse(cluster: Cluster) -> None:
        before = cluster.recorder.refuse

        def answer_or_refuse(request: Any) -> Any:
            return Forbidden("not this one") if request.subresource == "scale" and request.writes else before(request)

        cluster.recorder.refuse = answer_or_refuse

    def look(cluster: Cluster) -> None:
        status = cluster.restore.status
        seen.append((status.phase, status.reason, "not this one" in status.message))

    play((0, refuse), (30, look), application=True, writers="ScaleDown")
    assert seen == [(RestorePhase.RUNNING, "RefusedByApiServer", True)]


def test_a_restore_whose_target_changed_gives_the_application_back_while_it_is_asked() -> None:
    outdated = told(
        Phase.FAILED,
        looked("d2").repositories[0].restore or RestoreResult(),
        reason="PreviewOutdated",
        message="The target has changed since.",
    )
    seen: list[Any] = []

    def tell(pod: dict[str, Any]) -> RunResult | None:
        return outdated if pod["metadata"]["name"] == "back-restore-pod" else answer(pod)

    def look(cluster: Cluster) -> None:
        seen.append((cluster.restore.status.phase, replicas(cluster), is_suspended(cluster)))

    cluster = play(
        (0, answering(tell)), (40, look), (0, edit(approve="d2")),
        application=True, writers="ScaleDown", preview=True, approve=DIGEST,
    )  # fmt: skip
    assert seen == [(RestorePhase.PREVIEWED, 3, False)]
    assert (cluster.restore.status.phase, replicas(cluster)) == (RestorePhase.COMPLETED, 3)


def test_a_half_restored_claim_is_not_backed_up_while_the_next_attempt_waits() -> None:
    seen: list[Any] = []

    def use(cluster: Cluster) -> None:
        cluster.application = Application(cluster.recorder)

    def look(cluster: Cluster) -> None:
        seen.append((cluster.restore.status.phase, cluster.restore.status.reason, is_suspended(cluster)))
        cluster.recorder.edit("Deployment", "web", {"spec": {"replicas": 0}})

    cluster = play((0, answering(killed_first)), (10, use), (30, look))
    assert seen == [(RestorePhase.PENDING, "ClaimInUse", True)]
    assert cluster.restore.status.phase is RestorePhase.COMPLETED
    assert not is_suspended(cluster)


def test_who_comes_back_to_the_claim_while_it_is_restored_is_named() -> None:
    def come_back(cluster: Cluster) -> None:
        def tell(pod: dict[str, Any]) -> RunResult | None:
            if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE and cluster.application:
                cluster.recorder.edit("Deployment", "web", {"spec": {"replicas": 1}})
                cluster.application.act()
            return answer(pod)

        cluster.answer = tell

    cluster = play((0, come_back), application=True, writers="ScaleDown")
    status = cluster.restore.status
    assert (status.phase, status.reason) == (RestorePhase.COMPLETED_WITH_WARNINGS, "ClaimInUse")
    assert 'in use by Deployment "web"' in (status.message or "")
    assert "3 files read back and compared" in (status.message or "")
    assert replicas(cluster) == 1


def test_a_cancel_that_comes_too_late_hides_nothing() -> None:
    cluster = play((60, edit(cancel=True)))
    assert cluster.restore.status.phase is RestorePhase.COMPLETED


STREAM = {"stream": {"image": "runner:1", "command": ["pg_restore", "--dbname=app"]}}


def test_a_command_is_given_a_file_while_no_schedule_and_no_pod_has_to_wait() -> None:
    seen: list[Any] = []

    def look(cluster: Cluster) -> None:
        seen.append((cluster.restore.status.phase, is_suspended(cluster), replicas(cluster)))
        said.append(cluster.restore.status.message)

    said: list[str] = []
    cluster = play((60, look), (0, edit(approve=DIGEST)), (3, look), target=STREAM, preview=True, application=True)
    assert seen == [(RestorePhase.PREVIEWED, False, 3), (RestorePhase.RUNNING, False, 3)]
    assert said[1] == "Gives it to the command pg_restore"
    status = cluster.restore.status
    assert (status.phase, status.claim_name, status.held_since) == (RestorePhase.COMPLETED, None, None)
    assert status.message == f"pg_restore took 300 bytes from {ARCHIVE.archive}, and ended well"
    assert labels.RESTORING not in cluster.restore.metadata.finalizers
    preview, restoring = (cluster.recorder.find("Job", f"back-{word}") for word in ("preview", "restore"))
    names = [[item["name"] for item in job["spec"]["template"]["spec"]["containers"]] for job in (preview, restoring)]
    assert names == [["borg"], ["borg", "stream-target"]]
    assert restoring["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_command_whose_pod_was_killed_is_not_run_again() -> None:
    killed = told(Phase.FAILED, RestoreResult(ARCHIVE), reason="Interrupted", message="It may have taken a part.")

    def tell(pod: dict[str, Any]) -> RunResult | None:
        return killed if pod["metadata"]["labels"].get(labels.OPERATION) == Operation.RESTORE else answer(pod)

    cluster = play((0, lambda cluster: setattr(cluster, "answer", tell)), target=STREAM)
    status = cluster.restore.status
    assert (status.phase, status.reason, status.message) == (
        RestorePhase.FAILED,
        "Interrupted",
        "It may have taken a part.",
    )
    assert [run.metadata.name for run in cluster.runs] == ["back-preview", "back-restore"]


def test_a_command_in_an_image_that_is_not_allowed_does_not_run() -> None:
    cluster = play(target={"stream": {**STREAM["stream"], "image": "docker.io/library/postgres:17"}})
    status = cluster.restore.status
    assert (status.phase, status.reason) == (RestorePhase.FAILED, "ImageNotAllowed")
    assert "(target.stream) is not allowed" in (status.message or "")
    assert not cluster.runs


@pytest.mark.parametrize("whose", ["its own, whose labels somebody took away", "another restore's"])
def test_nobody_is_asked_to_stop_a_restores_own_pods(whose: str) -> None:
    seen: list[str] = []

    def look_at_the_claim(cluster: Cluster) -> None:
        """Let another pod of a restore look at the claim, beside those of the application that are there."""
        cluster.application = None
        job = cluster.recorder.find("Job", "back-preview")
        owner = {"kind": "Job", "name": "back-preview", "controller": True, "uid": job["metadata"]["uid"]}
        own = {"labels": {}, "ownerReferences": [owner]}
        anothers = {"labels": {labels.MANAGED_BY: labels.MANAGER, labels.RESTORE: "another"}}
        volume = {"name": "target", "persistentVolumeClaim": {"claimName": "app-data"}}
        container = {"name": "borg", "volumeMounts": [{"name": "target", "mountPath": "/target"}]}
        metadata = {"name": "looks", "namespace": "team", **(own if whose.startswith("its") else anothers)}
        spec = {"volumes": [volume], "containers": [container]}
        cluster.recorder.add("Pod", {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})

    def look(cluster: Cluster) -> None:
        assert cluster.restore.status.reason == "ClaimInUse"
        seen.append(cluster.restore.status.message)

    play((20, look_at_the_claim), (20, look), application=True)
    assert "web-2" in seen[0]
    assert "looks" not in seen[0], "it ends by itself, or is the restore's own"


def test_a_pod_of_its_own_without_its_labels_is_nobody_who_writes() -> None:
    user = ClaimUser("back-preview-x", "n1", writes=True, subject=None, controller=("Job", "back-preview", "uid-own"))
    assert derive_clearance(restore(), [user], frozenset({"uid-own"})) == Clearance()
    assert derive_clearance(restore(), [user], frozenset()).fixed == (user,)


def test_no_more_workloads_are_scaled_down_than_the_status_holds() -> None:
    workloads = [
        ScalableWorkload("Deployment", f"web-{number}", f"uid-{number}", 1) for number in range(MOST_SCALED + 1)
    ]
    users = [ClaimUser(one.name, "n1", writes=True, subject=None, controller=None, workload=one) for one in workloads]
    recorded, actions = scale_down(restore(), users)
    assert len(recorded) == len(actions) == MOST_SCALED
    again = restore().model_copy(update={"status": BorgRestoreStatus(scaled=recorded)})
    assert scale_down(again, users[-1:]) == (recorded, [])
