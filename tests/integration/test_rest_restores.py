"""Archives, restores and checks over REST, on a real API server; statuses are written by the tests.

What becomes of the restores is not looked at here: they are into claims that there are not.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.cluster import make_archive
from integration.test_rest_kubectl import LOOKS, apply
from support.cluster import Kubectl
from support.rest import Rest, make_account, problem
from support.waiting import wait_for

CHANGES = {"create": 2, "overwrite": 1, "delete": 0}
PREVIEW = {**CHANGES, "bytes": 2048, "sample": ["~ etc/app.conf", "+ uploads"], "digest": "d1"}
RESOLVED = {"archive": "nightly-1", "id": "ab" * 32, "time": "2026-11-24T03:00:02Z", "source": "data"}


@pytest.fixture(scope="module")
def archives(rest: Rest, kubectl: Kubectl) -> None:
    """Let there be five archives, the newest first."""
    times = {f"main-{number}": f"2026-11-2{9 - number}T03:00:02Z" for number in range(1, 6)}
    for name, time in times.items():
        make_archive(kubectl, rest.namespace, name, name.replace("main", "nightly"), time=time)
    path = "/api/repositories/main/archives"
    everywhere(lambda: len(rest.get(path)["archives"]), lambda count: count == len(times), "the archives over REST")


@pytest.fixture(scope="module")
def restorer(rest: Rest, kubectl: Kubectl) -> Rest:
    """Give somebody who may restore, and change nothing else."""
    token = make_account(kubectl, rest.namespace, "restorer", "borg-restorer")
    found = Rest(rest.url, rest.namespace, token)
    wait_for(lambda: found("GET", "/api/restore/jobs").status_code, lambda code: code == 200, 5, "RBAC knows the role")
    return found


def everywhere(look: Callable[[], Any], holds: Callable[[Any], bool], what: str) -> None:
    """Wait until it holds wherever one looks: replicas take turns."""
    wait_for(lambda: [look() for _ in range(LOOKS)], lambda seen: all(map(holds, seen)), 10, what)


def back(destination: str, **fields: Any) -> dict[str, Any]:
    """Return the body of a restore as Borg UI's client sends it, but for the destination."""
    return {
        "repository": "/repositories/main",
        "archive": "nightly-1",
        "paths": ["sources/data/etc/app.conf"],
        "destination": destination,
        "destination_type": "claim",
        "destination_connection_id": None,
        "restore_layout": "preserve_path",
        "path_metadata": [{"path": "sources/data/etc/app.conf", "type": "file"}],
        **fields,
    }


def restores_into(kubectl: Kubectl, rest: Rest, claim: str) -> list[dict[str, Any]]:
    items = kubectl.get("-n", rest.namespace, "borgrestores")["items"]
    return [item for item in items if item["spec"]["target"].get("claim", {}).get("claimName") == claim]


