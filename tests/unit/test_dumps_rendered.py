"""The pod of a backup that has dumps, and of a restore into a command: containers, volumes, Secrets, the plan."""

import json
from typing import Any

import pytest

from borg_contract.codec import decode_plan
from borg_contract.plan import SecretFile, SourcePlan, StreamPlan
from borg_contract.pod import PLAN_ENV
from borg_contract.run import Operation
from borg_core.kinds.repository import BorgRepository
from borg_core.policies.permissions import find_forbidden, is_forbidden
from borg_core.policies.workload import find_claim_problems, find_size_problems, find_source_problems
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.job import render_job_template
from support import builders
from support.builders import SETTINGS

IMAGE = "docker.io/library/postgres:17"
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
PASSWORD = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "app-db", "key": "password"}}}


def dump(name: str = "db", **more: Any) -> dict[str, Any]:
    command = {"image": IMAGE, "command": ["pg_dump", "-Fc"], "args": ["app"], "path": "app.dump"}
    return {"name": name, "dump": {**command, "env": [{"name": "PGHOST", "value": "app-db"}, PASSWORD], **more}}


def repository(*sources: dict[str, Any], name: str = "main") -> BorgRepository:
    return builders.local_repository(name, sources=list(sources))


def bundle(*sources: dict[str, Any], **spec: Any) -> Bundle:
    return builders.bundle(builders.schedule(**spec), (repository(*sources),))


def render(of: Bundle, operation: Operation = Operation.BACKUP) -> dict[str, Any]:
    template = render_job_template(of.workload(operation), of.owner.reference, SETTINGS)
    spec: dict[str, Any] = template["spec"]["template"]["spec"]
    return spec


def test_a_dump_is_a_container_with_its_own_image_environment_and_nothing_of_the_repositorys() -> None:
    spec = render(bundle(dump(), builders.source()))
    borg, database = spec["containers"]
    assert borg["name"] == "borg"
    assert database == {
        "name": "stream-db",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/run/borg/helper/borg-stream", "/run/borg/stream/socket", "pg_dump", "-Fc", "app"],
        "env": [
            {"name": "PGHOST", "value": "app-db"},
            {
                "name": "PGPASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "app-db", "key": "password", "optional": True}},
            },
        ],
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "helper", "mountPath": "/run/borg/helper", "readOnly": True},
            {"name": "stream-db", "mountPath": "/run/borg/stream"},
            {"name": "tmp-db", "mountPath": "/tmp"},
        ],
    }
    assert {"name": "stream-db", "mountPath": "/run/borg/streams/db"} in borg["volumeMounts"]
    assert {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume} == {
        "cache", "scratch", "helper", "stream-db", "tmp-db",
    }  # fmt: skip


def test_an_init_container_with_the_runners_image_brings_the_helper() -> None:
    (init,) = render(bundle(dump()))["initContainers"]
    assert init == {
        "name": "helper",
        "image": "runner:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["cp", "/usr/local/lib/borg-runner/borg-stream", "/run/borg/helper/borg-stream"],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "helper", "mountPath": "/run/borg/helper"}],
    }


def test_the_runner_is_told_of_a_dump_and_gets_the_files_of_its_secrets() -> None:
    spec = render(bundle(dump(), builders.source()))
    plan = decode_plan(next(item["value"] for item in spec["containers"][0]["env"] if item["name"] == PLAN_ENV))
    secrets = {"PGPASSWORD": SecretFile("/run/borg/secrets/app-db/password", "app-db", "password")}
    assert plan.repositories[0].sources == (
        SourcePlan("db", ("app.dump",), StreamPlan("db", "pg_dump", secrets)),
        SourcePlan("data"),
    )
    assert list(plan.streams) == ["db"]
    assert "/run/borg/secrets/app-db" in {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}


