"""One truth, three ways in: what kubectl does, REST shows within a second, and the other way round."""

import json
import time
from typing import Any

from integration import resources
from support.cluster import Kubectl
from support.rest import Rest, problem
from support.waiting import wait_for

PROMPT_SECONDS = 1.0
LOOKS = 8


def soon(look: Any, holds: Any, what: str) -> None:
    """Wait until it holds wherever one looks: replicas take turns, and each has a watch of its own."""
    _, seconds = wait_for(lambda: [look() for _ in range(LOOKS)], lambda seen: all(map(holds, seen)), 5, what)
    assert seconds <= PROMPT_SECONDS, f"{what}: after {seconds:.2f} s"


def apply(kubectl: Kubectl, namespace: str, item: dict[str, Any]) -> None:
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(item))


def test_a_schedule_made_by_kubectl_without_a_title_is_fully_usable_over_rest(rest: Rest, kubectl: Kubectl) -> None:
    apply(kubectl, rest.namespace, resources.schedule("by-kubectl", schedule="0 2 * * *"))
    path = "/api/schedule/by-kubectl"
    soon(lambda: rest("GET", path).status_code, lambda status: status == 200, "the schedule over REST")
    job = rest.job("by-kubectl")
    assert (job["name"], job["timezone"], job["enabled"]) == ("by-kubectl", "Etc/UTC", True)
    assert rest.job(job["id"]) == job
    assert rest.send("PUT", path, {"description": "edited over REST"})["job"]["id"] == job["id"]
    assert rest.send("POST", f"{path}/toggle")["enabled"] is False
    assert rest.send("POST", f"{path}/duplicate")["job"]["name"] == "Copy of by-kubectl"
    assert rest.send("POST", f"{path}/run-now")["status"] == "pending"
    assert rest.send("PUT", path, {"name": "By REST now"})["job"]["id"] == job["id"]
    live = kubectl.get("-n", rest.namespace, "bsched", "by-kubectl")
    assert live["spec"]["title"] == "By REST now"
    assert live["spec"]["suspend"] is True
    rest.send("DELETE", path)


