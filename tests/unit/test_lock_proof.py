"""When the holder of a lock is proven dead: by the kubelet's word, and by nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from borg_cluster.errors import Forbidden
from borg_contract.pod import digest_node, lock_holder, session_lock_holder
from borg_core import labels
from borg_core.runs.world import Doubt
from borg_operator.loop.asked.proof import MEMORY_SECONDS, OUT_OF_SERVICE, PATIENCE_SECONDS, Prover
from borg_operator.store import Store
from support.builders import NOW
from support.operator import Operator, run
from support.recorder import Recorder, Request

CLUSTER, NODE = "cluster-uid", "node-1"
PATIENCE = timedelta(seconds=PATIENCE_SECONDS)
HOLDER = lock_holder("team", "db-0", "job-uid", digest_node(CLUSTER, NODE))
AT = "2026-03-02T11:00:00Z"
RUNS = {"running": {"startedAt": AT}}
ENDED = {"terminated": {"exitCode": 137, "startedAt": AT, "finishedAt": AT}}


def pod(state: dict[str, Any] | None, phase: str = "Running", node: str = NODE, name: str = "p") -> dict[str, Any]:
    marks = {labels.MANAGED_BY: labels.MANAGER, labels.CONTROLLER_UID: "job-uid", labels.SCHEDULE: "db"}
    statuses = [{"name": "borg", "state": state}] if state else []
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "creationTimestamp": AT, "labels": marks}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase, "containerStatuses": statuses}}


def node(ready: str = "True", since: str = AT, name: str = NODE, *taints: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": since}]
    metadata = {"namespace": "", "name": name, "uid": f"uid-{name}", "labels": {}, "creationTimestamp": AT}
    spec = {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]} if taints else {}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": conditions}}


class Scene:
    """A prover with an API server, and a clock that the test sets."""

    def __init__(self, *pods: dict[str, Any], nodes: tuple[dict[str, Any], ...] = (), cluster: str = CLUSTER) -> None:
        self.recorder = Recorder()
        for body in pods:
            self.recorder.add("Pod", body)
        for body in nodes:
            self.recorder.add("Node", body)
        self.operator = Operator(self.recorder)
        self.now = NOW
        self.prover = Prover(self.operator.store, self.recorder, cluster, self.seconds)

    def seconds(self) -> float:
        return (self.now - NOW).total_seconds()

    def restart(self) -> None:
        """Forget all that the operator remembered."""
        self.prover = Prover(Store(), self.recorder, CLUSTER, self.seconds)

    def is_dead(self, holder: str = HOLDER, after: timedelta = timedelta()) -> bool:
        self.now += after
        return run(self.prover.is_dead(holder))


def session_pod(state: dict[str, Any], uid: str = "session-uid") -> dict[str, Any]:
    """Return the pod of a session: its container has another name, and it is found by the session's uid."""
    body = pod(state)
    marks = {labels.MANAGED_BY: labels.MANAGER, labels.SESSION: "main", labels.SESSION_UID: uid}
    body["metadata"]["labels"] = marks
    body["status"]["containerStatuses"] = [{"name": "session", "state": state}]
    return body


OF_SESSION = session_lock_holder("team", "main", "session-uid", digest_node(CLUSTER, NODE))


@pytest.mark.parametrize(
    ("body", "dead"),
    [(session_pod(RUNS), False), (session_pod(ENDED), True), (session_pod(ENDED, "another"), False)],
    ids=["looks", "ended", "another one ended"],
)
def test_a_lock_of_a_session_is_broken_only_once_its_own_pod_has_ended(body: dict[str, Any], dead: bool) -> None:
    assert Scene(body).is_dead(OF_SESSION) is dead


def test_who_waits_for_a_session_is_told_that_somebody_looks() -> None:
    scene = Scene(session_pod(RUNS))
    assert not scene.is_dead(OF_SESSION)
    assert 'BorgSession "main"' in scene.prover.doubts[OF_SESSION].text


