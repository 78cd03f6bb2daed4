"""The edge: whatever an object of the cluster says, it is read or refused with ValueError, and nothing else."""

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from borg_core.formats import parse_time
from borg_core.native.cron_job import parse_cron_job
from borg_core.native.job import parse_job
from borg_core.native.pod import newest, parse_pod
from borg_core.registry import Body, Kind, Reference, watched_kinds
from support import builders

AT = "2026-03-02T12:00:00Z"
LABELS = {
    "app.kubernetes.io/managed-by": "borg-operator",
    "borgoperator.io/schedule": "db",
    "borgoperator.io/operation": "Backup",
    "batch.kubernetes.io/controller-uid": "job",
}
METADATA: dict[str, Any] = {
    "namespace": "team",
    "name": "db-1",
    "uid": "uid",
    "resourceVersion": "7",
    "creationTimestamp": AT,
    "labels": LABELS,
    "annotations": {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": AT,
        "borgoperator.io/run-uid": "run",
        "borgoperator.io/job-uid": "job",
        "borgoperator.io/dead-job-uid": "dead",
    },
    "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "CronJob", "name": "db", "uid": "uid-cron", "controller": True}
    ],
    "managedFields": [{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {}}}],
}
BODIES: dict[str, dict[str, Any]] = {
    "Job": {
        "metadata": METADATA,
        "spec": {"suspend": False},
        "status": {
            "startTime": AT,
            "ready": 1,
            "conditions": [
                {"type": "Failed", "status": "True", "reason": "x", "message": "y", "lastTransitionTime": AT}
            ],
        },
    },
    "Pod": {
        "metadata": METADATA,
        "spec": {"activeDeadlineSeconds": 60},
        "status": {
            "phase": "Failed",
            "reason": "Evicted",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"}],
            "containerStatuses": [
                {
                    "name": "borg",
                    "state": {
                        "terminated": {
                            "exitCode": 1,
                            "reason": "Error",
                            "message": "{",
                            "startedAt": AT,
                            "finishedAt": AT,
                        }
                    },
                },
                {"name": "proxy", "state": {"running": {"startedAt": AT}}},
            ],
        },
    },
    "CronJob": {
        "metadata": METADATA,
        "spec": {"schedule": "0 2 * * *"},
        "status": {"lastScheduleTime": AT, "active": [{"kind": "Job", "name": "db-1", "uid": "job"}]},
    },
    "PersistentVolumeClaim": {"metadata": METADATA, "spec": {}, "status": {}},
    "BorgSchedule": {
        "metadata": METADATA,
        "spec": {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}], "sources": [builders.source()]},
        "status": {"observedGeneration": 1, "active": ["db-1"], "lastRunTime": AT, "consecutiveFailures": 1},
    },
    "BorgRepository": {
        "metadata": METADATA,
        "spec": {
            "local": {"volume": {"persistentVolumeClaim": {"claimName": "c"}}},
            "encryption": {"mode": "none"},
            "cache": {"persistentVolumeClaim": {"claimName": "d"}},
        },
        "status": {"observedGeneration": 1, "lock": {"holder": "x", "runName": "y", "time": AT}},
    },
    "BorgScript": {"metadata": METADATA, "spec": {"content": "true", "parameters": [{"name": "A"}]}},
    "BorgRun": {
        "metadata": METADATA,
        "spec": {"scheduleRef": {"name": "db"}, "operation": "Backup"},
        "status": {
            "phase": "Failed",
            "jobUid": "job",
            "repositories": [{"name": "main", "phase": "Failed", "lockedBy": "a_b_c_d", "files": 3}],
        },
    },
    "BorgArchive": {
        "metadata": METADATA,
        "spec": {
            "repositoryRef": {"name": "main"},
            "archive": "db-2026",
            "id": "0a1b",
            "time": AT,
            "scheduleRef": {"name": "db"},
            "sources": ["data"],
            "files": 3,
        },
    },
    "BorgSession": {
        "metadata": METADATA,
        "spec": {"repositoryRef": {"name": "main"}, "idleSeconds": 60, "maxSeconds": 600},
        "status": {
            "phase": "Ready",
            "podName": "p",
            "address": "10.1.2.3",
            "startTime": AT,
            "expiresAt": AT,
            "endTime": AT,
            "reason": "SessionReady",
            "message": "m",
        },
    },
    "BorgRestore": {
        "metadata": METADATA,
        "spec": {
            "repositoryRef": {"name": "main"},
            "latest": {"scheduleRef": {"name": "db"}, "before": AT, "maxAge": "2d"},
            "paths": ["etc"],
            "target": {"claim": {"claimName": "data", "path": "x"}},
            "mode": "Mirror",
        },
        "status": {
            "phase": "Failed",
            "resolved": {"archive": "db-2026", "id": "0a1b", "time": AT},
            "preview": {"create": 1, "overwrite": 0, "delete": 0, "sample": ["+ x"], "digest": "d"},
            "scaled": [{"kind": "Deployment", "name": "web", "uid": "u", "replicas": 3}],
        },
    },
}

