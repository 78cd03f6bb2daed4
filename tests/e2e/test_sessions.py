"""Looking into archives, in the cluster: opened, browsed, downloaded; by whom it may be done, and by whom not."""

import hashlib
import io
import json
import tarfile
import time
from functools import partial
from typing import Any

import httpx
import pytest

from e2e.team import API_VERSION, PASSPHRASE, Object, Team
from support.rest import Rest, find_facade, make_account

TREE = """cd /data && mkdir -p etc deep/er && echo one >etc/app.conf && head -c 5000000 /dev/urandom >random &&
printf latin >"$(printf 'caf\\351')" && ln -s etc/app.conf link && echo two >deep/er/file"""
PROBE = """import urllib.request as r, sys
try:
    print(r.urlopen(r.Request(sys.argv[1], headers={"Authorization": sys.argv[2]}), timeout=5).status)
except Exception as error:
    print(getattr(error, "code", type(error).__name__))"""


@pytest.fixture(scope="module")
def team(team: Team) -> Team:
    team.prepare()
    team.work(TREE)
    team.repository("main")
    team.schedule("night", archiveNameTemplate="night-{now}")
    team.completed("first", "night")
    return team


def account(team: Team, name: str, role: str | None) -> Rest:
    return Rest(find_facade(), team.namespace, make_account(team.kubectl, team.namespace, name, role))


@pytest.fixture(scope="module")
def restorer(team: Team) -> Rest:
    person = account(team, "looker", "borg-restorer")
    team.eventually(lambda: person.look("/api/repositories/"), "the facade lets the restorer see repositories")
    return person


@pytest.fixture(scope="module")
def archive(team: Team) -> str:
    (only,) = team.archives("main")
    return only


def opened(team: Team, person: Rest, path: str, within: float = 180) -> Any:
    """Return the page once it is there: after an installation the operator waits for the facade's key."""
    deadline = time.monotonic() + within
    while True:
        answer = person("GET", path)
        assert answer.status_code in (200, 202, 403), (
            f"{answer.text}\n{json.dumps(team.items('bsess'))}\n{team.story()}"
        )
        if answer.status_code == 200:
            return answer.json()
        assert time.monotonic() < deadline, f"{answer.text}\n{json.dumps(team.items('bsess'))}"
        time.sleep(1)


def ready(team: Team) -> Object:
    """Return the session that is open."""
    found: Object = team.eventually(
        lambda: [item for item in team.items("bsess") if item["status"].get("phase") == "Ready"],
        "a session is ready",
        within=180,
    )[0]
    return found


def test_an_archive_is_browsed_and_its_files_come_to_the_byte(team: Team, restorer: Rest, archive: str) -> None:
    data = opened(team, restorer, f"/api/browse/main/{archive}?path=sources/data")
    items = {item["name"]: item for item in data["items"]}
    assert [items[name]["type"] for name in ("deep", "etc", "link", "random")] == [
        "directory",
        "directory",
        "symlink",
        "file",
    ]
    assert items["etc"]["size"] == 4
    path = {"repository": "main", "archive": archive, "file_path": "sources/data/random"}
    answer = restorer("GET", "/api/archives/download", params=path)
    assert answer.headers["content-length"] == "5000000"
    assert hashlib.sha256(answer.content).hexdigest() == team.work("sha256sum </data/random").split()[0]
    (odd,) = (item for item in items.values() if item["encoded_path"].endswith("caf%E9"))
    found = restorer("GET", f"/api/archives/download?repository=main&archive={archive}&file_path={odd['encoded_path']}")
    assert found.content == b"latin"
    packed = restorer("GET", f"/api/browse/main/{archive}/tar?path=sources/data/deep")
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as tar:
        assert any(name.endswith("er/file") for name in tar.getnames())
    names = opened(team, restorer, f"/api/browse/main/{archive}/find?q=APP")["items"]
    assert [item["path"] for item in names] == ["sources/data/etc/app.conf"]


def test_one_session_serves_all_and_its_pod_is_restricted_and_knows_no_token(team: Team, restorer: Rest) -> None:
    other = account(team, "other-looker", "borg-restorer")
    team.eventually(lambda: other.look("/api/repositories/"), "the facade lets the other one see repositories")
    (name,) = team.archives("main")
    opened(team, other, f"/api/browse/main/{name}")
    live = [item for item in team.items("bsess") if item["status"]["phase"] in ("Starting", "Ready")]
    assert len(live) == 1
    pod = team.get("pod", live[0]["status"]["podName"])
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    second = {"apiVersion": API_VERSION, "kind": "BorgSession", "metadata": {"name": "second"}}
    team("create", "-f", "-", stdin=json.dumps({**second, "spec": {"repositoryRef": {"name": "main"}}}))
    status = team.eventually(
        lambda: team.get("bsess", "second").get("status", {}),
        "the second one ends",
        holds=lambda seen: seen.get("phase") == "Ended",
    )
    assert status["reason"] == "AlreadyOpen"
    del restorer