@pytest.mark.parametrize(
    ("body", "dead"),
    [
        (pod(RUNS), False),
        (pod(ENDED), True),
        (pod(ENDED, "Failed"), True),
        (pod(RUNS, "Failed"), False),
        (pod(None, "Failed"), False),
        (pod({"waiting": {"reason": "ContainerCreating"}}, "Failed"), False),
    ],
    ids=["runs", "its container ended", "it ended", "Failed by somebody for the kubelet", "silent", "not begun"],
)
def test_of_a_pod_that_is_there_only_the_kubelets_word_counts_and_never_the_phase(
    body: dict[str, Any], dead: bool
) -> None:
    assert Scene(body, nodes=(node(),)).is_dead() is dead


def test_each_pod_of_the_job_in_that_place_must_have_ended_and_one_of_another_node_is_no_matter() -> None:
    assert not Scene(pod(ENDED), pod(RUNS, name="q")).is_dead()
    assert Scene(pod(ENDED), pod(RUNS, name="q", node="node-2")).is_dead()


def test_a_pod_that_went_after_the_kubelet_had_ended_it_is_dead_at_once() -> None:
    scene = Scene(pod(ENDED))
    scene.recorder.remove("Pod", "p")
    assert scene.is_dead()


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize(
    ("nodes", "dead"),
    [
        ((node(),), True),
        ((), False),
        ((node("Unknown"),), False),
        ((node("False"),), False),
        ((node("Unknown", AT, NODE, OUT_OF_SERVICE),), True),
        ((node("Unknown", AT, NODE, "node.kubernetes.io/unreachable"),), False),
        ((node("Unknown", AT, "node-2", OUT_OF_SERVICE),), False),
        ((node(name="node-2"),), False),
    ],
    ids=[
        "in touch",
        "its Node object is deleted",
        "cut off",
        "not ready",
        "said to be off",
        "taken to be away",
        "another node is off",
        "another node",
    ],
)
def test_a_pod_deleted_by_force_is_dead_once_its_node_has_been_in_touch_for_long_enough(
    nodes: tuple[dict[str, Any], ...], dead: bool, remembered: bool
) -> None:
    scene = Scene(pod(RUNS), nodes=nodes)
    scene.recorder.remove("Pod", "p")
    if not remembered:
        scene.restart()
    assert not scene.is_dead()
    assert not scene.is_dead(after=PATIENCE - timedelta(seconds=1))
    assert scene.is_dead(after=timedelta(seconds=1)) is dead


@pytest.mark.parametrize(
    "before",
    [node("Unknown"), node("Unknown", AT, NODE, OUT_OF_SERVICE), node("Unknown", AT), None],
    ids=["cut off", "said to be off", "not ready", "not there"],
)
def test_a_node_that_comes_back_must_be_in_touch_for_as_long_again(before: dict[str, Any] | None) -> None:
    scene = Scene(nodes=(before,) if before else ())
    assert not scene.is_dead()
    scene.recorder.add("Node", node(since="2026-03-02T12:02:50Z"))
    assert not scene.is_dead(after=PATIENCE)
    assert not scene.is_dead(after=PATIENCE - timedelta(seconds=1))
    scene.recorder.add("Node", node(since="2026-03-02T12:05:00Z"))  # it was away between two looks
    assert not scene.is_dead(after=timedelta(seconds=1))
    assert scene.is_dead(after=PATIENCE)


@pytest.mark.parametrize(
    ("looked", "watched"),
    [(True, True), (True, False), (False, True)],
    ids=["seen at a look", "seen at a look alone", "gone again between two looks"],
)
def test_a_pod_that_was_made_anew_in_that_place_must_be_gone_for_as_long_again(looked: bool, watched: bool) -> None:
    scene = Scene(pod(RUNS), nodes=(node(),))
    scene.recorder.remove("Pod", "p")
    if not watched:
        scene.restart()
    assert not scene.is_dead()
    scene.recorder.add("Pod", pod(RUNS, name="q"))
    if looked:
        assert not scene.is_dead(after=timedelta(seconds=90))
    scene.recorder.remove("Pod", "q")
    assert not scene.is_dead(after=PATIENCE)
    assert scene.is_dead(after=PATIENCE)


