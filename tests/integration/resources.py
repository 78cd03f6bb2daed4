"""The smallest resources that work, as a user would write them."""

from hashlib import sha256
from typing import Any

API_VERSION = "borgoperator.io/v1alpha1"


def schedule(name: str = "db", **spec: Any) -> dict[str, Any]:
    """Return a schedule that does not fire by itself during a test."""
    body = {"schedule": "0 0 1 1 *", "repositoryRefs": [{"name": "main"}], **spec}
    return {"apiVersion": API_VERSION, "kind": "BorgSchedule", "metadata": {"name": name}, "spec": body}


def repository(name: str = "main", **spec: Any) -> dict[str, Any]:
    body = {
        "local": {"volume": {"persistentVolumeClaim": {"claimName": "borg-repo"}}},
        "encryption": {"mode": "none"},
        "sources": [{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "app-data"}}}],
        **spec,
    }
    return {"apiVersion": API_VERSION, "kind": "BorgRepository", "metadata": {"name": name}, "spec": body}


def script(name: str, *parameters: dict[str, Any], content: str = "true") -> dict[str, Any]:
    spec = {"content": content, "parameters": list(parameters)}
    return {"apiVersion": API_VERSION, "kind": "BorgScript", "metadata": {"name": name}, "spec": spec}


def run(name: str, schedule_name: str = "db", **spec: Any) -> dict[str, Any]:
    body = {"scheduleRef": {"name": schedule_name}, **spec}
    return {"apiVersion": API_VERSION, "kind": "BorgRun", "metadata": {"name": name}, "spec": body}


def archive(name: str, repository: dict[str, Any], archive_name: str = "nightly-1", **spec: Any) -> dict[str, Any]:
    """Return what stands for an archive of the BorgRepository, which owns it: the operator takes others away."""
    owner = {key: repository[key] for key in ("apiVersion", "kind")} | {"controller": True}
    owner |= {key: repository["metadata"][key] for key in ("name", "uid")}
    body = {
        "repositoryRef": {"name": owner["name"]},
        "archive": archive_name,
        "id": sha256(name.encode()).hexdigest(),
        "time": "2026-11-24T03:00:02Z",
        "sources": ["data"],
        **spec,
    }
    metadata = {"name": name, "ownerReferences": [owner]}
    return {"apiVersion": API_VERSION, "kind": "BorgArchive", "metadata": metadata, "spec": body}


def restore(name: str, **spec: Any) -> dict[str, Any]:
    """Return a restore from the repository `main` into the claim that it backs up."""
    target = {"claim": {"claimName": "app-data"}}
    body = {"repositoryRef": {"name": "main"}, "archive": "nightly-1", "target": target, **spec}
    return {"apiVersion": API_VERSION, "kind": "BorgRestore", "metadata": {"name": name}, "spec": body}


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def claims() -> list[dict[str, Any]]:
    """Return the claims that `repository()` names."""
    return [claim("app-data"), claim("borg-repo")]
