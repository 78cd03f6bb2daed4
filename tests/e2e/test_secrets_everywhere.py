"""A passphrase, a key and a secret parameter that are like nothing else, looked for in all that a cluster keeps.

Runs succeed, fail, are killed and have the wrong passphrase, and their scripts print all they can read. Where the
secrets may be is named in `ALLOWED` and `SCRIPTS_OWN`; they must be nowhere else.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.conftest import Operator
from e2e.offsite import SSH, make_keys, pin, serve_ssh
from e2e.team import Team
from runner_kit.pod import process_arguments
from support import node_processes
from support.canary import Canary, make_canary
from support.cluster import ENVIRONMENT, Kubectl
from support.rest import Rest, find_facade, make_account

ALLOWED = {
    "objects": {"borg-passphrase", "borg-ssh", "token"},  # the Secrets that a person made
    "node": {"kubernetes.io~secret"},  # where the kubelet mounts Secrets, in memory
}
SCRIPTS_OWN = re.compile(rb"(^|\0)TMPDIR=/tmp/run-[^/\0]+/script-[^/\0]+/tmp(\0|$)")
"""In the environment of a script and of what it calls, which are to have its secret parameters; borg has none of it."""
BETRAY = r"""#!/bin/bash
env; set; export -p
printf '%s\n' "$TOKEN"
for file in $(find /run/borg/secrets /tmp -type f -size -100k 2>/dev/null); do cat "$file"; done
tr '\0' '\n' < /proc/1/environ; cat /proc/[0-9]*/cmdline | tr '\0' '\n'
[ -z "$FAIL" ] || { echo "failing with $TOKEN" >&2; exit 7; }
"""
SEARCH = """
import pathlib, sys
needles = [bytes.fromhex(line) for line in sys.stdin.read().split()]
for root in ("/repositories", "/data", "/caches"):
    for path in pathlib.Path(root).rglob("*"):
        if path.is_file() and any(needle in path.read_bytes() for needle in needles):
            print(path)
"""


@dataclass
class Secrets:
    passphrase: str = field(default_factory=make_canary)
    wrong: str = field(default_factory=make_canary)
    token: str = field(default_factory=lambda: f"{make_canary()}\n{make_canary()}\n")
    canaries: dict[str, Canary] = field(default_factory=dict)

    def read(self, keys: Path) -> None:
        key, another = (self._body(keys / name) for name in ("client", "unrelated"))
        self.canaries = {
            **{name: Canary(getattr(self, name)) for name in ("passphrase", "wrong", "token")},
            "key": Canary("\n".join(key), without=another),
        }

    def _body(self, path: Path) -> list[str]:
        return path.read_text().splitlines()

    def find(self, text: str | bytes) -> list[str]:
        return [f"{name}: …{around}…" for name, canary in self.canaries.items() if (around := canary.find(text))]


@pytest.fixture(scope="module")
def found(
    kubectl: Kubectl, operator: Operator, team: Team, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Secrets, dict[str, list[str]]]:
    """Let the runs go by; return what was found of the secrets in each place."""
    keys = tmp_path_factory.mktemp("keys")
    make_keys(keys, "client", "host", "unrelated")
    known = Secrets()
    known.read(keys)
    team.prepare()
    team.secret("borg-passphrase", passphrase=known.passphrase)
    team.secret("token", value=known.token)
    team.work("head -c 3000000 /dev/urandom > /data/random")
    serve_ssh(team, keys)
    pin(team, keys, "host")
    team.claim("cache")
    cache = {"persistentVolumeClaim": {"claimName": "cache"}}
    team.repository("main", cache=cache)
    team.repository("offsite", ssh=SSH)
    team.script("betray", BETRAY, "FAIL", secret=["TOKEN"])
    for name, fail in (("good", ""), ("bad", "yes")):
        secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}}
        hook = {"scriptRef": {"name": "betray"}, "parameters": [secret, {"name": "FAIL", "value": fail}]}
        hooks = {"postBackup": hook, **({"preBackup": hook} if not fail else {})}
        team.schedule(name, "main", "offsite", hooks=hooks, compact={"enabled": True})
    places: dict[str, list[str]] = {}
    with processes_watched(known) as seen:
        assert team.run("good", "good")["phase"] == "Completed", team.story()
        assert team.run("bad", "bad")["reason"] == "HookFailed"
        kill_one(team)
        team.secret("borg-passphrase", passphrase=known.wrong)
        wrong = team.run("wrong", "good")
        assert {item["reason"] for item in wrong["repositories"]} == {"PassphraseWrong"}
        team.secret("borg-passphrase", passphrase=known.passphrase)
    places["processes"] = sorted(seen)
    places["objects"] = list(find_in_objects(kubectl, known))
    places["logs"] = list(find_in_logs(kubectl, known, operator.namespace, team.namespace))
    places["metrics"] = list(find_in_metrics(kubectl, known, operator))
    places["rest"] = list(find_in_rest(team, known))
    places["volumes"] = list(find_in_volumes(team, known))
    places["node"] = list(find_on_node(known)) if node_processes.is_made_of_processes() else []
    return known, places


def kill_one(team: Team) -> None:
    """Let a pod be gone in the middle of its run, after its script has told all."""
    team.begin("killed", "good")
    uid = team.eventually(lambda: (team.find("brun", "killed") or {}).get("status", {}).get("jobUid"), "it has a Job")
    selector = f"batch.kubernetes.io/controller-uid={uid}"
    team.eventually(lambda: "[betray]" in team("logs", f"--selector={selector}", check=False).stdout, "it told all")
    team("delete", "pod", f"--selector={selector}", "--grace-period=0", "--force")
    assert team.finished("killed")["phase"] == "Failed"


@contextmanager
def processes_watched(known: Secrets) -> Iterator[set[str]]:
    """Look at arguments and environment of all processes that this machine can see, again and again."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for _, parts in process_arguments():
                program = parts["cmdline"].replace(b"\0", b" ")[:80].decode(errors="replace")
                for part, text in parts.items():
                    if part == "environ" and SCRIPTS_OWN.search(text):
                        continue
                    seen.update(f"{part} of {program!r}: {what}" for what in known.find(text))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def find_in_objects(kubectl: Kubectl, known: Secrets) -> Iterator[str]:
    kinds = kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
    assert {"pods", "secrets", "events", "borgruns.borgoperator.io", "leases.coordination.k8s.io"} <= set(kinds)
    for kind in kinds:
        for item in kubectl.get(kind, "--all-namespaces")["items"]:
            name = item["metadata"]["name"]
            if kind != "secrets" or name not in ALLOWED["objects"]:
                yield from (f"{kind} {name}: {what}" for what in known.find(json.dumps(item, ensure_ascii=False)))


