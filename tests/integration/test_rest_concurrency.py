"""Many at once: nothing is made twice, nothing is lost, and whoever was told 2xx sees his change everywhere."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support.cluster import Kubectl
from support.rest import Rest, problem

KEEPS = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly")


def test_of_fifty_creations_of_one_name_exactly_one_wins(rest: Rest, kubectl: Kubectl) -> None:
    body = {"name": "Raced for", "cron_expression": "0 2 * * *", "repository": "main"}
    answers = rest.at_once(("POST", "/api/schedule/", body, {}) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    assert all("exists already" in problem(answer, 400) for answer in answers if answer.status_code == 400)
    made = kubectl.get("-n", rest.namespace, "bsched")["items"]
    assert [item["spec"]["title"] for item in made].count("Raced for") == 1


def test_fifty_creations_of_a_name_whose_resource_name_another_has_make_one(rest: Rest) -> None:
    holder = rest.create("Moved on")
    rest.send("PUT", f"/api/schedule/{holder['id']}", {"name": "Somewhere else"})
    body = {"name": "Moved on", "cron_expression": "0 2 * * *", "repository": "main"}
    answers = rest.at_once(("POST", "/api/schedule/", body, {}) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    assert [job["name"] for job in rest.get("/api/schedule/")["jobs"]].count("Moved on") == 1


def test_fifty_run_nows_with_one_key_make_one_job_and_equal_answers(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("Run once")
    path = f"/api/schedule/{job['id']}/run-now"
    answers = rest.at_once(("POST", path, None, {"Idempotency-Key": "one"}) for _ in range(50))
    another = rest("POST", path)
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.text for answer in answers}) == 1
    selector = "--selector=borgoperator.io/schedule=run-once"
    assert len(kubectl.get("-n", rest.namespace, "borgruns", selector)["items"]) == 1
    assert len(kubectl.get("-n", rest.namespace, "jobs", selector)["items"]) <= 1  # the operator makes it in a moment
    run = kubectl.get("-n", rest.namespace, "borgruns", selector)["items"][0]["metadata"]["name"]
    assert run in problem(another, 409)


def test_of_fifty_run_nows_without_a_key_one_begins_and_the_others_name_it(rest: Rest, kubectl: Kubectl) -> None:
    job = rest.create("Run by many")
    answers = rest.at_once(("POST", f"/api/schedule/{job['id']}/run-now", None, {}) for _ in range(50))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    selector = "--selector=borgoperator.io/schedule=run-by-many"
    (run,) = kubectl.get("-n", rest.namespace, "borgruns", selector)["items"]
    assert all(run["metadata"]["name"] in answer.json()["detail"] for answer in answers if answer.status_code == 409)


def test_of_run_nows_with_different_keys_one_begins_and_says_so_again(rest: Rest) -> None:
    job = rest.create("Run by keys")
    path = f"/api/schedule/{job['id']}/run-now"
    answers = rest.at_once(("POST", path, None, {"Idempotency-Key": f"key {number}"}) for number in range(20))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    run = answers[winner].json()["job_id"]
    for _ in range(4):  # whichever replica is asked
        assert rest.send("POST", path, headers={"Idempotency-Key": f"key {winner}"})["job_id"] == run
        assert rest.get(f"/api/backup/status/{run}")["id"] == run


def test_of_ten_renames_to_one_name_at_most_one_stays(rest: Rest) -> None:
    jobs = [rest.create(f"To be renamed {number}") for number in range(10)]
    answers = rest.at_once(("PUT", f"/api/schedule/{job['id']}", {"name": "The same"}, {}) for job in jobs)
    named = [rest.job(job["id"])["name"] for job in jobs]
    assert named.count("The same") == 1
    for job, answer, name in zip(jobs, answers, named, strict=True):
        assert (answer.status_code, name) in {(200, "The same"), (400, job["name"])}


def test_two_hundred_edits_of_different_fields_lose_none(rest: Rest) -> None:
    jobs = [rest.create(f"Edited by many {number}") for number in range(20)]
    edits: list[dict[str, Any]] = [{f"prune_keep_{keep}": 10 + number} for number, keep in enumerate(KEEPS)]
    edits += [
        {"description": "new"},
        {"cron_expression": "30 4 * * *"},
        {"run_compact_after": True},
        {"enabled": False},
    ]
    answers = rest.at_once(("PUT", f"/api/schedule/{job['id']}", edit, {}) for edit in edits for job in jobs)
    assert Counter(answer.status_code for answer in answers) == {200: 200}
    wanted = {key: value for edit in edits for key, value in edit.items()}
    for job in jobs:
        edited = rest.job(job["id"])
        assert {key: edited[key] for key in wanted} == wanted


def test_two_hundred_edits_of_one_schedule_lose_none(rest: Rest) -> None:
    job = rest.create("Edited at once")
    fields = [f"prune_keep_{keep}" for keep in KEEPS]
    edits = [{fields[number % len(fields)]: 1 + number // len(fields)} for number in range(200)]
    answers = rest.at_once(("PUT", f"/api/schedule/{job['id']}", edit, {}) for edit in edits)
    assert Counter(answer.status_code for answer in answers) == {200: 200}
    edited = rest.job(job["id"])
    sent = {field: {edit[field] for edit in edits if field in edit} for field in fields}
    assert all(edited[field] in sent[field] for field in fields)


def test_fifty_one_toggles_leave_what_fifty_one_would(rest: Rest) -> None:
    job = rest.create("Toggled by many", enabled=True)
    answers = rest.at_once(("POST", f"/api/schedule/{job['id']}/toggle", None, {}) for _ in range(51))
    assert Counter(answer.status_code for answer in answers) == {200: 51}
    assert Counter(answer.json()["enabled"] for answer in answers) == {False: 26, True: 25}
    assert rest.job(job["id"])["enabled"] is False


def test_whoever_wrote_sees_it_in_every_answer_that_follows(rest: Rest) -> None:
    """Each request is a connection of its own, so replicas take turns."""

    def write_and_look(number: int) -> None:
        name = f"Seen at once {number}"
        job = rest.create(name)
        path = f"/api/schedule/{job['id']}"
        for edition in range(5):
            rest.send("PUT", path, {"description": f"edition {edition}"})
            assert rest.job(job["id"])["description"] == f"edition {edition}"
            listed = {item["id"]: item for item in rest.get("/api/schedule/")["jobs"]}
            assert listed[job["id"]]["description"] == f"edition {edition}"
        rest.send("DELETE", path)
        assert rest("GET", path).status_code == 404
        assert job["id"] not in [item["id"] for item in rest.get("/api/schedule/")["jobs"]]
        assert name not in [item["name"] for item in rest.get("/api/schedule/upcoming-jobs")["upcoming_jobs"]]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_look, range(24)))
