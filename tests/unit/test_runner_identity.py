"""Whose run it is: the pod's Job, its user, and what people and scripts are told about it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.pod import JOB_NAME_ENV, JOB_UID_ENV, NODE_ENV, RUNNER_UID, digest_node, parse_lock_holder
from borg_contract.run import Operation
from borg_runner.identity import Identity, derive_identity
from borg_runner.run.hooks import make_run_facts
from borg_runner.run.run import describe_plan
from borg_runner.ssh.user import make_user_environment, render_group, render_passwd

ROOT = Path(__file__).parents[2]
OF_A_REPOSITORY = RunPlan(
    namespace="team", operation=Operation.CHECK, repositories=(RepositoryPlan("nas", "/r", "none"),)
)
OF_A_SCHEDULE = replace(OF_A_REPOSITORY, schedule="db", operation=Operation.BACKUP)


def test_a_pod_takes_locks_under_the_name_of_its_job() -> None:
    identity = derive_identity({JOB_NAME_ENV: "db-1", JOB_UID_ENV: "0a1b"})
    assert parse_lock_holder(identity.host_id("team", "c") or "") == ("team", "db-1", "0a1b", "")


def test_the_name_tells_nodes_apart_also_those_of_two_clusters_and_fits_into_the_name_of_a_file() -> None:
    longest = {JOB_NAME_ENV: "j" * 63, JOB_UID_ENV: "0" * 36}
    pairs = [("c", "a"), ("c", "b"), ("d", "a")]
    hosts = [derive_identity({**longest, NODE_ENV: node}).host_id("n" * 63, cluster) or "" for cluster, node in pairs]
    assert len(set(hosts)) == 3
    assert all(len(f"{host}.4194304-{2**64 - 1:x}") <= 255 for host in hosts)
    assert [parsed.place for host in hosts if (parsed := parse_lock_holder(host))] == [
        digest_node(*pair) for pair in pairs
    ]


@pytest.mark.parametrize("environment", [{}, {JOB_NAME_ENV: "db-1"}, {"BORG_HOST_ID": "somebody@1"}])
def test_outside_of_a_job_there_is_no_such_name(environment: dict[str, str]) -> None:
    assert derive_identity(environment).host_id("team", "c") is None
    assert Identity().host_id("team", "c") is None


@pytest.mark.parametrize(
    ("plan", "said", "schedule"),
    [
        (OF_A_SCHEDULE, "Backup of schedule team/db: nas", "db"),
        (OF_A_REPOSITORY, "Check in namespace team, without a schedule: nas", ""),
    ],
)
def test_people_and_scripts_learn_what_the_run_is_of(plan: RunPlan, said: str, schedule: str) -> None:
    assert describe_plan(plan) == said
    facts = make_run_facts(plan, run_name="db-1")
    assert facts == {
        "BORG_NAMESPACE": "team",
        "BORG_SCHEDULE": schedule,
        "BORG_RUN_NAME": "db-1",
        "BORG_OPERATION": plan.operation.value,
    }


def test_a_user_without_a_name_gets_one() -> None:
    home = Path("/tmp/run-1")
    assert render_passwd(uid=4711, gid=0, home=home) == "borg:x:4711:0:borg:/tmp/run-1:/bin/sh\n"
    assert render_group(gid=0) == "borg:x:0:\n"
    assert make_user_environment(wrapper="/lib/w.so", passwd=home / "passwd", group=home / "group") == {
        "LD_PRELOAD": "/lib/w.so",
        "NSS_WRAPPER_PASSWD": "/tmp/run-1/passwd",
        "NSS_WRAPPER_GROUP": "/tmp/run-1/group",
    }


def test_the_image_has_the_user_under_whom_pods_run_by_default() -> None:
    runner = (ROOT / "Dockerfile").read_text().split("FROM python AS runner")[1]
    numbers = re.findall(r"USER (\d+):(\d+)|usermod --uid (\d+) --gid (\d+)", runner)
    assert {number for found in numbers for number in found if number} == {str(RUNNER_UID)}
    assert f"USER {RUNNER_UID}:{RUNNER_UID}" in (ROOT / "dev/sshd/Dockerfile").read_text()
