"""Backups of copies: of one moment, of claims in use, by drivers that can and by such as cannot."""

import json
import random
import time
from collections.abc import Iterator

import pytest

from e2e.conftest import Operator
from e2e.copies import (
    check_pair,
    copying_team,
    left_behind,
    live_claim,
    nothing_is_left,
    schedule,
    storage_class,
)
from e2e.team import Team
from support.cluster import Kubectl

pytestmark = pytest.mark.takes_minutes

ROUNDS = {"some": 3, "many": 100}
KILLS = {"some": 4, "many": 50}
COPIES = pytest.mark.parametrize("copy", ["Clone", "Snapshot"])
NUMBERS = pytest.mark.parametrize("number", ["some", pytest.param("many", marks=pytest.mark.long)])


@pytest.fixture(scope="module")
def storing(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give a team with a claim into which somebody writes without end."""
    with copying_team(kubectl, operator) as team, live_claim(team):
        yield team


@COPIES
@NUMBERS
def test_archives_of_a_claim_that_is_written_without_end_are_of_one_moment_and_no_copy_stays(
    storing: Team, copy: str, number: str
) -> None:
    name = f"{copy.lower()}-{number}"
    storing.repository("main")
    schedule(storing, name, copy)
    for turn in range(ROUNDS[number]):
        status = storing.completed(f"{name}-{turn}", name)
        check_pair(storing, status["repositories"][0]["archive"])
    nothing_is_left(storing)


def test_files_of_a_copy_keep_owner_and_mode(storing: Team) -> None:
    storing.repository("main")
    schedule(storing, "owners", "Clone")
    archive = storing.completed("owners-1", "owners")["repositories"][0]["archive"]
    listed = storing.borg("main", f"list ::{archive} --format '{{mode}} {{uid}} {{gid}} {{path}}{{NL}}'")
    sums = [line for line in listed.splitlines() if line.endswith("/sum")]
    assert sums
    assert all(line.startswith("-rw------- 4321 4321 ") for line in sums), listed


def test_a_claim_that_one_pod_has_for_itself_is_backed_up_while_that_pod_uses_it(storing: Team) -> None:
    storing.repository("main")
    with live_claim(storing, "alone", accessModes=["ReadWriteOncePod"]):
        schedule(storing, "alone", "Clone", "alone")
        status = storing.completed("alone-1", "alone")
        assert storing.get("pod", "alone-writer")["status"]["phase"] == "Running"
    check_pair(storing, status["repositories"][0]["archive"])
    nothing_is_left(storing)


def test_a_claim_that_grew_gets_larger_copies(storing: Team) -> None:
    storing.repository("main")
    with live_claim(storing, "growing"):
        schedule(storing, "growing", "Clone", "growing")
        storing.completed("growing-1", "growing")
    size = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    storing("patch", "pvc", "growing", "--type=merge", f"--patch={json.dumps(size)}")

    def asked() -> str:
        template = storing.get("cronjob", "growing")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (volume,) = (item for item in template["volumes"] if "ephemeral" in item)
        found: str = volume["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
        return found

    storing.eventually(asked, "the CronJob asks for as much", holds=lambda seen: seen == "2Gi", within=10)
    storing.completed("growing-2", "growing")


@pytest.mark.parametrize(
    ("copies", "words"),
    [("none", "this driver makes no copies"), ("full", "no room for a copy in the pool")],
    ids=["no clones", "no room"],
)
def test_a_driver_that_makes_no_copy_is_quoted_within_seconds_and_the_run_fails(
    storing: Team, copies: str, words: str
) -> None:
    name = f"{storing.namespace}-{copies}"
    with storage_class(storing.kubectl, name, copies), live_claim(storing, copies, storageClassName=name):
        storing.repository("main")
        schedule(storing, copies, "Clone", copies)
        storing.begin(f"{copies}-1", copies)
        storing.eventually(
            lambda: storing.get("brun", f"{copies}-1").get("status", {}),
            "the run says it in the driver's words",
            holds=lambda seen: seen.get("reason") == "CopyFailed" and words in seen["message"],
            within=40,
        )
        status = storing.finished(f"{copies}-1", within=180)
        assert (status["phase"], status["reason"]) == ("Failed", "CopyFailed")
        assert words in status["message"]
        assert "startTime" not in status
        nothing_is_left(storing)
        assert not storing.items("jobs", f"borgoperator.io/schedule={copies}")


def test_a_night_without_room_for_the_copy_of_a_snapshot_fails_no_later_run(storing: Team) -> None:
    """The provisioner's finalizer keeps the snapshot of which it could make no volume."""
    name = f"{storing.namespace}-tight"
    with storage_class(storing.kubectl, name, "full"), live_claim(storing, "tight", storageClassName=name):
        storing.repository("main")
        schedule(storing, "tight", "Snapshot", "tight")
        for turn in range(2):
            storing.begin(f"tight-{turn}", "tight")
            storing.eventually(
                lambda run=f"tight-{turn}": storing.get("brun", run).get("status", {}),  # type: ignore[misc]
                "its snapshot is taken, and the driver has no room for the copy",
                holds=lambda seen: seen.get("reason") == "CopyFailed" and "no room" in seen["message"],
                within=60,
            )
            storing.cancel(f"tight-{turn}")
            assert storing.finished(f"tight-{turn}", within=60)["phase"] == "Cancelled"


def test_a_run_whose_driver_hangs_says_so_and_can_be_cancelled(storing: Team) -> None:
    name = f"{storing.namespace}-hang"
    with storage_class(storing.kubectl, name, "hang"), live_claim(storing, "hang", storageClassName=name):
        storing.repository("main")
        schedule(storing, "hang", "Clone", "hang")
        storing.begin("hang-1", "hang")
        storing.eventually(
            lambda: storing.get("brun", "hang-1").get("status", {}),
            "the run says for what it waits",
            holds=lambda seen: seen.get("reason") == "WaitingForCopy" and '"hang"' in seen["message"],
            within=40,
        )
        storing.cancel("hang-1")
        assert storing.finished("hang-1", within=60)["phase"] == "Cancelled"
        nothing_is_left(storing)


@COPIES
@NUMBERS
def test_runs_that_are_killed_at_any_moment_leave_nothing_behind(storing: Team, copy: str, number: str) -> None:
    chance = random.Random(copy)
    name = f"killed-{copy.lower()}-{number}"
    storing.repository("main")
    schedule(storing, name, copy)
    before = left_behind(storing)
    for turn in range(KILLS[number]):
        run = f"{name}-{turn}"
        storing.begin(run, name)
        time.sleep(chance.uniform(0, 5))
        match chance.choice(["pod", "job", "run", "cancel"]):
            case "pod":
                selector = f"borgoperator.io/schedule={name}"
                storing("delete", "pods", f"--selector={selector}", "--grace-period=1", "--wait=false")
            case "job":
                storing("delete", "job", run, "--ignore-not-found", "--wait=false")
            case "run":
                storing("delete", "brun", run, "--wait=false")
            case _:
                storing.cancel(run)
        storing.eventually(
            lambda run=run: storing.find("brun", run),  # type: ignore[misc]
            f"{run} has ended or is gone",
            holds=lambda seen: seen is None or "completionTime" in seen.get("status", {}),
            within=120,
        )
    storing("delete", "bsched", name)  # with the Jobs of runs that failed, which are kept for their logs
    storing.eventually(lambda: left_behind(storing), "all is as before", holds=lambda seen: seen == before, within=90)
