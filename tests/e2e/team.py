"""A team with data worth a backup: a namespace, its objects, a workbench to make and to look at files, and patience."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import pytest

from support.cluster import Kubectl
from support.reader import Reader

T = TypeVar("T")
Object = dict[str, Any]

API_VERSION = "borgoperator.io/v1alpha1"
PASSPHRASE = "correct horse 'battery' \"staple\""
RUNNER_UID = 10001
NEVER = "0 0 1 1 *"
"""A schedule that the clock does not begin while a test runs, New Year apart."""

_PAUSE_SECONDS = 0.3
_BORG = "borg --lock-wait 120"
"""A schedule that ticks may be at work in the repository just then."""
_RESTRICTED_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_RESTRICTED_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_OWNERS_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]},
}


@dataclass(frozen=True)
class Team:
    """What one namespace needs for backups. Names are short: `main` is a repository, `db` a schedule."""

    kubectl: Kubectl
    namespace: str
    images: dict[str, str] = field(repr=False)

    # Making things

    def apply(self, *objects: Object) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "-f", "-", stdin=json.dumps(items))

    def make(self, kind: str, name: str, **spec: Any) -> None:
        """Apply a resource of ours."""
        self.apply({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})

    def claim(self, name: str, **more: Any) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **more}
        self.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})

    def secret(self, name: str, **values: str) -> None:
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})

    def repository(self, name: str, *, passphrase: str = "borg-passphrase", **spec: Any) -> None:
        """Apply a repository: on the claim `borg-repo` in a folder of its own name, of the source claim `app-data`."""
        place = {"local": {"volume": _claim("borg-repo"), "path": name}} if "ssh" not in spec else {}
        encryption = {"mode": "repokey-blake2", "passphraseSecretRef": {"name": passphrase, "key": "passphrase"}}
        # Listings of archives are runs, and come when they come: only those who ask for them have them.
        given = {**place, "encryption": encryption, "sources": source(), "archiveLimit": 0, **spec}
        self.make("BorgRepository", name, **given)

    def schedule(self, name: str, *repositories: str, **spec: Any) -> None:
        refs = [{"name": repository} for repository in repositories or ("main",)]
        self.make("BorgSchedule", name, **{"schedule": NEVER, "repositoryRefs": refs, **spec})

    def script(self, name: str, content: str, *parameters: str, secret: Iterable[str] = (), timeout: int = 60) -> None:
        """Apply a script that takes the parameters, those of `secret` as Passwords."""
        declared = [{"name": parameter} for parameter in parameters]
        declared += [{"name": parameter, "type": "Password"} for parameter in secret]
        self.make("BorgScript", name, content=content, timeoutSeconds=timeout, parameters=declared)

    def prepare(self, **workbench: Any) -> None:
        """Make what `repository` names, and the workbench."""
        self.claim("app-data")
        self.claim("borg-repo")
        self.secret("borg-passphrase", passphrase=PASSPHRASE)
        self.workbench(**workbench)

    # Runs

    def begin(self, name: str, schedule: str = "", operation: str = "Backup", *, repository: str = "") -> None:
        """Ask for a run of a schedule, or of a repository alone."""
        of = {"repositoryRef": {"name": repository}} if repository else {"scheduleRef": {"name": schedule}}
        run = {**of, "operation": operation}
        manifest = {"apiVersion": API_VERSION, "kind": "BorgRun", "metadata": {"name": name}, "spec": run}
        self("create", "-f", "-", stdin=json.dumps(manifest))

    def finished(self, name: str, within: float = 120) -> Object:
        """Wait for the run to end; return its status, of which the condition says the same as the phase."""
        run = self.eventually(
            lambda: self.find("brun", name),
            f"BorgRun {name} has finished",
            holds=lambda seen: bool(seen and "completionTime" in seen.get("status", {})),
            within=within,
        )
        status: Object = run["status"]
        went_well = status["phase"] in ("Completed", "CompletedWithWarnings")
        said = condition(run, "Succeeded")
        assert (said.get("status"), said.get("reason")) == (str(went_well), status["phase"]), json.dumps(run, indent=1)
        return status

    def run(self, name: str, schedule: str, operation: str = "Backup", within: float = 120) -> Object:
        """Ask for a run and return its status when it has ended and its schedule tells of it, if it is a backup."""
        self.begin(name, schedule, operation)
        status = self.finished(name, within)
        if operation == "Backup" and "startTime" in status:
            self.eventually(
                lambda: self.get("bsched", schedule)["status"],
                f"BorgSchedule {schedule} tells of BorgRun {name}",
                holds=lambda seen: _tells_of(seen, name, status),
            )
        return status

    def completed(self, name: str, schedule: str, operation: str = "Backup") -> Object:
        """Return the status of a run that must end well."""
        status = self.run(name, schedule, operation)
        assert status["phase"] == "Completed", f"{json.dumps(status, indent=1)}\n{self.story()}"
        return status

    def log(self, name: str) -> str:
        """Return what borg's container of the run's pod has written."""
        text: str = self("logs", f"--selector={self.pods_of(name)}", "--container=borg", "--tail=-1").stdout
        return text

    def pods_of(self, name: str) -> str:
        """Return the selector of the pods of a run, by the uid of its Job."""
        uid = self.get("brun", name)["status"]["jobUid"]
        return f"batch.kubernetes.io/controller-uid={uid}"

    def scheduled(self, schedule: str, within: float = 75) -> Object:
        """Return the newest run that a tick of the schedule began, as soon as there is one."""
        selector = f"borgoperator.io/schedule={schedule},borgoperator.io/trigger=Scheduled"
        runs: list[Object] = self.eventually(
            lambda: self.items("brun", selector), f"a tick of {schedule} has begun a run", within=within
        )
        return max(runs, key=lambda run: str(run["metadata"]["creationTimestamp"]))

    def suspend(self, schedule: str, suspend: bool = True) -> None:
        self.patch("bsched", schedule, suspend=suspend)

    def cancel(self, name: str) -> None:
        self.patch("brun", name, cancel=True)

    def patch(self, kind: str, name: str, **spec: Any) -> None:
        self("patch", kind, name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def grown(self, repository: str, more: int) -> None:
        """Return when borg has written so many bytes into the repository, and is not at its end yet."""
        size = f"du --bytes --summarize /repositories/{repository}/data 2>/dev/null | cut -f 1"
        begin = int(self.work(f"{size} || true").strip() or "0")
        grown = f'[ "$({size} || echo 0)" -gt {begin + more} ]'
        self.work(f"timeout 60 sh -c 'until {grown} 2>/dev/null; do sleep 0.1; done'")

    # Looking

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.kubectl)

    def __call__(self, *arguments: str, stdin: str = "", check: bool = True) -> Any:
        """Run kubectl in the namespace."""
        return self.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def get(self, kind: str, name: str) -> Object:
        found = self.find(kind, name)
        if found is None:
            pytest.fail(f"there is no {kind} {name}\n{self.story()}")
        return found

    def find(self, kind: str, name: str) -> Object | None:
        """Return the object, None when there is none."""
        return self._reader.find(kind, self.namespace, name)

    def items(self, kind: str, selector: str = "") -> list[Object]:
        return self._reader.items(kind, self.namespace, selector)

    def names(self, kind: str, selector: str = "") -> set[str]:
        return {item["metadata"]["name"] for item in self.items(kind, selector)}

    def notes_with(self, schedule: str, *, kind: str) -> list[tuple[str, str]]:
        """Return reason and text of the Events of that type about a schedule, as soon as there are any.

        The operator records them after the status that they are about.
        """
        notes: list[tuple[str, str]] = self.eventually(
            lambda: [(reason, note) for type_, reason, note in self.notes(schedule) if type_ == kind],
            f"there are Events of type {kind} about {schedule}",
        )
        return notes

    def notes(self, schedule: str) -> list[tuple[str, str, str]]:
        """Return type, reason and text of the Events about a schedule."""
        return [
            (event["type"], event["reason"], event["note"])
            for event in self.items("events.events.k8s.io")
            if event["regarding"].get("kind") == "BorgSchedule" and event["regarding"]["name"] == schedule
        ]

    def eventually(
        self, look: Callable[[], T], what: str, *, holds: Callable[[Any], bool] = bool, within: float = 60
    ) -> Any:
        """Return what `look` sees as soon as it holds; fail, with all that is known, when that takes too long."""
        deadline = time.monotonic() + within
        while True:
            seen = look()
            if holds(seen):
                return seen
            if time.monotonic() > deadline:
                shown = json.dumps(seen, indent=1, default=str)
                pytest.fail(f"not within {within} s: {what}\nlast seen: {shown}\n{self.story()}")
            time.sleep(_PAUSE_SECONDS)

    def story(self) -> str:
        """Return what a person would look at: runs, pods, logs, Events."""
        parts = [
            self("get", "brun,bsched,brepo,jobs,pods", "-o", "wide", check=False).stdout,
            self("logs", "--selector=app.kubernetes.io/name=borg-run", "--tail=30", "--prefix", check=False).stdout,
            self("get", "events.events.k8s.io", check=False).stdout,
        ]
        return "\n".join(parts)

    # The workbench: a pod that mounts the data and the repositories

    def workbench(self, *, user: int = RUNNER_UID, owners: bool = False) -> None:
        """Make the pod, as `user`, or with `owners` as root who may give files away. The data is at /data."""
        run_as = {"runAsUser": 0} if owners else {**_RESTRICTED_POD, "runAsUser": user, "fsGroup": RUNNER_UID}
        mounts = [
            {"name": "data", "mountPath": "/data"},
            {"name": "repositories", "mountPath": "/repositories"},
            {"name": "tmp", "mountPath": "/tmp"},
        ]
        volumes = [
            {"name": "data", **_claim("app-data")},
            {"name": "repositories", **_claim("borg-repo")},
            {"name": "tmp", "emptyDir": {}},
        ]
        container = {
            "command": ["sleep", "infinity"],
            "securityContext": _OWNERS_CONTAINER if owners else _RESTRICTED_CONTAINER,
            "volumeMounts": mounts,
        }
        self.pod("workbench", "runner", container, {"securityContext": run_as, "volumes": volumes})

    def confined_pod(self, name: str, container: Object, volumes: list[Object]) -> None:
        """Make a pod of the runner's image as the restricted Pod Security Standard wants it."""
        whole = {**container, "securityContext": _RESTRICTED_CONTAINER}
        run_as = {**_RESTRICTED_POD, "runAsUser": RUNNER_UID, "fsGroup": RUNNER_UID}
        self.pod(name, "runner", whole, {"securityContext": run_as, "volumes": volumes})

    def pod(self, name: str, image: str, container: Object, spec: Object, *, until: str = "") -> None:
        """Make a pod of one of the images and wait until it is ready, or in the phase `until`."""
        whole = {"name": name, "image": self.images[image], "imagePullPolicy": "IfNotPresent", **container}
        body = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [whole],
            **spec,
        }
        self.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}
        )
        waiting = f"jsonpath={{.status.phase}}={until}" if until else "condition=Ready"
        self("wait", f"--for={waiting}", "--timeout=60s", f"pod/{name}")

    def work(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in the workbench, return its output."""
        output: str = self("exec", "workbench", "--", "sh", "-euc", script, check=check).stdout
        return output

    def borg(self, repository: str, arguments: str, passphrase: str = PASSPHRASE, folder: str = "/tmp") -> str:
        """Run borg itself, in a folder of the workbench, on a repository of the claim."""
        exports = f"export BORG_REPO=/repositories/{repository} BORG_PASSPHRASE={shlex.quote(passphrase)}"
        return self.work(f"mkdir -p {folder}; cd {folder}; {exports} BORG_BASE_DIR=/tmp/borg; {_BORG} {arguments}")

    def lock_holders(self, repository: str) -> str:
        """Return whom the repository's locks name. Others may work there, as soon as nothing is in their way."""
        return self.work(
            f"cd /repositories/{repository}; ls lock.exclusive 2>/dev/null || true; cat lock.roster 2>/dev/null || true"
        )

    def archives(self, repository: str, options: str = "") -> list[str]:
        """Return the names of all archives of a repository, oldest first, as borg itself lists them."""
        return self.borg(repository, f"list --short {options}").split()


def source(path: str = ".") -> list[Object]:
    """Return the sources of a repository: a folder of the claim `app-data`."""
    return [{"name": "data", "volume": _claim("app-data"), "paths": [path]}]


def condition(resource: Object, type_: str) -> Object:
    """Return the condition of that type, empty when there is none."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})


def is_time(text: str) -> bool:
    """Tell whether it is a time as Kubernetes writes them."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text))


def _tells_of(schedule: Object, run: str, status: Object) -> bool:
    """Tell whether the status of a schedule is of a time after the end of that run of it."""
    if schedule.get("lastRunName") == run:
        return bool(schedule.get("lastRunPhase") == status["phase"])
    return run not in schedule.get("active", []) and schedule.get("lastRunTime", "") >= status["startTime"]


def _claim(name: str) -> Object:
    return {"persistentVolumeClaim": {"claimName": name}}
