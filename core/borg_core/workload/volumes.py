"""The volumes of a backup pod: one per claim, Secret or other source, however often it is mounted."""

from dataclasses import dataclass, field
from typing import Any

from borg_contract.pod import (
    CACHE_DIR,
    REPOSITORIES_DIR,
    SCRATCH_DIR,
    SECRETS_DIR,
    SOURCES_DIR,
)
from borg_core.bundle import Bundle
from borg_core.kinds.base import SecretKeyRef
from borg_core.kinds.repository import BorgRepository, VolumeSource


@dataclass
class Volumes:
    """Collects `volumes` of the pod and `volumeMounts` of its container, in the order in which they are added."""

    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, prefix: str, source: dict[str, Any], mount_path: str, *, read_only: bool) -> None:
        """Mount `source` at `mount_path`; the kubelet hangs on a claim that one pod names in two volumes."""
        name = next((volume["name"] for volume in self.volumes if _without_name(volume) == source), None)
        if name is None:
            name = f"{prefix}-{len(self.volumes)}"
            self.volumes.append({"name": name, **source})
        mount = {"name": name, "mountPath": mount_path} | ({"readOnly": True} if read_only else {})
        if mount not in self.mounts:
            self.mounts.append(mount)


def render_volumes(bundle: Bundle) -> Volumes:
    """Return what the pods of a schedule mount: repositories, caches, sources (read-only), Secrets (optional)."""
    rendered = Volumes()
    for repository in bundle.targets:
        name = repository.metadata.name
        if repository.spec.local:
            source = _volume_source(repository.spec.local.volume, read_only=False)
            rendered.add("repository", source, f"{REPOSITORIES_DIR}/{name}", read_only=False)
        if repository.spec.cache:
            source = _volume_source(repository.spec.cache, read_only=False)
            rendered.add("cache", source, f"{CACHE_DIR}/{name}", read_only=False)
    for repository in bundle.targets:
        for item in bundle.sources_of(repository):
            # Read-only in the volume, not only in the mount: else the kubelet gives the team's files to fsGroup.
            source = _volume_source(item.volume, read_only=True)
            rendered.add("source", source, f"{SOURCES_DIR}/{item.name}", read_only=True)
    for name, keys in sorted(derive_secret_keys(bundle).items()):
        items = [{"key": key, "path": key} for key in sorted(keys)]
        # Optional: a pod that waits for a Secret hangs in ContainerCreating; the runner says what is missing instead.
        secret = {"secretName": name, "optional": True, "defaultMode": 0o440, "items": items}
        rendered.add("secret", {"secret": secret}, f"{SECRETS_DIR}/{name}", read_only=True)
    # Two scratch volumes; emptyDir sources are alike, so they are named here and not looked up.
    rendered.volumes += [{"name": "cache", "emptyDir": {}}, {"name": "scratch", "emptyDir": {}}]
    rendered.mounts += [{"name": "cache", "mountPath": CACHE_DIR}, {"name": "scratch", "mountPath": SCRATCH_DIR}]
    return rendered


def derive_secret_keys(bundle: Bundle) -> dict[str, set[str]]:
    """Return the keys of each Secret that a run needs, and no other key of it."""
    refs: list[SecretKeyRef] = []
    for repository in bundle.targets:
        refs += _repository_refs(repository)
    refs += [
        parameter.value_from.secret_key_ref
        for hook in bundle.hooks
        for parameter in hook.parameters
        if parameter.value_from
    ]
    keys: dict[str, set[str]] = {}
    for ref in refs:
        keys.setdefault(ref.name, set()).add(ref.key)
    return keys


def derive_claims(bundle: Bundle) -> tuple[dict[str, str], dict[str, str]]:
    """Return the claims that are written (repositories, caches) and those that are read, each with what it is for."""
    written: dict[str, str] = {}
    read: dict[str, str] = {}
    for repository in bundle.targets:
        name = repository.metadata.name
        for volume, use in (
            (repository.spec.local and repository.spec.local.volume, "volume"),
            (repository.spec.cache, "cache"),
        ):
            if volume and volume.claim_name:
                written.setdefault(volume.claim_name, f'{use} of BorgRepository "{name}"')
        for source in bundle.sources_of(repository):
            if source.volume.claim_name:
                read.setdefault(source.volume.claim_name, f'source "{source.name}"')
    return written, read


def _repository_refs(repository: BorgRepository) -> list[SecretKeyRef]:
    spec = repository.spec
    refs = [spec.encryption.passphrase_secret_ref] if spec.encryption.passphrase_secret_ref else []
    if spec.ssh:
        refs += [spec.ssh.private_key_secret_ref, spec.ssh.known_hosts_secret_ref]
    return refs


def _volume_source(volume: VolumeSource, *, read_only: bool) -> dict[str, Any]:
    source = volume.model_dump(by_alias=True, exclude_none=True)
    # A hostPath has no such field; its mount is read-only all the same.
    if read_only and "hostPath" not in source:
        source = {kind: {**options, "readOnly": True} for kind, options in source.items()}
    return source


def _without_name(volume: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in volume.items() if key != "name"}
