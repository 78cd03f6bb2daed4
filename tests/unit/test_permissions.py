"""What the installer allows, asked of what already runs."""

from dataclasses import replace
from typing import Any

import pytest

from borg_core.policies.permissions import is_forbidden
from borg_core.settings import Settings
from support.builders import SETTINGS

HOST_PATH = {"name": "srv", "hostPath": {"path": "/srv"}}
CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}


def spec(*volumes: dict[str, Any], image: str = "runner:1", more: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    pod = {"containers": [{"name": "borg", "image": image}, *more], "volumes": list(volumes)}
    return {"jobTemplate": {"spec": {"template": {"spec": pod}}}}


ALLOWING = replace(SETTINGS, allow_host_path=True, allowed_images=("registry.example/*",))
WITH_PORT = Settings("registry.example:5000/borg/runner:2.0@sha256:abc")


@pytest.mark.parametrize(
    ("cron_job", "settings", "forbidden"),
    [
        (spec(CLAIM), SETTINGS, False),
        (spec(CLAIM, HOST_PATH), SETTINGS, True),
        (spec(CLAIM, HOST_PATH), ALLOWING, False),
        (spec(image="evil:1"), SETTINGS, True),
        (spec(image="registry.example/borg:1"), SETTINGS, True),
        (spec(image="registry.example/borg:1"), ALLOWING, False),
        (spec(image="runner:0.9"), SETTINGS, False),
        (spec(image="runner@sha256:abc"), SETTINGS, False),
        (spec(image="runner-evil:1"), SETTINGS, True),
        (spec(image="registry.example:5000/borg/runner:1"), WITH_PORT, False),
        (spec(image="registry.example:5000/borg/other:1"), WITH_PORT, True),
        (spec(image="registry.example/borg/runner:1"), WITH_PORT, True),
        # What the cluster's own admission adds is not what a schedule asked for.
        (spec(more=({"name": "proxy", "image": "istio:1"},)), SETTINGS, False),
    ],
)
def test_a_cron_job_that_outlived_a_rule_is_told_by_what_it_runs(
    cron_job: dict[str, Any], settings: Settings, forbidden: bool
) -> None:
    assert is_forbidden(cron_job, settings) is forbidden


@pytest.mark.parametrize(
    ("glob", "image", "allowed"),
    [
        ("docker.io/library/postgres:*", "docker.io/library/postgres:16", True),
        ("docker.io/library/postgres:*", "docker.io/library/postgres:16@sha256:abc", True),
        ("docker.io/library/postgres:*", "docker.io/library/postgres", False),
        ("postgres:*", "postgres:5000/evil/root:latest", False),
        ("ghcr.io/acme/*:1.0", "ghcr.io/acme/borg:1.0", True),
        ("ghcr.io/acme/*:1.0", "ghcr.io/acme/team-x/own:1.0", False),
        ("registry.example/team/*", "registry.example/team/borg:1", True),
        ("registry.example/team/*", "registry.example/team/deep/borg:1", False),
        ("registry.example/team/**", "registry.example/team/deep/borg:1", True),
        ("registry.example/team/**", "registry.example/team", False),
        ("registry.example/team/**", "registry.example/teams/borg:1", False),
        ("**", "evil.example:5000/whatever:1", True),
        ("*", "evil.example:5000/whatever:1", False),
    ],
)
def test_a_star_stays_within_a_part_of_the_images_name(glob: str, image: str, allowed: bool) -> None:
    assert Settings("runner:1", allowed_images=(glob,)).allows_image(image) is allowed


def test_a_pod_without_volumes_is_no_trouble() -> None:
    bare = spec()
    del bare["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert not is_forbidden(bare, SETTINGS)
