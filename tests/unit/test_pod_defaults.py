"""What the installer sets for all backup pods: how a schedule's own options combine with it, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from borg_contract.run import Operation
from borg_core.actions import CreateJob, RepairCronJob
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.job import render_job_template
from borg_operator.configuration import ConfigurationError, read_configuration
from support import builders
from support.builders import NOW, planned, settled
from support.chart import validate

Object = dict[str, Any]

NODES: Object = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}
APART: Object = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}


def settings_of(pods: Object | None = None, **more: str) -> Settings:
    """Return the settings of an operator whose chart has these `backupPods`."""
    given = {"RUNNER_IMAGE": "runner:1", "BACKUP_PODS": json.dumps(pods or {}), **more}
    return read_configuration({f"BORG_OPERATOR_{name}": value for name, value in given.items()}).settings


def template_of(bundle: Bundle, settings: Settings, operation: Operation = Operation.BACKUP) -> Object:
    template = render_job_template(bundle.workload(operation), bundle.owner.reference, settings)
    pod: Object = template["spec"]["template"]
    return pod


def pod_of(pods: Object, own: Object) -> Object:
    """Return the pod's spec of a schedule with that `job` under those `backupPods`."""
    spec: Object = template_of(builders.bundle(builders.schedule(job=own)), settings_of(pods))["spec"]
    return spec


COMBINED: dict[str, tuple[Object, Object, Object]] = {
    "the installer's alone": ({"priorityClassName": "low"}, {}, {"priorityClassName": "low"}),
    "a schedule's value": ({"priorityClassName": "low"}, {"priorityClassName": "high"}, {"priorityClassName": "high"}),
    "maps, by key": (
        {"nodeSelector": {"disk": "hdd", "zone": "a"}},
        {"nodeSelector": {"disk": "ssd"}},
        {"nodeSelector": {"disk": "ssd", "zone": "a"}},
    ),
    "tolerations of both, once": (
        {"tolerations": [{"key": "backup", "operator": "Exists"}]},
        {"tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "backup", "operator": "Exists"}]},
        {"tolerations": [{"key": "backup", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}]},
    ),
    "pull secrets of both": (
        {"imagePullSecrets": [{"name": "registry"}]},
        {"imagePullSecrets": [{"name": "own"}, {"name": "registry"}]},
        {"imagePullSecrets": [{"name": "registry"}, {"name": "own"}]},
    ),
    "affinity, each of its three": ({"affinity": NODES}, {"affinity": APART}, {"affinity": {**NODES, **APART}}),
    "the runtime class": ({"runtimeClassName": "kata"}, {}, {"runtimeClassName": "kata"}),
}


@pytest.mark.parametrize("case", COMBINED)
def test_a_schedules_own_options_combine_with_the_installers(case: str) -> None:
    pods, own, wanted = COMBINED[case]
    spec = pod_of(pods, own)
    assert {key: spec.get(key) for key in wanted} == wanted


RESOURCES: dict[str, tuple[Object, Object, Object]] = {
    "the installer's alone": (
        {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}},
        {},
        {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}},
    ),
    "resource by resource": (
        {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        {"limits": {"memory": "4Gi"}},
        {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "4Gi"}},
    ),
    "a request beyond the installer's limit raises that": (
        {"requests": {"memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        {"requests": {"memory": "2Gi"}},
        {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}},
    ),
    "a limit below the installer's request lowers that": (
        {"requests": {"cpu": "500m"}, "limits": {"cpu": 2}},
        {"limits": {"cpu": "0.1"}},
        {"requests": {"cpu": "0.1"}, "limits": {"cpu": "0.1"}},
    ),
    "what a schedule says of both is its own affair": (
        {},
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
    ),
}


@pytest.mark.parametrize("case", RESOURCES)
def test_resources_combine_so_that_no_request_is_beyond_its_limit(case: str) -> None:
    defaults, own, wanted = RESOURCES[case]
    (container,) = pod_of({"resources": defaults}, {"resources": own})["containers"]
    assert container["resources"] == wanted


