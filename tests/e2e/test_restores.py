"""Data is lost, and comes back: previewed, approved, undone, beside an application, into a new claim, through kills."""

import json
from typing import Any

import pytest

from e2e.team import API_VERSION, Object, Team

DIGEST = """cd /data && find . -mindepth 1 ! -path './lost+found*' -print0 | LC_ALL=C sort -z |
xargs -0 stat --format='%n %F %a %u %g %s %Y %N' | sed 's/ [0-9]* \\([0-9]* [^ ]*\\)$/ \\1/' >/tmp/list;
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >>/tmp/list; sha256sum </tmp/list"""
"""What is in the volume, as one number: names, kinds, modes, owners, sizes, times, link targets, contents."""

TREE = """cd /data && mkdir -p etc uploads/deep 'odd names' && echo one >etc/app.conf && echo two >etc/other.conf
head -c 3000000 /dev/urandom >uploads/photo && ln uploads/photo uploads/deep/twin && ln -s ../etc/app.conf uploads/link
printf x >'odd names/ -n *' && truncate -s 20M uploads/hole && mkfifo uploads/fifo && mkdir uploads/empty
chmod 640 etc/app.conf && chmod 4755 uploads/photo && chown -h 1234:4321 etc/app.conf uploads/link uploads/photo
touch -d 2001-02-03T04:05:06 etc/other.conf uploads/empty"""


@pytest.fixture(scope="module")
def team(baseline_team: Team) -> Team:
    """Give a team whose data was backed up once, by `night`."""
    team = baseline_team
    team.prepare(owners=True)
    team.work(TREE)
    team.repository("main")
    team.schedule("night", job={"fileAccess": "ReadAll"})
    team.completed("first", "night")
    return team


def restore(team: Team, name: str, **spec: Any) -> None:
    body = {
        "repositoryRef": {"name": "main"},
        "latest": {"scheduleRef": {"name": "night"}},
        "target": {"claim": {"claimName": "app-data"}},
        "writers": "Ignore",  # the workbench, which nobody else is
        **spec,
    }
    given = {field: value for field, value in body.items() if value is not None}
    manifest = {"apiVersion": API_VERSION, "kind": "BorgRestore", "metadata": {"name": name}, "spec": given}
    team("create", "-f", "-", stdin=json.dumps(manifest))


def reached(team: Team, name: str, *phases: str, within: float = 120) -> Object:
    """Return the restore's status once it is in one of the phases, or has ended."""
    ends = {*phases, "Completed", "CompletedWithWarnings", "Failed", "Cancelled"}
    found: Object = team.eventually(
        lambda: team.get("brest", name).get("status", {}),
        f"BorgRestore {name} has come to {phases or 'its end'}",
        holds=lambda status: status.get("phase") in ends,
        within=within,
    )
    if phases:
        assert found["phase"] in phases, f"{json.dumps(found, indent=1)}\n{team.story()}"
    return found


def test_a_file_comes_back_and_nothing_else_is_touched(team: Team) -> None:
    before = team.work(DIGEST)
    team.work("echo broken >/data/etc/app.conf; echo new >/data/etc/later")

    restore(team, "one-file", paths=["etc/app.conf"])
    status = reached(team, "one-file", "Completed")

    assert team.work("cat /data/etc/app.conf /data/etc/later") == "one\nnew\n"
    assert (status["preview"]["overwrite"], status["preview"]["create"], status["files"]) == (1, 0, 1)
    assert status["verified"] == {"files": 1}
    assert status["undoArchive"] in team.archives("main")
    assert "~ etc/app.conf" in team("logs", "job/one-file-restore").stdout
    team.work("rm /data/etc/later; touch -d '@'$(stat -c %Y /data/uploads/empty) /data/uploads/empty")
    team("wait", "--for=condition=Succeeded", "--timeout=5s", "brest/one-file")
    assert team.work("stat -c '%a %u %g' /data/etc/app.conf") == "640 1234 4321\n"
    assert before