def test_where_nodes_may_not_be_looked_at_nothing_is_proven_and_nothing_fails() -> None:
    def refuse(request: Request) -> BaseException | None:
        return Forbidden("nodes is forbidden") if request.kind == "Node" else None

    scene = Scene(leaving(pod(RUNS)))
    scene.recorder.refuse = refuse
    assert doubt_of(scene) == ("Its pod p is to end, and node node-1 has not said that it has", False)
    scene.recorder.remove("Pod", "p")
    assert doubt_of(scene, PATIENCE) == ("Its pod is gone, and this operator may not look at nodes", True)


@pytest.mark.parametrize(
    "holder",
    [
        "laptop@1234",
        lock_holder("team", "db-0", "job-uid"),
        lock_holder("team", "db-0", "job-uid", digest_node("another cluster", NODE)),
    ],
    ids=["somebody else", "of an earlier version", "of another cluster"],
)
def test_a_holder_of_whom_nothing_is_known_here_is_never_dead(holder: str) -> None:
    scene = Scene(nodes=(node(),))
    assert not scene.is_dead(holder)
    assert not scene.is_dead(holder, after=PATIENCE)


def test_in_a_cluster_without_a_name_its_nodes_prove_nothing() -> None:
    scene = Scene(nodes=(node(),), cluster="")
    holder = lock_holder("team", "db-0", "job-uid", digest_node("", NODE))
    assert not scene.is_dead(holder)
    assert not scene.is_dead(holder, after=PATIENCE)


def doubt_of(scene: Scene, *after: timedelta) -> tuple[str, bool]:
    for pause in (timedelta(), *after):
        assert not scene.is_dead(after=pause)
    doubt = scene.prover.doubts[HOLDER]
    return doubt.text, doubt.needs_a_person


def leaving(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "deletionTimestamp": AT}}


@pytest.mark.parametrize(
    ("scene", "words", "person"),
    [
        (Scene(pod(RUNS), nodes=(node(),)), "Its pod p has not ended", False),
        (Scene(leaving(pod(RUNS)), nodes=(node(),)), "Its pod p is being ended on node node-1", False),
        (Scene(leaving(pod(RUNS)), nodes=(node("Unknown"),)), f"kubectl taint nodes node-1 {OUT_OF_SERVICE}=", True),
        (Scene(nodes=(node("Unknown"),)), f"kubectl taint nodes node-1 {OUT_OF_SERVICE}=nodeshutdown:NoExecute", True),
        (Scene(nodes=()), "so is the Node of its machine (a spot machine that was taken away, say)", True),
    ],
    ids=["runs", "is ended", "its node is cut off", "node cut off", "no node"],
)
def test_why_a_holder_is_not_proven_dead_is_kept_for_people(scene: Scene, words: str, person: bool) -> None:
    said, needs = doubt_of(scene, PATIENCE)
    assert words in said
    assert needs is person


def test_of_a_holder_whose_place_is_not_known_a_person_is_asked_at_once() -> None:
    holder = lock_holder("team", "db-0", "job-uid")
    scene = Scene(nodes=(node(),))
    assert not scene.is_dead(holder)
    assert scene.prover.doubts[holder] == Doubt("It is not known where its pod was", needs_a_person=True)


def test_a_holder_that_nobody_asks_for_any_more_is_forgotten() -> None:
    scene = Scene(nodes=(node(),))
    for number in range(50):
        holder = lock_holder("team", f"db-{number}", f"job-{number}", digest_node(CLUSTER, NODE))
        assert not scene.is_dead(holder)
    assert not scene.is_dead()
    assert len(scene.prover.doubts) == 51
    assert scene.is_dead(after=timedelta(seconds=MEMORY_SECONDS)), "of one that is asked for, it is known since when"
    assert scene.prover.doubts == {}
    assert list(scene.prover._seen) == [HOLDER]


def test_the_doubt_goes_when_the_holder_is_proven_dead() -> None:
    scene = Scene(nodes=(node(),))
    assert doubt_of(scene)[0].startswith("Its pod is gone")
    assert scene.is_dead(after=PATIENCE)
    assert scene.prover.doubts == {}
