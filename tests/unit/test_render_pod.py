"""What backup pods are made of."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from borg_contract.codec import decode_plan
from borg_contract.pod import NOTICE_FILE, PLAN_ENV
from borg_contract.run import Operation
from borg_core.workload.bundle import Bundle
from borg_core.workload.job import render_job_template
from borg_core.workload.mounts import Mounts
from borg_core.workload.plan import render_plan
from support import builders
from support.builders import SETTINGS


def pod_spec(bundle: Bundle) -> dict[str, Any]:
    template = render_job_template(bundle.workload(), bundle.owner.reference, SETTINGS)
    spec: dict[str, Any] = template["spec"]["template"]["spec"]
    return spec


def container(bundle: Bundle) -> dict[str, Any]:
    (only,) = pod_spec(bundle)["containers"]
    result: dict[str, Any] = only
    return result


def mounts(bundle: Bundle) -> dict[str, tuple[dict[str, Any], bool]]:
    """Return volume source and read-only flag by mount path."""
    spec = pod_spec(bundle)
    volumes = {volume["name"]: {k: v for k, v in volume.items() if k != "name"} for volume in spec["volumes"]}
    return {
        m["mountPath"]: (volumes[m["name"]], m.get("readOnly", False)) for m in spec["containers"][0]["volumeMounts"]
    }


def test_a_pod_meets_the_restricted_standard() -> None:
    spec = pod_spec(builders.bundle())
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(builders.bundle())["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False


def test_read_all_is_root_with_one_capability_and_nothing_else() -> None:
    bundle = builders.bundle(builders.schedule(job={"fileAccess": "ReadAll"}))
    assert pod_spec(bundle)["securityContext"]["runAsUser"] == 0
    assert container(bundle)["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}


def test_sources_are_read_only_in_the_volume_too_so_that_fs_group_never_touches_them() -> None:
    claim, read_only = mounts(builders.bundle())["/sources/data"]
    assert read_only
    assert claim == {"persistentVolumeClaim": {"claimName": "app-data", "readOnly": True}}


def test_a_claim_that_two_repositories_share_is_one_volume() -> None:
    shared = {"volume": {"persistentVolumeClaim": {"claimName": "repos"}}}
    repositories = (
        builders.local_repository("a", local={**shared, "path": "a"}),
        builders.local_repository("b", local={**shared, "path": "b"}),
    )
    bundle = builders.bundle(builders.schedule(repositories=("a", "b")), repositories)
    claims = [v for v in pod_spec(bundle)["volumes"] if v.get("persistentVolumeClaim", {}).get("claimName") == "repos"]
    assert len(claims) == 1
    assert {"/repositories/a", "/repositories/b"} <= mounts(bundle).keys()
    locations = [target.location for target in render_plan(bundle.workload(), cluster="").repositories]
    assert locations == ["/repositories/a/a", "/repositories/b/b"]


class Sought(str):
    """The name of a claim that counts how often anybody compares it."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Sought.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_many_claims_are_each_one_volume_and_none_is_compared_with_all_others() -> None:
    rendered = Mounts()
    for _repository in range(2):
        for number in range(200):
            source = {"persistentVolumeClaim": {"claimName": Sought(f"claim-{number}")}}
            rendered.add("source", source, f"/sources/{number}", read_only=True)
    rendered.add("source", {"persistentVolumeClaim": {"claimName": "claim-0"}}, "/elsewhere", read_only=False)
    assert [volume["name"] for volume in rendered.volumes] == [f"source-{number}" for number in range(200)]
    assert rendered.mounts == [
        *({"name": f"source-{number}", "mountPath": f"/sources/{number}", "readOnly": True} for number in range(200)),
        {"name": "source-0", "mountPath": "/elsewhere"},
    ]
    assert Sought.times < 1000


def test_secrets_are_optional_files_of_just_the_keys_that_are_needed() -> None:
    bundle = builders.bundle(builders.schedule(repositories=("offsite",)), (builders.ssh_repository(),))
    source, read_only = mounts(bundle)["/run/borg/secrets/borg-ssh"]
    assert read_only
    assert source["secret"]["optional"] is True
    assert [item["key"] for item in source["secret"]["items"]] == ["id_ed25519", "known_hosts"]


def test_the_plan_in_the_pod_is_the_rendered_one_and_holds_no_dollar_that_the_kubelet_would_expand() -> None:
    tricky = builders.script("wake", "echo $(HOST) $$ '\"\n", ({"name": "HOST"},))
    hooks = {"preBackup": {"scriptRef": {"name": "wake"}, "parameters": [{"name": "HOST", "value": "$(X) \n'"}]}}
    bundle = builders.bundle(builders.schedule(hooks=hooks), scripts=(tricky,))
    value = next(item["value"] for item in container(bundle)["env"] if item["name"] == PLAN_ENV)
    assert "$" not in value
    assert decode_plan(value) == render_plan(bundle.workload(), cluster="")


def test_a_secret_parameter_is_a_path_in_the_plan() -> None:
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "nas", "key": "token"}}}
    hooks = {"postBackup": {"scriptRef": {"name": "sleep"}, "parameters": [reference]}}
    declared = builders.script("sleep", parameters=({"name": "TOKEN", "type": "Password"},))
    plan = render_plan(builders.bundle(builders.schedule(hooks=hooks), scripts=(declared,)).workload(), cluster="")
    assert plan.hooks
    assert plan.hooks.post_backup
    assert plan.hooks.post_backup.secret_parameters["TOKEN"].path == "/run/borg/secrets/nas/token"
    assert plan.hooks.post_backup.parameters == {}


@pytest.mark.parametrize("operation", [Operation.PRUNE, Operation.CHECK, Operation.COMPACT, Operation.BREAK_LOCK])
def test_scripts_belong_to_backups_only(operation: Operation) -> None:
    hooks = {"preBackup": {"scriptRef": {"name": "wake"}}}
    bundle = builders.bundle(builders.schedule(hooks=hooks), scripts=(builders.script("wake"),))
    assert render_plan(bundle.workload(operation), cluster="").hooks is None


def test_the_probe_fails_with_what_the_run_waits_for_and_succeeds_when_it_waits_for_nothing(tmp_path: Path) -> None:
    probe = container(builders.bundle())["readinessProbe"]
    command = [word.replace(NOTICE_FILE, str(tmp_path / "notice")) for word in probe["exec"]["command"]]
    assert (probe["failureThreshold"], probe["successThreshold"]) == (1, 1)
    quiet = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    (tmp_path / "notice").write_text("Locked by somebody")
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode != 0, told.stdout, told.stderr) == (True, "Locked by somebody", "")


def test_the_notice_lies_where_the_pod_may_write() -> None:
    scratch = [path for path, (volume, _) in mounts(builders.bundle()).items() if volume == {"emptyDir": {}}]
    assert any(NOTICE_FILE.startswith(f"{path}/") for path in scratch)