def test_labels_and_annotations_are_the_installers_the_schedules_and_above_all_the_operators() -> None:
    pods = {"labels": {"mesh": "off", "team": "nobody"}, "annotations": {"price": "$(HOME) $5"}}
    metadata = template_of(builders.bundle(builders.schedule(job={"labels": {"team": "db"}})), settings_of(pods))[
        "metadata"
    ]
    assert {"mesh": "off", "team": "db", "borgoperator.io/schedule": "db"}.items() <= metadata["labels"].items()
    assert metadata["annotations"] == {"price": "$(HOME) $5"}


@pytest.mark.parametrize("operation", Operation)
def test_every_pod_that_runs_the_runner_has_them(operation: Operation) -> None:
    spec = template_of(builders.bundle(), settings_of({"nodeSelector": {"disk": "ssd"}}), operation)["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"}


USERS: dict[str, tuple[Object, Object]] = {
    "nothing said": ({}, {}),
    "a user": ({"runAsUser": 1000}, {"runAsUser": 1000}),
    "a group": ({"runAsGroup": 7, "fsGroup": 8}, {"runAsGroup": 7, "fsGroup": 8}),
    "everything of everybody": ({"fileAccess": "ReadAll"}, {"runAsUser": 0, "runAsGroup": 0}),
}


@pytest.mark.parametrize("case", USERS)
def test_where_the_platform_gives_out_users_a_pod_names_what_its_schedule_names(case: str) -> None:
    job, wanted = USERS[case]
    bundle = builders.bundle(builders.schedule(job=job))
    spec = template_of(bundle, settings_of(USERS_FROM_PLATFORM="true"))["spec"]
    security = spec["securityContext"]
    assert {key: security[key] for key in security if key in ("runAsUser", "runAsGroup", "fsGroup")} == wanted
    assert security.get("runAsNonRoot") is (True if security.get("runAsUser") != 0 else None)
    assert not spec["containers"][0]["securityContext"].keys() & {"runAsUser", "runAsGroup"}


def test_a_changed_default_is_written_into_a_cron_job_once_and_so_is_its_end() -> None:
    before = settled(builders.world(builders.bundle()))
    for pods in ({"priorityClassName": "low", "nodeSelector": {"disk": "ssd"}}, {"nodeSelector": {"disk": "ssd"}}, {}):
        changed = replace(before, settings=settings_of(pods))
        (action,) = planned(changed, RepairCronJob)
        assert action.forget_missed_before is None
        before = replace(changed, cron_job=builders.observed(action.manifest))
        assert not planned(before, RepairCronJob)


def test_what_a_schedule_asks_for_no_longer_is_taken_out_of_its_cron_job() -> None:
    world = settled(builders.world(builders.bundle(builders.schedule(job={"priorityClassName": "low"}))))
    (action,) = planned(replace(world, bundle=builders.bundle()), RepairCronJob)
    assert "priorityClassName" not in action.manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_a_cron_job_of_an_operator_without_digests_gets_one_by_a_single_write() -> None:
    world = settled(builders.world(builders.bundle()), rendered=None)
    (action,) = planned(world, RepairCronJob)
    assert not planned(replace(world, cron_job=builders.observed(action.manifest)), RepairCronJob)


def test_a_held_cron_job_stays_as_it_was_whatever_the_defaults_are_by_now() -> None:
    world = settled(builders.world(builders.bundle()))
    broken = builders.bundle(builders.schedule(schedule="0 2 * * 7"))
    assert not planned(replace(world, bundle=broken, settings=settings_of({"priorityClassName": "low"})), RepairCronJob)


def test_a_run_by_hand_has_them_and_one_that_is_there_is_left_alone() -> None:
    world = replace(settled(builders.world(builders.bundle())), settings=settings_of({"priorityClassName": "low"}))
    asked = replace(world, runs=(builders.run("now"),))
    (made,) = planned(asked, CreateJob)
    assert made.manifest["spec"]["template"]["spec"]["priorityClassName"] == "low"
    running = builders.job(created=NOW)
    actions = planned(replace(world, jobs=(running,), pods=builders.pod(running)), RepairCronJob)
    assert len(actions) == 1