def patch_status(kubectl: Kubectl, rest: Rest, kind: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    kubectl("-n", rest.namespace, "patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


def report_previewed(kubectl: Kubectl, rest: Rest, made: dict[str, Any]) -> None:
    """Let there be the run that has looked at the restore, from which the operator takes what it found."""
    owner = {key: made[key] for key in ("apiVersion", "kind")} | {"controller": True}
    owner |= {key: made["metadata"][key] for key in ("name", "uid")}
    name, spec = f"{owner['name']}-preview", {"restoreRef": {"name": owner["name"]}, "operation": "Preview"}
    run = {"apiVersion": made["apiVersion"], "kind": "BorgRun", "spec": spec}
    apply(kubectl, rest.namespace, {**run, "metadata": {"name": name, "ownerReferences": [owner]}})
    found = {"name": "main", "phase": "Completed", "restore": {"resolved": RESOLVED, "preview": PREVIEW}}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"  # it is shown again for a while
    times = {"startTime": now, "completionTime": now}
    patch_status(kubectl, rest, "brun", name, {"phase": "Completed", **times, "repositories": [found]})
    wait_for_phase(rest, owner["name"], "previewed")


def report_failed(kubectl: Kubectl, rest: Rest, name: str) -> None:
    """Write the status, as the operator does."""
    failure = {"phase": "Failed", "reason": "ArchiveNotFound", "message": "None fits."}
    patch_status(kubectl, rest, "brest", name, failure)
    wait_for_phase(rest, name, "failed")


def wait_for_phase(rest: Rest, name: str, phase: str) -> None:
    """Wait until each replica has seen it."""
    path = f"/api/restore/status/{name}"
    everywhere(lambda: rest.get(path)["status"], lambda shown: shown == phase, f"the phase {phase} over REST")


@pytest.mark.usefixtures("archives")
def test_archives_are_listed_oldest_first_whole_and_in_pages(rest: Rest) -> None:
    path = "/api/repositories/main/archives"
    whole = [item["name"] for item in rest.get(path)["archives"]]
    assert whole == [f"nightly-{number}" for number in range(5, 0, -1)]
    pages: list[str] = []
    token = None
    while token is not None or not pages:
        page = rest.get(path, params={"limit": 2, **({"continue": token} if token else {})})
        pages += [item["name"] for item in page["archives"]]
        token = page["continue"]
    assert pages == whole
    repository = rest.get(path)["repository"]["id"]
    info = rest.get("/api/archives/nightly-3/info", params={"repository": repository})["info"]
    assert info["archive"]["resource"] == "main-3"


def test_an_archive_that_is_gone_is_not_listed_any_more(rest: Rest, kubectl: Kubectl) -> None:
    make_archive(kubectl, rest.namespace, "going", "going")
    path = "/api/archives/going/info?repository=main"
    everywhere(lambda: rest("GET", path).status_code, lambda status: status == 200, "the archive over REST")
    kubectl("-n", rest.namespace, "delete", "barch", "going")
    everywhere(lambda: rest("GET", path).status_code, lambda status: status == 404, "its end over REST")


@pytest.mark.usefixtures("archives")
def test_what_a_restorer_starts_kubectl_shows_and_every_replica(restorer: Rest, kubectl: Kubectl) -> None:
    job_id = restorer.send("POST", "/api/restore/start", back("seen/restored"))["job_id"]
    for _ in range(LOOKS):
        assert restorer.get(f"/api/restore/status/{job_id}")["status"] == "pending"
        assert job_id in [job["id"] for job in restorer.get("/api/restore/jobs")["jobs"]]
    ((made,)) = restores_into(kubectl, restorer, "seen")
    assert made["spec"]["source"] == "data"
    assert made["spec"]["paths"] == ["etc/app.conf"]
    assert made["spec"]["target"] == {"claim": {"claimName": "seen", "path": "restored"}}
    assert made["metadata"]["labels"]["borgoperator.io/repository"] == "main"
    restorer.send("POST", f"/api/restore/cancel/{job_id}")
    assert kubectl.get("-n", restorer.namespace, "brest", made["metadata"]["name"])["spec"]["cancel"] is True
    items = restorer.get("/api/activity/recent", params={"job_type": "restore"})
    assert job_id in [item["id"] for item in items]
    problem(restorer("POST", "/api/repositories/main/check"), 403)


def test_of_fifty_starts_of_the_same_restore_one_begins_and_the_others_name_it(rest: Rest, kubectl: Kubectl) -> None:
    answers = rest.at_once(("POST", "/api/restore/start", back("raced-for"), {}) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    (made,) = restores_into(kubectl, rest, "raced-for")
    assert all(made["metadata"]["name"] in answer.text for answer in answers if answer.status_code == 409)


def test_fifty_starts_with_one_key_make_one_restore_and_equal_answers(rest: Rest, kubectl: Kubectl) -> None:
    key = {"Idempotency-Key": "before the upgrade"}
    answers = rest.at_once(("POST", "/api/restore/start", back("keyed"), key) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.text for answer in answers}) == 1
    assert len(restores_into(kubectl, rest, "keyed")) == 1
    problem(rest("POST", "/api/restore/start", back("another"), headers=key), 409)


@pytest.mark.usefixtures("archives")
def test_fifty_previews_of_one_restore_are_one(rest: Rest, kubectl: Kubectl) -> None:
    answers = rest.at_once(("POST", "/api/restore/preview", back("looked-at"), {}) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    (made,) = restores_into(kubectl, rest, "looked-at")
    assert made["spec"]["preview"] is True


def test_a_preview_is_shown_approved_once_and_outlives_its_archive(restorer: Rest, kubectl: Kubectl) -> None:
    make_archive(kubectl, restorer.namespace, "short-lived", "short-lived")
    path = "/api/archives/short-lived/info?repository=main"
    everywhere(lambda: restorer("GET", path).status_code, lambda status: status == 200, "the archive over REST")
    approved = restorer.send("POST", "/api/restore/preview", back("approved", archive="short-lived"))
    left = restorer.send("POST", "/api/restore/preview", back("left", archive="short-lived"))
    assert approved["status"] == "pending"
    problem(restorer("POST", "/api/restore/start", {"preview_id": approved["job_id"]}), 409)
    (made,) = restores_into(kubectl, restorer, "approved")
    name = made["metadata"]["name"]
    report_previewed(kubectl, restorer, made)

    shown = restorer.send("POST", "/api/restore/preview", back("approved", archive="short-lived"))
    assert shown["job_id"] == approved["job_id"]
    assert "2 to create, 1 to replace, 0 to delete" in shown["preview"]
    start = {"preview_id": approved["job_id"]}
    answers = restorer.at_once(("POST", "/api/restore/start", start, {}) for _ in range(20))
    assert {answer.json()["job_id"] for answer in answers} == {approved["job_id"]}
    assert kubectl.get("-n", restorer.namespace, "brest", name)["spec"]["approve"] == "d1"

    kubectl("-n", restorer.namespace, "delete", "barch", "short-lived")
    path = f"/api/restore/status/{left['job_id']}"
    wait_for(lambda: restorer("GET", path).status_code, lambda status: status == 404, 60, "the preview that was left")
    assert restorer.get(f"/api/restore/status/{approved['job_id']}")["is_preview"] is False


def test_a_preview_that_is_asked_for_again_after_it_failed_is_another(rest: Rest, kubectl: Kubectl) -> None:
    failed = rest.send("POST", "/api/restore/preview", back("failed"))
    (made,) = restores_into(kubectl, rest, "failed")
    report_failed(kubectl, rest, made["metadata"]["name"])
    assert rest.send("POST", "/api/restore/preview", back("failed"))["job_id"] != failed["job_id"]


def test_an_object_that_is_no_business_of_a_restorer_stays_so(restorer: Rest, kubectl: Kubectl) -> None:
    account = f"--as=system:serviceaccount:{restorer.namespace}:restorer"

    def may(verb: str, plural: str) -> bool:
        asked = kubectl("-n", restorer.namespace, "auth", "can-i", verb, plural, account, check=False)
        return asked.stdout.strip() == "yes"

    assert all(may(verb, "borgrestores") for verb in ("create", "patch", "delete", "list"))
    assert not any(may(verb, "borgarchives") for verb in ("create", "patch", "delete"))
    assert not any(may("create", plural) for plural in ("borgruns", "borgschedules", "borgrepositories", "pods"))
    assert not may("get", "secrets")


HOSTILE: dict[str, tuple[dict[str, Any], int, str]] = {
    "no archive": ({"archive": None}, 422, "archive"),
    "no repository": ({"repository": None}, 422, "which repository"),
    "an unknown repository": ({"repository": "nowhere"}, 404, "no repository"),
    "an empty archive": ({"archive": ""}, 400, "/archive"),
    "an archive's name that is too long": ({"archive": "x" * 256}, 400, "/archive"),
    "a path that leads out": ({"paths": ["sources/data/../../etc"]}, 400, "leads out"),
    "a path with a NUL": ({"paths": ["etc/\x00"]}, 400, "source's root"),
    "a path that is too long": ({"paths": ["x" * 4097]}, 400, "/paths/0"),
    "a path that the CRD finds too long": ({"paths": ["x" * 2000]}, 400, "1024"),
    "too many paths": ({"paths": ["x"] * 257}, 400, "/paths"),
    "paths that are one text": ({"paths": "etc"}, 422, "/paths"),
    "a destination that leads out": ({"destination": "app-data/../x"}, 400, "leads out"),
    "a destination of two lines": ({"destination": "app-data/a\nb"}, 400, "claim's root"),
    "a destination that is no claim": ({"destination": "My Disk/x"}, 400, "cannot be the name of a claim"),
    "over SSH": ({"destination_type": "ssh"}, 400, "destination_type"),
    "a pattern of two lines": ({"exclude": ["a\nb"]}, 400, "one line"),
    "a source of a stranger's making": ({"source": "x" * 64}, 400, "/source"),
    "an unknown mode": ({"mode": "mirror"}, 400, "/mode"),
    "an unknown preview": ({"preview_id": 7}, 404, "no restore"),
    "half of a character": ({"archive": "\ud800"}, 400, ""),
}


@pytest.mark.parametrize("title", sorted(HOSTILE))
def test_what_cannot_be_restored_is_refused_with_words(rest: Rest, kubectl: Kubectl, title: str) -> None:
    fields, status, words = HOSTILE[title]
    content = json.dumps({**back("refused"), **fields}).encode()
    headers = {"Content-Type": "application/json"}
    for path in ("/api/restore/start", "/api/restore/preview"):
        if path.endswith("preview") and "preview_id" in fields:
            continue  # it means nothing there
        assert words in problem(rest("POST", path, content=content, headers=headers), status)
    assert restores_into(kubectl, rest, "refused") == []


def test_of_thirty_checks_at_once_one_begins(rest: Rest, kubectl: Kubectl) -> None:
    answers = rest.at_once(("POST", "/api/repositories/offsite/check", None, {}) for _ in range(30))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 29}
    selector = "--selector=borgoperator.io/repository=offsite"
    (run,) = kubectl.get("-n", rest.namespace, "borgruns", selector)["items"]
    assert run["spec"]["operation"] == "Check"
    assert rest.get("/api/repositories/offsite/running-jobs")["has_running_jobs"] is True
    name = run["metadata"]["name"]
    assert rest.get(f"/api/backup/status/{name}")["operation"] == "Check"


def test_regular_checks_are_edited_by_one_at_a_time(rest: Rest, kubectl: Kubectl) -> None:
    path = "/api/repositories/main/check-schedule"
    etag = rest("GET", path).headers["ETag"]
    form = {"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin", "max_duration": 3600, "check_extra_flags": ""}
    written = rest("PUT", path, form, headers={"If-Match": etag})
    assert written.status_code == 200, written.text
    for _ in range(LOOKS):
        assert rest.get(path)["check_cron_expression"] == "0 3 * * 0"
    kubectl("-n", rest.namespace, "patch", "brepo", "main", "--type=merge", "-p", '{"spec": {"compression": "lz4"}}')
    late = {"cron_expression": "0 4 * * 0"}
    assert "The repository was changed" in problem(
        rest("PUT", path, late, headers={"If-Match": written.headers["ETag"]}), 412
    )
    live = kubectl.get("-n", rest.namespace, "brepo", "main")["spec"]
    assert live["verification"]["check"] == {
        "schedule": "0 3 * * 0",
        "timeZone": "Europe/Berlin",
        "maxDuration": "60m",
    }
    assert live["compression"] == "lz4"
    ended = rest.send("PUT", path, {"cron_expression": ""})["repository"]
    assert ended["check_schedule_enabled"] is False
    assert "check" not in kubectl.get("-n", rest.namespace, "brepo", "main")["spec"].get("verification", {})