def find_in_logs(kubectl: Kubectl, known: Secrets, *namespaces: str) -> Iterator[str]:
    for namespace in namespaces:
        for pod in kubectl.get("pods", "--namespace", namespace)["items"]:
            name = pod["metadata"]["name"]
            text = kubectl("logs", name, "--namespace", namespace, "--all-containers", check=False).stdout
            yield from (f"log of {name}: {what}" for what in known.find(text))


def find_in_metrics(kubectl: Kubectl, known: Secrets, operator: Operator) -> Iterator[str]:
    for pod in kubectl.get("pods", "--namespace", operator.namespace)["items"]:
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", []):
                path = f"/api/v1/namespaces/{operator.namespace}/pods/{name}:{port['containerPort']}/proxy/metrics"
                text = kubectl("get", "--raw", path, check=False).stdout
                yield from (f"metrics of {name}: {what}" for what in known.find(text))


def find_in_rest(team: Team, known: Secrets) -> Iterator[str]:
    person = Rest(find_facade(), team.namespace, make_account(team.kubectl, team.namespace, "person", "borg-admin"))
    jobs = team.eventually(lambda: person.look("/api/schedule/"), "the person may look")["jobs"]
    paths = ["/api/schedule/", "/api/schedule/upcoming-jobs", "/api/backup/jobs", "/api/repositories/", "/api/scripts"]
    paths += [f"/api/schedule/{job['id']}{what}" for job in jobs for what in ("", "/runs")]
    runs = [run["id"] for run in person.get("/api/backup/jobs")["jobs"]]
    assert len(runs) >= 4
    paths += [f"/api/backup/{what.format(run)}" for run in runs for what in ("status/{}", "logs/{}/stream?offset=0")]
    for path in paths:
        response = person("GET", path)
        assert response.status_code < 500
        yield from (f"{path}: {what}" for what in known.find(response.content))


def find_in_volumes(team: Team, known: Secrets) -> Iterator[str]:
    mounts = [{"name": name, "mountPath": path} for name, path in VOLUMES.values()]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for claim, (name, _) in VOLUMES.items()]
    team.confined_pod("searcher", {"command": ["sleep", "infinity"], "volumeMounts": mounts}, volumes)
    needles = "\n".join(needle.hex() for canary in known.canaries.values() for needle in canary.needles)
    command = ("exec", "-i", "searcher", "--", "python3", "-c", SEARCH)
    team(
        "exec", "searcher", "--", "sh", "-c", 'test -n "$(find /caches -name config)"'
    )  # there is something to look at
    yield from team(*command, stdin=needles).stdout.split()


VOLUMES = {
    "borg-repo": ("repositories", "/repositories"),
    "app-data": ("data", "/data"),
    "cache": ("caches", "/caches"),
}


def find_on_node(known: Secrets) -> Iterator[str]:
    """Yield what the local node's disk and the logs of its daemons, the audit log among them, have of the secrets."""
    own, logs = Path(f"/proc/{node_processes.daemons('kubelet')[0]}/root"), ENVIRONMENT.parent / "log"
    assert any((logs / "pods").iterdir())
    folders = [*(own / path for path in ("var/log", "var/lib/kubelet", "run/containerd")), logs]
    for folder in folders:
        for here, _, names in os.walk(folder):  # which passes over what is gone meanwhile
            for path in (Path(here, name) for name in names):
                if path.is_file() and not path.is_symlink() and not any(word in path.parts for word in ALLOWED["node"]):
                    try:
                        text = path.read_bytes()
                    except OSError:
                        continue  # gone meanwhile
                    yield from (f"{path}: {what}" for what in known.find(text))


PLACES = ("processes", "objects", "logs", "metrics", "rest", "volumes", "node")


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_in(found: tuple[Secrets, dict[str, list[str]]], place: str) -> None:
    _, places = found
    assert places[place] == []


def test_the_scripts_had_the_secrets_and_tried(found: tuple[Secrets, dict[str, list[str]]], team: Team) -> None:
    """Or else nothing was to be found."""
    assert found
    log = team.log("good")
    assert re.search(r"^\[betray\] TOKEN=\*\*\*$", log, re.MULTILINE), log[-3000:]
    assert log.count("[betray] ***") > 5
    assert "failing with ***" in team.get("brun", "bad")["status"]["message"]