def test_what_kubectl_changes_rest_shows_within_a_second(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("Changed by kubectl")
    name, path = "changed-by-kubectl", f"/api/schedule/{job['id']}"
    etag = rest("GET", path).headers["ETag"]
    kubectl("-n", rest.namespace, "patch", "bsched", name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    soon(lambda: rest.job(job["id"])["enabled"], lambda enabled: enabled is False, "the patch over REST")
    late = rest("PUT", path, {"description": "mine"}, headers={"If-Match": etag})
    problem(late, 412)
    kubectl("-n", rest.namespace, "delete", "bsched", name, "--wait=false")
    soon(lambda: rest("GET", path).status_code, lambda status: status == 404, "the deletion over REST")
    apply(kubectl, rest.namespace, resources.schedule(name, title="Again"))
    soon(lambda: rest("GET", path).status_code, lambda status: status == 200, "another one of the name over REST")
    assert rest.job(job["id"])["name"] == "Again"


def test_what_rest_does_kubectl_shows_at_once(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("Seen by kubectl", run_prune_after=True, prune_keep_within="7d", timezone="Europe/Berlin")
    spec = kubectl.get("-n", rest.namespace, "bsched", "seen-by-kubectl")["spec"]
    assert (spec["title"], spec["schedule"], spec["timeZone"]) == ("Seen by kubectl", "0 2 * * *", "Europe/Berlin")
    assert (spec["prune"]["enabled"], spec["prune"]["keepWithin"], spec["prune"]["keepDaily"]) == (True, "7d", 7)
    rest.send("POST", f"/api/schedule/{job['id']}/toggle")

    def cron_jobs() -> Any:
        return kubectl.get("-n", rest.namespace, "cronjob", "--selector=borgoperator.io/schedule=seen-by-kubectl")

    wait_for(cron_jobs, lambda found: found["items"] and found["items"][0]["spec"]["suspend"], 5, "the CronJob rests")
    rest.send("DELETE", f"/api/schedule/{job['id']}")
    assert kubectl("-n", rest.namespace, "get", "bsched", "seen-by-kubectl", check=False).returncode != 0


def test_enabling_runs_nothing_that_was_missed(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("Resting", cron_expression="* * * * *", enabled=False)
    # Until a tick has passed that a CronJob with a deadline of an hour would make up for.
    time.sleep(61 - time.time() % 60)
    rest.send("POST", f"/api/schedule/{job['id']}/toggle")
    ready = lambda: kubectl.get("-n", rest.namespace, "cronjob", "resting")["spec"]["suspend"]  # noqa: E731
    wait_for(ready, lambda suspended: suspended is False, 5, "the CronJob works again")
    time.sleep(8)
    assert time.time() % 60 < 50, "too slow a machine: the next tick may have come"
    assert rest.get(f"/api/schedule/{job['id']}/runs")["runs"] == []
    rest.send("DELETE", f"/api/schedule/{job['id']}")


def test_repositories_and_scripts_are_shown_as_they_are(rest: Rest) -> None:
    rest.create("Of main", repository="main", timezone="Europe/Berlin")
    answer = rest.get("/api/repositories/")
    main, offsite = answer["repositories"]
    assert answer["success"] is True
    assert (main["name"], main["path"], main["encryption"]) == ("main", "/repositories/main", "none")
    assert (main["has_schedule"], offsite["has_schedule"]) == (True, False)
    assert (main["archive_count"], main["last_backup"], main["total_size"]) == (0, None, None)
    scripts = {script["name"]: script for script in rest.get("/api/scripts")}
    assert scripts["sleep"]["parameters"] is None
    wake = {parameter["name"]: parameter for parameter in scripts["wake"]["parameters"]}
    assert (wake["HOST"]["required"], wake["HOST"]["type"], wake["TOKEN"]["type"]) == (True, "text", "password")


def test_runs_are_listed_filtered_and_cancelled(rest: Rest, kubectl: Kubectl) -> None:
    # Without its source's claim the schedule is not ready, and its runs stay pending for as long as the test takes.
    nowhere = {"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "nowhere"}}}
    apply(kubectl, rest.namespace, resources.schedule("with-runs", sources=[nowhere]))
    path = "/api/schedule/with-runs"
    soon(lambda: rest("GET", path).status_code, lambda status: status == 200, "the schedule over REST")
    job = rest.job("with-runs")
    started = rest.send("POST", f"/api/schedule/{job['id']}/run-now")["job_id"]
    listed = rest.get("/api/backup/jobs", params={"schedule_id": job["id"]})["jobs"]
    assert [run["id"] for run in listed] == [started]
    run = rest.get(f"/api/backup/status/{started}")
    assert (run["scheduled_job_id"], run["triggered_by"]) == (job["id"], "manual")
    assert run["status"] == "pending"
    assert rest.get("/api/backup/jobs", params={"schedule_id": job["id"], "status": "completed"})["jobs"] == []
    assert rest.get("/api/backup/jobs", params={"schedule_id": job["id"], "scheduled_only": "true"})["jobs"] == []
    problem(rest("GET", "/api/backup/jobs", params={"status": "done"}), 400)
    problem(rest("GET", "/api/backup/jobs", params={"schedule_id": 1}), 404)
    assert rest.send("POST", f"/api/backup/cancel/{started}")["process_terminated"] is True
    wait_for(
        lambda: {rest.get(f"/api/backup/status/{started}")["status"] for _ in range(LOOKS)},
        lambda seen: seen == {"cancelled"},
        60,
        "the run has ended, for every replica",
    )
    assert "nothing to cancel" in problem(rest("POST", f"/api/backup/cancel/{started}"), 400)
    log = rest.get(f"/api/backup/logs/{started}/stream")
    assert log.keys() == {"job_id", "status", "lines", "total_lines", "has_more"}
    assert rest.get(f"/api/schedule/{job['id']}/runs")["runs"][0]["id"] == started
    again = rest.send("POST", f"/api/schedule/{job['id']}/run-now")["job_id"]
    assert again != started
    listed = rest.get("/api/backup/jobs", params={"schedule_id": job["id"]})["jobs"]
    created = [run["created_at"] for run in listed]  # whole seconds: both may be of one
    assert created == sorted(created, reverse=True)
    newest = [run["id"] for run in listed]
    assert set(newest) == {again, started}
    first = rest.get("/api/backup/jobs", params={"schedule_id": job["id"], "limit": 1})
    rest_of = {"schedule_id": job["id"], "limit": 1, "continue": first["continue"]}
    second = rest.get("/api/backup/jobs", params=rest_of)
    assert [first["jobs"][0]["id"], second["jobs"][0]["id"]] == newest
    assert second["continue"] is None
    kubectl("-n", rest.namespace, "delete", "bsched", "with-runs", "--wait=false")
