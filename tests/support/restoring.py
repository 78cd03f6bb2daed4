"""What restores need around them: an application that uses the claim, and pods that say what they would restore."""

from dataclasses import dataclass
from typing import Any

from borg_cluster.client import Object
from borg_contract.restore.result import ResolvedArchive, RestorePreview, RestoreResult, Verified
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.formats import format_time
from borg_core.kinds.restore import BorgRestore
from support import builders
from support.recorder import Recorder

DIGEST = "d1"
ARCHIVE = ResolvedArchive("db-2026-03-02T12:00:00", "a" * 64, "2026-03-02T12:00:00Z", "data")
UNDO = "back-undo-2026-03-02T12:00:09"


def restore(name: str = "back", **spec: Any) -> BorgRestore:
    body = {
        "repositoryRef": {"name": "main"},
        "archive": ARCHIVE.archive,
        "target": {"claim": {"claimName": "app-data"}},
        **spec,
    }
    return BorgRestore.model_validate({"metadata": builders.metadata(name), "spec": body})


def looked(digest: str = DIGEST, *, overwrite: int = 2, delete: int = 0) -> RunResult:
    """Return what a preview says."""
    preview = RestorePreview(create=1, overwrite=overwrite, delete=delete, bytes=300, sample=("+ a",), digest=digest)
    return told(Phase.COMPLETED, RestoreResult(ARCHIVE, size=300, preview=preview))


def brought_back() -> RunResult:
    found = RestoreResult(
        ARCHIVE, size=300, files=3, bytes=300, deleted=0, undo_archive=UNDO, verified=Verified(files=3)
    )
    return told(Phase.COMPLETED, found)


def told(phase: Phase, found: RestoreResult, **more: Any) -> RunResult:
    result = RepositoryResult(
        name="main", phase=phase, restore=found, reason=more.get("reason"), error=more.get("message")
    )
    return RunResult(phase, (result,), **more)


def answer(pod: Object) -> RunResult:
    """Return what a pod says at its end when all goes well."""
    match pod["metadata"]["labels"].get(labels.OPERATION):
        case Operation.PREVIEW:
            return looked()
        case Operation.RESTORE:
            return brought_back()
        case _:
            return builders.result()


@dataclass
class Application:
    """A Deployment whose pod writes to the claim, and the controllers that give it its pods."""

    recorder: Recorder
    claim: str = "app-data"
    name: str = "web"

    def __post_init__(self) -> None:
        self.uid = self._make("Deployment", self.name, {"replicas": 3}, None)
        owner = {"kind": "Deployment", "name": self.name, "uid": self.uid, "controller": True}
        self.set_uid = self._make("ReplicaSet", f"{self.name}-1", {}, owner)
        self.act()

    @property
    def replicas(self) -> int:
        found: int = self.recorder.find("Deployment", self.name)["spec"]["replicas"]
        return found

    def act(self) -> None:
        """Make pods that are wanted, let go those that are not."""
        wanted = {f"{self.name}-{number}" for number in range(self.replicas)}
        known = {body["metadata"]["name"] for body in self.recorder.all_of("Pod") if body["spec"].get("volumes")}
        for name in sorted(known - wanted):
            self.recorder.remove("Pod", name)
        for name in sorted(wanted - known):
            owner = {"kind": "ReplicaSet", "name": f"{self.name}-1", "uid": self.set_uid, "controller": True}
            volume = {"name": "data", "persistentVolumeClaim": {"claimName": self.claim}}
            container = {"name": "web", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
            self._make("Pod", name, {"volumes": [volume], "containers": [container], "nodeName": "n1"}, owner)

    def _make(self, kind: str, name: str, spec: Object, owner: Object | None) -> str:
        metadata = {
            "name": name,
            "namespace": builders.NAMESPACE,
            "labels": {"app": self.name},
            "creationTimestamp": format_time(self.recorder.now),
            **({"ownerReferences": [owner]} if owner else {}),
        }
        status = {"phase": "Running"} if kind == "Pod" else {}
        made = self.recorder.add(kind, {"metadata": metadata, "spec": spec, "status": status})
        uid: str = made["metadata"]["uid"]
        return uid