HOSTILE: tuple[Any, ...] = (
    None,
    "",
    " ",
    "\0",
    "x" * 70000,
    "[" * 100000,
    "2026-13-45T99:99:99Z",
    "Backup\n",
    "../../etc",
    -1,
    10**30,
    [],
    {},
)
"""What may stand where something else was meant. The API server lets much of it through in labels and annotations."""


def read(kind: Kind[Any], body: Body) -> None:
    value = kind.parse(body)
    tuple(kind.references(value))
    tuple(kind.groups(value))


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value within."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in items for path in ((*before, key), *paths(item, (*before, key)))]


def put(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value


KINDS = {kind.kind: kind for kind in watched_kinds()}


def test_there_is_a_body_of_every_kind() -> None:
    assert KINDS.keys() == BODIES.keys()
    for name, kind in KINDS.items():
        read(kind, BODIES[name])


OWN = tuple(kind for kind in KINDS if kind.startswith("Borg"))
NATIVE = tuple(kind for kind in KINDS if kind not in OWN)
FREE = ("labels", "annotations", "message", "reason", "manager", "name", "kind", "uid")
"""Where the API server takes whatever text somebody writes; all else of a native kind it has typed itself."""
ALWAYS_THERE = ("namespace", "name", "uid", "creationTimestamp", "type", "status", "metadata", "spec", "manager")


def faults(kind: str, bodies: Iterable[tuple[Any, dict[str, Any]]]) -> list[str]:
    """Return what a parser must not do, and did."""
    found = []
    for what, body in bodies:
        try:
            read(KINDS[kind], body)
        except ValueError:
            continue
        except Exception as error:  # noqa: BLE001 - which ones is what is asked
            found.append(f"{what}: {type(error).__name__}")
    return found


def changed(kind: str, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    body = copy.deepcopy(BODIES[kind])
    put(body, path, value)
    return body


def without(kind: str, path: tuple[Any, ...]) -> dict[str, Any]:
    body = copy.deepcopy(BODIES[kind])
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]
    return body


def is_text(kind: str, path: tuple[Any, ...]) -> bool:
    value: Any = BODIES[kind]
    for key in path:
        value = value[key]
    return isinstance(value, str)


@pytest.mark.parametrize("kind", OWN)
def test_whatever_stands_in_a_resource_of_ours_is_read_or_a_value_error(kind: str) -> None:
    assert faults(kind, ((path, changed(kind, path, value)) for path in paths(BODIES[kind]) for value in HOSTILE)) == []


@pytest.mark.parametrize("kind", NATIVE)
def test_whatever_text_somebody_writes_into_a_native_object_it_is_read(kind: str) -> None:
    free = [path for path in paths(BODIES[kind]) if set(path) & set(FREE) and is_text(kind, path)]
    texts = [value for value in HOSTILE if isinstance(value, str)]
    assert len(free) > 8
    for path in free:
        for text in texts:
            read(KINDS[kind], changed(kind, path, text))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_absent_is_read_or_a_value_error(kind: str) -> None:
    optional = [path for path in paths(BODIES[kind]) if kind in OWN or path[-1] not in ALWAYS_THERE]
    assert faults(kind, ((path, without(kind, path)) for path in optional)) == []


MESSAGES = {
    "not JSON": "Killed",
    "deep": "[" * 100_000,
    "a list": "[]",
    "a number": "7",
    "empty": "{}",
    "a phase that is none": '{"phase":"Sung"}',
    "a phase that has not ended": '{"phase":"Running"}',
    "negative files": '{"phase":"Completed","repositories":[{"name":"a","phase":"Completed","files":-1}]}',
    "files in words": '{"phase":"Completed","repositories":[{"name":"a","phase":"Completed","files":"abc"}]}',
    "one name twice": (
        '{"phase":"Failed","repositories":[{"name":"a","phase":"Completed"},{"name":"a","phase":"Failed"}]}'
    ),
    "not a number": '{"phase":"Completed","repositories":[{"name":"a","phase":"Completed","seconds":NaN}]}',
    "half a character": '{"phase":"Failed","message":"\\ud800"}',
}


@pytest.mark.parametrize("message", MESSAGES)
def test_a_termination_message_that_is_no_result_is_unreadable_and_nothing_else(message: str) -> None:
    path = ("status", "containerStatuses", 0, "state", "terminated", "message")
    ending = parse_pod(changed("Pod", path, MESSAGES[message])).ending
    assert ending
    assert ending.result is None
    assert ending.unreadable == MESSAGES[message]


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        ({}, "Backup"),
        ({"borgoperator.io/operation": "Prune"}, "Prune"),
        ({"borgoperator.io/operation": "Sing"}, "Backup"),
        ({"borgoperator.io/operation": ""}, "Backup"),
    ],
)
def test_a_label_that_somebody_changed_does_not_keep_a_job_from_being_recorded(
    mark: dict[str, str], found: str
) -> None:
    body = {**BODIES["Job"], "metadata": {**METADATA, "labels": {**LABELS, **mark}}}
    assert parse_job(body).operation.value == found