def test_beside_a_root_pod_a_dump_is_no_root() -> None:
    spec = render(bundle(dump(), job={"fileAccess": "ReadAll"}))
    assert spec["securityContext"]["runAsUser"] == 0
    ordinary = {**RESTRICTED, "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001}
    assert [item["securityContext"] for item in (*spec["initContainers"], spec["containers"][1])] == [ordinary] * 2


def test_each_container_has_the_resources_that_a_quota_asks_for() -> None:
    resources = {"limits": {"memory": "1Gi"}}
    spec = render(bundle(dump(), job={"resources": resources}))
    assert [item["resources"] for item in (*spec["initContainers"], *spec["containers"])] == [resources] * 3


@pytest.mark.parametrize("operation", [Operation.CHECK, Operation.COMPACT, Operation.PRUNE])
def test_runs_that_are_no_backup_have_no_dump(operation: Operation) -> None:
    spec = render(bundle(dump()), operation)
    assert (len(spec["containers"]), spec.get("initContainers")) == (1, None)
    text = next(item["value"] for item in spec["containers"][0]["env"] if item["name"] == PLAN_ENV)
    assert decode_plan(text).streams == {}
    assert "app-db" not in json.dumps(spec["volumes"])


def test_a_schedule_without_dumps_is_rendered_as_it_was_before_there_were_any() -> None:
    spec = render(bundle(builders.source()))
    assert [item["name"] for item in spec["containers"]] == ["borg"]
    assert [volume["name"] for volume in spec["volumes"]][-2:] == ["cache", "scratch"]
    assert "initContainers" not in spec


def test_two_repositories_with_one_dump_share_its_container() -> None:
    of = builders.bundle(
        builders.schedule(repositories=("main", "second")), (repository(dump()), repository(dump(), name="second"))
    )
    assert [item["name"] for item in render(of)["containers"]] == ["borg", "stream-db"]
    assert not list(find_source_problems(of.workload()))


def test_two_repositories_with_different_dumps_of_one_name_are_a_conflict() -> None:
    other = repository(dump(command=["pg_dumpall"]), name="second")
    of = builders.bundle(builders.schedule(repositories=("main", "second")), (repository(dump()), other))
    (problem,) = find_source_problems(of.workload())
    assert (problem.reason, 'source "db" is another dump in BorgRepository "second"' in problem.message) == (
        "SourceConflict",
        True,
    )


def test_more_dumps_than_a_pod_may_have_containers_are_a_conflict() -> None:
    many = [repository(*(dump(f"{name}-{number}") for number in range(5)), name=name) for name in ("main", "second")]
    of = builders.bundle(builders.schedule(repositories=("main", "second")), tuple(many))
    (problem,) = find_source_problems(of.workload())
    assert problem.message.startswith("10 dumps in all repositories together, and a pod has at most 8 containers")


def test_the_installer_says_which_images_a_dump_may_have() -> None:
    workload = bundle(dump()).workload()
    (problem,) = find_forbidden(workload, SETTINGS)
    assert problem.reason == "ImageNotAllowed"
    assert f'image "{IMAGE}" (dump of source "db") is not allowed in this cluster' in problem.message
    assert not list(find_forbidden(workload, Settings("runner:1", allowed_images=("docker.io/library/postgres:*",))))
    assert not list(find_forbidden(bundle(dump(image="runner:1")).workload(), SETTINGS))


def test_a_cron_job_whose_dump_was_forbidden_since_is_forbidden() -> None:
    of = bundle(dump())
    spec = {"jobTemplate": render_job_template(of.workload(), of.owner.reference, SETTINGS)}
    assert is_forbidden(spec, SETTINGS)
    assert not is_forbidden(spec, Settings("runner:1", allowed_images=(IMAGE,)))


def test_a_dump_needs_no_claim_and_its_plan_is_measured() -> None:
    workload = bundle(dump()).workload()
    assert [problem.message for problem in find_claim_problems(workload, builders.claims_called("repo-main"))] == []
    template = render_job_template(workload, bundle(dump()).owner.reference, SETTINGS)
    assert not list(find_size_problems(workload.operation, template))