def test_a_volume_is_previewed_approved_brought_back_and_taken_back(team: Team) -> None:
    team.completed("second", "night")
    whole = team.work(DIGEST)
    team.work("cd /data && rm -rf uploads 'odd names' && echo changed >etc/other.conf && echo more >etc/more")
    lost = team.work(DIGEST)

    restore(team, "mirror", mode="Mirror")
    status = reached(team, "mirror", "Previewed")
    assert status["reason"] == "WaitingForApproval"
    assert (status["preview"]["overwrite"], status["preview"]["delete"]) == (2, 1)  # the folder's times as well
    assert "- etc/more" in status["preview"]["sample"]
    assert team.work(DIGEST) == lost
    team.patch("brest", "mirror", approve=status["preview"]["digest"])
    status = reached(team, "mirror", "Running", "Completed")
    status = reached(team, "mirror")
    assert status["phase"] == "Completed", f"{json.dumps(status, indent=1)}\n{team.story()}"
    assert team.work(DIGEST) == whole

    restore(team, "undo", latest=None, archive=status["undoArchive"], mode="Mirror")
    preview = reached(team, "undo", "Previewed")["preview"]
    team.patch("brest", "undo", approve=preview["digest"])
    team.eventually(lambda: team.get("brest", "undo")["status"].get("completionTime"), "it is taken back", within=120)
    assert reached(team, "undo")["phase"] == "Completed", team.story()
    assert team.work(DIGEST) == lost


def test_the_target_that_changed_since_the_preview_is_looked_at_again(team: Team) -> None:
    restore(team, "late", preview=True)
    status = reached(team, "late", "Previewed")
    team.work("echo changed again >/data/etc/app.conf")
    before = team.work(DIGEST)
    team.patch("brest", "late", approve=status["preview"]["digest"])
    status = team.eventually(
        lambda: team.get("brest", "late")["status"],
        "the new preview is there",
        holds=lambda seen: seen.get("reason") == "PreviewOutdated",
        within=120,
    )
    assert status["phase"] == "Previewed"
    assert team.work(DIGEST) == before
    team.patch("brest", "late", approve=status["preview"]["digest"])
    team.eventually(lambda: team.get("brest", "late")["status"].get("completionTime"), "it is done", within=120)
    assert team.work("cat /data/etc/app.conf") == "one\n"


def test_an_archive_that_is_not_there_is_an_error_that_names_the_nearest(team: Team) -> None:
    restore(team, "wrong", latest=None, archive="night-2020-01-01T00:00:00")
    status = reached(team, "wrong", "Failed")
    assert status["reason"] == "ArchiveNotFound"
    assert team.get("brun", "first")["status"]["repositories"][0]["archive"] in status["message"]


def test_a_claim_is_made_as_large_as_it_has_to_be(team: Team) -> None:
    restore(team, "fresh", target={"newClaim": {"name": "fresh"}}, writers="Refuse")
    status = reached(team, "fresh", "Completed")
    claim = team.get("pvc", "fresh")
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert status["claimName"] == "fresh"
    team("delete", "brest", "fresh")
    assert team.find("pvc", "fresh")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_an_application_is_stopped_for_it_and_its_schedule_waits(team: Team, kind: str) -> None:
    team("delete", "pod", "workbench", "--wait", "--ignore-not-found")
    container = {
        "name": "app",
        "image": team.images["runner"],
        "command": ["sleep", "infinity"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "app-data"}}
    pod = {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {**pod, "securityContext": {"runAsUser": 0}}}
    service = {"serviceName": "web"} if kind == "StatefulSet" else {}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template, **service}
    team.apply({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec})
    team("rollout", "status", f"{kind}/web", "--timeout=60s")

    refused, stopped = f"refused-{kind.lower()}", f"stopped-{kind.lower()}"
    restore(team, refused, writers="Refuse")
    waiting = team.eventually(
        lambda: team.get("brest", refused).get("status", {}),
        "it says who is in the way",
        holds=lambda seen: seen.get("reason") == "ClaimInUse",
    )
    assert f'{kind} "web"' in waiting["message"]
    team("delete", "brest", refused)

    team("exec", f"{kind}/web", "--", "sh", "-c", "rm -rf /data/etc")
    restore(team, stopped, writers="ScaleDown")
    status = reached(team, stopped, "Completed", "Running")
    status = reached(team, stopped)
    assert status["phase"] == "Completed", f"{json.dumps(status, indent=1)}\n{team.story()}"
    scaled = team.eventually(
        lambda: team.get("brest", stopped)["status"].get("scaled", []),
        "the replicas are given back",
        holds=lambda seen: bool(seen and seen[0].get("restored")),
    )
    assert [(item["kind"], item["name"], item["replicas"]) for item in scaled] == [(kind, "web", 2)]
    team.eventually(
        lambda: "finalizers" not in team.get("brest", stopped)["metadata"], "nothing holds the BorgRestore any more"
    )
    team("rollout", "status", f"{kind}/web", "--timeout=60s")
    assert team("exec", f"{kind}/web", "--", "cat", "/data/etc/app.conf").stdout == "one\n"
    team.eventually(lambda: not team.get("cronjob", "night")["spec"].get("suspend"), "the schedule goes on")
    team("delete", kind, "web", "--cascade=foreground")