@pytest.mark.parametrize(("held", "started"), [("True", None), ("False", parse_time(AT))])
def test_a_job_that_is_to_go_on_has_no_start_until_its_controller_says_so(held: str, started: datetime | None) -> None:
    # The controller leaves the old start there, and pods of before the Job was suspended are none of what begins now.
    status = {"startTime": AT, "conditions": [{"type": "Suspended", "status": held}]}
    job = parse_job({**BODIES["Job"], "spec": {"suspend": False}, "status": status})
    assert (job.started, job.working, job.at_rest) == (started, True, held == "True")


SNAPSHOT = {
    "template": {
        "spec": {
            "volumes": [
                {
                    "name": "source-0",
                    "ephemeral": {
                        "volumeClaimTemplate": {
                            "metadata": {"annotations": {"borgoperator.io/copy-of": "app-data"}},
                            "spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "db.app-data"}},
                        }
                    },
                }
            ]
        }
    }
}
BY_HAND = {"batch.kubernetes.io/cronjob-scheduled-timestamp": None}
OF_A_RUN = {"kind": "BorgRun", "name": "now", "uid": "uid-now", "controller": True}


@pytest.mark.parametrize(
    ("turn", "notes", "owner", "spec", "paused"),
    [
        (None, {}, {}, {}, True),
        (None, {}, {}, SNAPSHOT, False),
        (None, BY_HAND, {}, {}, False),
        (None, BY_HAND, OF_A_RUN, {}, True),
        ("given", {}, {}, SNAPSHOT, True),
        ("given", BY_HAND, {}, {}, True),
        ("taken-back", BY_HAND, {}, {}, False),
        ("given", BY_HAND, {}, {"suspend": False}, False),
    ],
    ids=[
        "a tick",
        "a tick that waits for its snapshot",
        "by hand, and waits for its turn",
        "of a run that no CronJob controls",
        "a tick that was let begin",
        "by hand, and was let begin",
        "taken back by the operator",
        "at work",
    ],
)
def test_a_job_that_was_not_made_to_wait_or_had_its_turn_is_suspended_by_somebody_else(
    turn: str | None, notes: dict[str, Any], owner: dict[str, Any], spec: dict[str, Any], *, paused: bool
) -> None:
    known = {**METADATA["annotations"], **notes, "borgoperator.io/turn": turn}
    metadata = {**METADATA, "annotations": {key: text for key, text in known.items() if text is not None}}
    metadata["ownerReferences"] = [owner] if owner else METADATA["ownerReferences"]
    body = {"metadata": metadata, "spec": {"suspend": True, **spec}}
    job = parse_job(body)
    assert (job.paused, job.working) == (paused, paused or not job.suspended)
    ended = parse_job({**body, "status": BODIES["Job"]["status"]})
    assert (ended.paused, ended.working) == (False, False)