def test_who_may_only_look_at_objects_sees_no_file_though_a_session_is_open(
    team: Team, restorer: Rest, archive: str
) -> None:
    opened(team, restorer, f"/api/browse/main/{archive}")
    for role in ("borg-viewer", "borg-operator"):
        person = account(team, f"a-{role}", role)
        team.eventually(partial(person.look, "/api/repositories/"), f"{role} sees repositories")
        for path in (
            f"/api/browse/main/{archive}",
            f"/api/browse/main/{archive}/tar",
            f"/api/archives/download?repository=main&archive={archive}&file_path=sources/data/etc/app.conf",
        ):
            answer = person("GET", path)
            assert answer.status_code == 403
            assert "borgsessions" in answer.json()["detail"]


def test_a_right_that_is_taken_away_is_gone_within_seconds(team: Team, archive: str) -> None:
    person = account(team, "for-a-while", "borg-restorer")
    team.eventually(lambda: person.look("/api/repositories/"), "the person sees repositories")
    opened(team, person, f"/api/browse/main/{archive}")
    bindings = [
        item["metadata"]["name"]
        for item in team.items("rolebinding")
        if any(subject["name"] == "for-a-while" for subject in item.get("subjects", []))
    ]
    team("delete", "rolebinding", *bindings)
    team.eventually(
        lambda: person("GET", f"/api/browse/main/{archive}").status_code,
        "it is refused",
        holds=lambda code: code == 403,
    )


def test_nobody_else_gets_anything_from_the_pod(team: Team, restorer: Rest, archive: str) -> None:
    opened(team, restorer, f"/api/browse/main/{archive}")
    session = ready(team)
    url = f"http://{session['status']['address']}:8080/tree?archive={archive}"
    # From a pod of the team's own: the NetworkPolicy drops it, or, where nothing enforces those, no signature is.
    for header in ("", "Bearer x.y.z", "Bearer eyJhbGciOiJub25lIn0.e30."):
        said = team.work(f"python3 -c '{PROBE}' '{url}' '{header}'").strip()
        assert said in ("401", "403", "URLError", "TimeoutError", "timeout"), said


def test_no_secret_of_the_repository_is_told_anywhere(team: Team, restorer: Rest, archive: str) -> None:
    opened(team, restorer, f"/api/browse/main/{archive}")
    session = ready(team)
    told = json.dumps([session, *team.items("events"), team.get("pod", session["status"]["podName"])])
    log = team("logs", session["status"]["podName"]).stdout
    assert PASSPHRASE not in told + log


def test_a_session_that_dies_is_opened_again_by_the_next_look(team: Team, restorer: Rest, archive: str) -> None:
    opened(team, restorer, f"/api/browse/main/{archive}")
    first = ready(team)
    team("delete", "pod", first["status"]["podName"], "--force", "--grace-period=0")
    assert opened(team, restorer, f"/api/browse/main/{archive}?path=sources/data")["items"]
    team("delete", "bsess", first["metadata"]["name"], "--ignore-not-found")
    assert opened(team, restorer, f"/api/browse/main/{archive}?path=sources/data")["items"]


def test_a_backup_is_taken_while_somebody_looks(team: Team, restorer: Rest, archive: str) -> None:
    opened(team, restorer, f"/api/browse/main/{archive}")
    team.work("echo three >/data/etc/later")
    team.completed("while-looking", "night")
    newest = team.archives("main")[-1]
    found = opened(team, restorer, f"/api/archives/diff?repository=main&a={archive}&b={newest}")
    assert "sources/data/etc/later" in {change["path"] for change in found["changes"]}


def test_an_archive_that_was_pruned_is_told_as_gone(team: Team, restorer: Rest) -> None:
    oldest = team.archives("main")[0]
    team.borg("main", f"delete ::{oldest}")
    answer: httpx.Response = team.eventually(
        lambda: restorer(
            "GET", f"/api/archives/download?repository=main&archive={oldest}&file_path=sources/data/random"
        ),
        "the archive is told as gone",
        holds=lambda found: found.status_code == 404,
        within=60,
    )
    assert oldest in answer.json()["detail"]


def test_a_session_ends_when_nobody_looks_and_is_forgotten_with_its_pod(team: Team) -> None:
    team("delete", "bsess", "--all")
    spec = {"repositoryRef": {"name": "main"}, "idleSeconds": 30, "maxSeconds": 60}
    body = {"apiVersion": API_VERSION, "kind": "BorgSession", "metadata": {"name": "short"}, "spec": spec}
    team("create", "-f", "-", stdin=json.dumps(body))
    status = team.eventually(
        lambda: team.get("bsess", "short").get("status", {}),
        "it has ended",
        holds=lambda seen: seen.get("phase") in ("Ended", "Failed"),
        within=180,
    )
    assert (status["phase"], status["reason"]) == ("Ended", "SessionEnded"), status
    team("delete", "bsess", "short")
    team.eventually(
        lambda: team.items("pod", "borgoperator.io/session=short"), "its pod goes too", holds=lambda pods: not pods
    )