REFUSED: dict[str, Object] = {
    "resources.limits.memory": {"resources": {"limits": {"memory": "much"}}},
    "resources.requests.cpu": {"resources": {"requests": {"cpu": "-1"}}},
    "resources.claims": {"resources": {"claims": []}},
    "imagePullSecrets.0": {"imagePullSecrets": ["registry"]},
    "imagePullSecrets.0.name": {"imagePullSecrets": [{"name": "Registry!"}]},
    "nodeSelector.disk": {"nodeSelector": {"disk": True}},
    "imagePullSecrets.1.name": {"imagePullSecrets": [{"name": "a"}, {"name": "a..b"}]},
    "nodeSelector.a..b/disk": {"nodeSelector": {"a..b/disk": "ssd"}},
    "tolerations.0.key": {"tolerations": [{"key": "two words"}]},
    "tolerations.0.value": {"tolerations": [{"key": "backup", "value": "-"}]},
    "tolerations.0.effect": {"tolerations": [{"effect": "NoSchedulle"}]},
    "tolerations.0.kye": {"tolerations": [{"kye": "backup"}]},
    "affinity.nodes": {"affinity": {"nodes": {}}},
    "priorityClassName": {"priorityClassName": "Not so"},
    "labels.a.-b/c": {"labels": {"a.-b/c": "d"}},
    "runtimeClassName": {"runtimeClassName": 7},
    "labels.borgoperator.io/schedule": {"labels": {"borgoperator.io/schedule": "mine"}},
    "labels.job-name": {"labels": {"job-name": "mine"}},
    "labels.team": {"labels": {"team": "two words"}},
    "annotations.a b": {"annotations": {"a b": "c"}},
    "annotations.a": {"annotations": {"a": 1}},
    "image": {"image": "miner:1"},
    "fileAccess": {"fileAccess": "ReadAll"},
}
"""By the place that is named: what neither the chart nor the operator takes."""


@pytest.mark.parametrize("place", REFUSED)
def test_a_wrong_default_is_refused_by_the_chart_and_by_the_operator_with_its_place(place: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate({"backupPods": REFUSED[place]})
    with pytest.raises(ConfigurationError) as refused:
        settings_of(REFUSED[place])
    assert str(refused.value).startswith(
        f"BORG_OPERATOR_BACKUP_PODS, the chart's backupPods, cannot be used: {place}: "
    ), refused.value


CONTRADICTORY: dict[str, Object] = {
    "resources": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1024Mi"}}},
    "tolerations.0": {"tolerations": [{"key": "backup", "operator": "Exists", "value": "yes"}]},
    "tolerations.1": {"tolerations": [{"operator": "Exists"}, {"operator": "Equal", "value": "yes"}]},
    "tolerations.2": {"tolerations": [{"operator": "Exists"}] * 2 + [{"key": "a", "tolerationSeconds": 5}]},
}
"""What the API server would refuse with each CronJob, and no schema can tell."""


@pytest.mark.parametrize("place", CONTRADICTORY)
def test_defaults_that_contradict_each_other_are_refused_by_the_operator_with_their_place(place: str) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot be used: {place}: "):
        settings_of(CONTRADICTORY[place])
    settings_of({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}})


@pytest.mark.parametrize("pods", [pods for pods, _, _ in COMBINED.values()], ids=list(COMBINED))
def test_what_the_operator_takes_the_chart_takes(pods: Object) -> None:
    validate({"backupPods": pods})


def test_numbers_as_helm_writes_them_are_quantities() -> None:
    pods = {"resources": {"limits": {"memory": 1073741824.0, "cpu": 0.5}}}
    validate({"backupPods": pods})
    (container,) = pod_of(pods, {})["containers"]
    assert container["resources"] == {"limits": {"memory": "1073741824", "cpu": "0.5"}}
