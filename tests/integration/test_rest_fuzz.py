"""Schemathesis against the facade in the cluster: all phases, as many examples per operation as told, no failure."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import resources
from integration.cluster import make_archive
from support.cluster import Kubectl, fresh_namespace
from support.rest import Rest, make_account
from support.waiting import wait_for

FUZZ = Path(__file__).parents[1] / "fuzz"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "100")
SEED = os.environ.get("FUZZ_SEED", "20261125")
SECONDS = 900


@pytest.fixture
def fuzzed(kubectl: Kubectl, facade_url: str) -> Iterator[Rest]:
    """Give an admin in a namespace without claims: schedules come by the hundreds there, and none of them ever runs."""
    with fresh_namespace(kubectl) as namespace:
        items = [
            resources.repository("main"),
            resources.repository("offsite"),
            resources.script("wake", {"name": "HOST", "required": True}),
        ]
        kubectl(
            "-n", namespace, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        )
        make_archive(kubectl, namespace, "main-1")
        admin = Rest(facade_url, namespace, make_account(kubectl, namespace, "fuzz", "borg-admin"))
        wait_for(lambda: admin.look("/api/scripts"), bool, 5, "the facade sees the script")
        yield admin


def test_no_request_that_can_be_thought_of_makes_it_stumble(fuzzed: Rest, tmp_path: Path) -> None:
    repositories = [item["id"] for item in fuzzed.get("/api/repositories/")["repositories"]]
    schedules = [fuzzed.create(f"fuzzed {number}")["id"] for number in range(8)]
    for schedule in schedules[:4]:
        fuzzed.send("POST", f"/api/schedule/{schedule}/run-now")
    back = {"repository": "main", "archive": "nightly-1", "destination": "data"}
    restores = [fuzzed.send("POST", f"/api/restore/{verb}", back)["job_id"] for verb in ("start", "preview")]
    config = tmp_path / "schemathesis.toml"
    namespace = f'\n[parameters]\n"query.namespace" = "{fuzzed.namespace}"\n'
    config.write_text((FUZZ / "schemathesis.toml").read_text() + namespace)
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "fuzz.hooks",
        "PYTHONPATH": str(FUZZ.parent),
        "FUZZ_REPOSITORIES": ",".join(map(str, repositories)),
        "FUZZ_SCRIPT": str(fuzzed.get("/api/scripts")[0]["id"]),
        "FUZZ_SCHEDULES": ",".join(map(str, schedules)),
        "FUZZ_ARCHIVE": "nightly-1",
        "FUZZ_RESTORES": ",".join(map(str, restores)),
    }
    command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run", "--no-color"]
    command += [f"{fuzzed.url}/openapi.json", "--url", fuzzed.url, "--max-examples", EXAMPLES, "--seed", SEED]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"]
    command += ["--header", f"Authorization: Bearer {fuzzed.token}", "--suppress-health-check", "all"]

    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    tail = done.stdout[-12_000:]
    assert done.returncode == 0, f"{tail}\n{done.stderr[-2000:]}"
    assert re.search(r"Tested: (\d+)", done.stdout), tail
    print(tail[tail.rfind("= SUMMARY") :])  # noqa: T201 - the figures, for people
    metrics = fuzzed("GET", "/metrics").text
    assert not re.findall(r'^borg_api_requests_total\{[^}]*status="50[0-24-9]"\}.*$', metrics, re.MULTILINE)