@pytest.mark.parametrize(
    ("entry", "by"),
    [
        ({"manager": "kueue", "fieldsV1": {"f:spec": {"f:suspend": {}}}}, "kueue"),
        ({"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:parallelism": {}}}}, ""),
        ({"manager": "kubectl-label", "fieldsV1": {"f:metadata": {}}}, ""),
        ({"manager": "borg-operator", "fieldsV1": {"f:spec": {"f:suspend": {}}}}, ""),
        ({"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:suspend": {}}}}, ""),
    ],
)
def test_who_suspended_a_job_is_told_where_it_is_neither_of_the_controllers(entry: dict[str, Any], by: str) -> None:
    body = {**BODIES["Job"], "metadata": {**METADATA, "managedFields": [entry]}}
    assert parse_job(body).suspended_by == by


def test_of_two_pods_of_one_second_the_one_that_is_not_on_its_way_out_counts() -> None:
    leaving = {**METADATA, "name": "db-1-z", "deletionTimestamp": AT}
    pods = [
        parse_pod({**BODIES["Pod"], "metadata": metadata}) for metadata in (leaving, {**METADATA, "name": "db-1-a"})
    ]
    assert newest(pods) == pods[1]
    assert newest(reversed(pods)) == pods[1]


def test_a_tick_that_is_no_time_is_none() -> None:
    notes = {"batch.kubernetes.io/cronjob-scheduled-timestamp": "yesterday"}
    job = parse_job({**BODIES["Job"], "metadata": {**METADATA, "annotations": notes}})
    assert job.scheduled is None
    assert not job.by_clock


@pytest.mark.parametrize(
    ("entry", "foreign"),
    [
        ({"manager": "kubectl-edit", "fieldsV1": {"f:spec": {}}}, True),
        ({"manager": "kubectl-label", "fieldsV1": {"f:metadata": {}}}, False),
        ({"manager": "borg-operator", "fieldsV1": {"f:spec": {}}}, False),
        ({"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}}, False),
        ({}, False),
    ],
)
def test_only_who_holds_fields_of_the_spec_has_edited_a_cron_job(entry: dict[str, Any], foreign: bool) -> None:
    body = {**BODIES["CronJob"], "metadata": {**METADATA, "managedFields": [entry]}}
    assert bool(parse_cron_job(body).foreign_managers) is foreign


def test_a_job_belongs_to_whom_its_label_names() -> None:
    alone = {"app.kubernetes.io/managed-by": "borg-operator", "borgoperator.io/repository": "main"}
    job = parse_job({**BODIES["Job"], "metadata": {**METADATA, "labels": alone}})
    assert job.subject == Reference("BorgRepository", "team", "main")
    assert parse_job({**BODIES["Job"], "metadata": {**METADATA, "labels": {}}}).subject is None


def test_the_deadline_that_ends_a_pod_now_is_seen_again_on_the_pod() -> None:
    body = {**BODIES["Pod"], "spec": {"activeDeadlineSeconds": 1}}
    assert parse_pod(body).ending_asked
    assert not parse_pod(BODIES["Pod"]).ending_asked
