"""The main job: data goes into an archive, comes back the same, and every status says what happened."""

import json
import re

import pytest

from e2e.team import RUNNER_UID, Team, condition, is_time

TREE = r"""
mkdir -p "/data/deep/er and deeper" /data/empty
printf 'hello\n' > /data/hello
head -c 3000000 /dev/urandom > /data/random
head -c 2000000 /dev/zero > /data/zeros
printf 'odd' > "/data/deep/er and deeper/ümläut \"quoted\" \$(name)
of two lines"
ln -s ../hello /data/deep/link
ln /data/hello /data/deep/hard
truncate -s 5000000 /data/sparse
chmod 0640 /data/hello
for number in $(seq 200); do echo $number > /data/deep/file-$number; done
"""
LIST = r"find . -printf '%P %y %m %l %n\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum"


@pytest.fixture(scope="module")
def nightly(team: Team) -> Team:
    """Back up a tree for the first time: run `first` of schedule `nightly`."""
    team.prepare()
    team.work(TREE)
    team.repository("main", compression="zstd,3")
    retention = {"enabled": True, "keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0}
    team.schedule("nightly", schedule="0 2 * * *", timeZone="Europe/Berlin", prune=retention, compact={"enabled": True})
    team.completed("first", "nightly")
    return team


@pytest.mark.usefixtures("ticking")
def test_the_first_run_creates_the_repository_and_says_all_there_is_to_say(nightly: Team) -> None:
    run = nightly.get("brun", "first")
    status = run["status"]

    assert status["phase"] == "Completed"
    assert status["trigger"] == "Manual"
    assert status["jobUid"] == nightly.get("job", "first")["metadata"]["uid"]
    assert is_time(status["startTime"])
    assert is_time(status["completionTime"])
    assert re.fullmatch(r"\d+s", status["duration"])
    assert not status.keys() & {"reason", "message", "scheduledTime"}

    (result,) = status["repositories"]
    files = int(nightly.work("find /data -type f -printf '%i\\n' | sort -u | wc -l"))
    size = int(nightly.work("find /data -type f -printf '%s\\n' | awk '{sum += $1} END {print sum}'"))
    assert result["name"] == "main"
    assert result["phase"] == "Completed"
    assert re.fullmatch(r"nightly-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", result["archive"])
    assert result["files"] == files  # of hard links, borg counts one
    assert size * 0.99 < result["originalSize"] < size * 1.05
    assert 3_000_000 < result["compressedSize"] < 3_500_000
    assert 3_000_000 < result["deduplicatedSize"] <= result["compressedSize"]
    assert 0 < result["seconds"] < 60
    assert result["prune"] == {"kept": 1, "deleted": 0}
    assert result["compact"]["freedBytes"] >= 0
    assert result["totals"]["archives"] == 1
    assert size * 0.99 < result["totals"]["originalSize"] < size * 1.05
    assert 3_000_000 < result["totals"]["deduplicatedSize"] < 3_500_000


def test_the_schedule_says_when_it_last_ran_how_that_went_and_when_it_runs_next(nightly: Team) -> None:
    run = nightly.get("brun", "first")["status"]
    schedule = nightly.get("bsched", "nightly")
    status = schedule["status"]

    assert status["observedGeneration"] == schedule["metadata"]["generation"]
    assert status["cronJobName"] == "nightly"
    assert not status.get("active")
    assert status["lastRunName"] == "first"
    assert status["lastRunPhase"] == "Completed"
    assert status["lastRunTime"] == run["startTime"]
    assert status["lastSuccessTime"] == run["completionTime"]
    assert status["lastPruneTime"] == run["completionTime"]
    assert status["lastCompactTime"] == run["completionTime"]
    assert status["consecutiveFailures"] == 0
    assert re.search(r"T0[01]:00:00Z$", status["nextRunTime"])  # two o'clock in Berlin
    assert condition(schedule, "Ready")["status"] == "True"
    assert condition(schedule, "Suspended")["status"] == "False"
    assert condition(schedule, "LastRunSucceeded")["status"] == "True"
    assert '"first"' in condition(schedule, "LastRunSucceeded")["message"]
    nightly.eventually(
        lambda: nightly.notes("nightly"),
        "an Event says that the run completed",
        holds=lambda notes: ("Normal", "RunCompleted", 'BorgRun "first" (Backup) completed') in notes,
    )


def test_the_repository_says_what_is_in_it(nightly: Team) -> None:
    run = nightly.get("brun", "first")["status"]
    totals = run["repositories"][0]["totals"]
    status = nightly.eventually(
        lambda: nightly.get("brepo", "main"),
        "the repository knows its first backup",
        holds=lambda seen: "lastBackupTime" in seen["status"],
        within=30,
    )["status"]

    assert status["lastBackupTime"] == run["completionTime"]
    assert status["archives"] == totals["archives"]
    assert status["originalSize"] == totals["originalSize"]
    assert status["deduplicatedSize"] == totals["deduplicatedSize"]
    assert re.fullmatch(r"[23]\.\dMi", status["size"])
    assert status["schedules"] == 1
    assert condition({"status": status}, "Ready")["status"] == "True"
    assert "lock" not in status


def test_what_is_extracted_equals_the_source(nightly: Team) -> None:
    (archive,) = nightly.archives("main")
    assert archive == nightly.get("brun", "first")["status"]["repositories"][0]["archive"]

    nightly.borg("main", f"extract --sparse ::{archive}", folder="/tmp/restored")

    assert nightly.work(f"cd /tmp/restored/sources/data; {LIST}") == nightly.work(f"cd /data; {LIST}")


def test_a_second_run_stores_only_what_is_new(nightly: Team) -> None:
    nightly.work("head -c 500000 /dev/urandom > /data/new")
    (first,) = nightly.archives("main")

    (result,) = nightly.completed("second", "nightly")["repositories"]

    assert 500_000 < result["deduplicatedSize"] < 700_000
    assert result["originalSize"] > 10_000_000
    assert result["totals"]["archives"] == 1  # keepDaily 1 keeps the last one of the last day
    assert result["prune"] == {"kept": 1, "deleted": 1, "archives": [first]}


def test_backup_pods_are_restricted_and_hold_no_token(nightly: Team) -> None:
    (pod,) = nightly.items("pods", "batch.kubernetes.io/job-name=first")
    spec = pod["spec"]
    (container,) = spec["containers"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == RUNNER_UID
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "/var/run/secrets" not in json.dumps(spec)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/sources/data"]["readOnly"] is True
