"""The volumes of a pod: one per claim, Secret or other source, however often it is mounted."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from borg_contract.pod import CACHE_DIR, REPOSITORIES_DIR, RESTORED_DIR, SCRATCH_DIR, SECRETS_DIR, SOURCES_DIR
from borg_core.copies.volume import render_copy
from borg_core.kinds.parts.base import SecretKeyRef
from borg_core.kinds.parts.volumes import VolumeSource
from borg_core.kinds.repository import BorgRepository
from borg_core.workload.containers import render_stream_volumes
from borg_core.workload.workload import Workload


@dataclass
class Mounts:
    """Collects `volumes` of the pod and `mounts` of its container, in the order in which they are added."""

    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    """The volumes' names by their sources."""
    _mounted: set[tuple[str, str, bool]] = field(default_factory=set)

    def add(self, prefix: str, source: dict[str, Any], mount_path: str, *, read_only: bool) -> None:
        """Mount `source` at `mount_path`; the kubelet hangs on a claim that one pod names in two volumes."""
        key = json.dumps(source, sort_keys=True)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{prefix}-{len(self.volumes)}"
            self.volumes.append({"name": name, **source})
        mount = (name, mount_path, read_only)
        if mount not in self._mounted:
            self._mounted.add(mount)
            self.mounts.append({"name": name, "mountPath": mount_path} | ({"readOnly": True} if read_only else {}))


def render_mounts(workload: Workload) -> Mounts:
    """Return what the pod mounts: repositories, caches, sources (read-only), what else was asked for, Secrets."""
    rendered = Mounts()
    for target in workload.targets:
        name, spec = target.repository.metadata.name, target.repository.spec
        if spec.local:
            source = _volume_source(spec.local.volume, read_only=False)
            rendered.add("repository", source, f"{REPOSITORIES_DIR}/{name}", read_only=False)
        if spec.cache:
            source = _volume_source(spec.cache, read_only=False)
            rendered.add("cache", source, f"{CACHE_DIR}/{name}", read_only=False)
    for target in workload.targets:
        for item in target.sources:
            if item.volume is None or (item.is_copied and item not in workload.copied):
                continue  # a dump is no volume; and no copy is made without need
            # Read-only in the volume, not only in the mount: else the kubelet gives the team's files to fsGroup.
            source = render_copy(workload, item) if item.is_copied else _volume_source(item.volume, read_only=True)
            rendered.add("source", source, f"{SOURCES_DIR}/{item.name}", read_only=True)
    for mount in workload.mounts:
        source = _volume_source(mount.volume, read_only=not mount.writable)
        rendered.add("mount", source, mount.path, read_only=not mount.writable)
    # The kubelet gives Secrets to the pod's fsGroup. Where it has none, its user is anybody to them.
    mode = 0o440 if workload.has_group or workload.options.fs_group is not None else 0o444
    for name, keys in sorted(_secret_keys(workload).items()):
        items = [{"key": key, "path": key} for key in sorted(keys)]
        # Optional: a pod that waits for a Secret hangs in ContainerCreating; the runner says what is missing instead.
        secret = {"secretName": name, "optional": True, "defaultMode": mode, "items": items}
        rendered.add("secret", {"secret": secret}, f"{SECRETS_DIR}/{name}", read_only=True)
    # Scratch volumes; emptyDir sources are alike, so they are named here and not looked up.
    scratch = {"sizeLimit": str(workload.scratch_bytes)} if workload.scratch_bytes is not None else {}
    rendered.volumes += [{"name": "cache", "emptyDir": {}}, {"name": "scratch", "emptyDir": scratch}]
    rendered.mounts += [{"name": "cache", "mountPath": CACHE_DIR}, {"name": "scratch", "mountPath": SCRATCH_DIR}]
    if workload.app:
        rendered.volumes += [{"name": "restored", "emptyDir": {}}, {"name": "app", "emptyDir": {}}]
        rendered.mounts.append({"name": "restored", "mountPath": RESTORED_DIR})
    volumes, mounts = render_stream_volumes(workload)
    rendered.volumes += volumes
    rendered.mounts += mounts
    return rendered


def derive_claims(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """Return the claims that are written (repositories, caches) and those that are read, each with what it is for."""
    written = derive_written(target.repository for target in workload.targets)
    read: dict[str, str] = {}
    for target in workload.targets:
        for source in target.sources:
            if source.claim_name:
                read.setdefault(source.claim_name, f'source "{source.name}"')
    for mount in workload.mounts:
        if mount.volume.claim_name:
            (written if mount.writable else read).setdefault(mount.volume.claim_name, f"mounted at {mount.path}")
    return written, read


def derive_written(repositories: Iterable[BorgRepository]) -> dict[str, str]:
    """Return the claims that the repositories and their caches are on, each with what it is for."""
    written: dict[str, str] = {}
    for repository in repositories:
        name, spec = repository.metadata.name, repository.spec
        for volume, use in ((spec.local and spec.local.volume, "volume"), (spec.cache, "cache")):
            if volume and volume.claim_name:
                written.setdefault(volume.claim_name, f'{use} of BorgRepository "{name}"')
    return written


def _volume_source(volume: VolumeSource, *, read_only: bool) -> dict[str, Any]:
    source = volume.model_dump(by_alias=True, exclude_none=True)
    # A hostPath has no such field; its mount is read-only all the same.
    if read_only and "hostPath" not in source:
        source = {kind: {**options, "readOnly": True} for kind, options in source.items()}
    return source


def _secret_keys(workload: Workload) -> dict[str, set[str]]:
    """Return which keys of which Secrets the pod needs, by the Secret's name."""
    keys: dict[str, set[str]] = {}
    for ref in _secret_refs(workload):
        keys.setdefault(ref.name, set()).add(ref.key)
    return keys


def _secret_refs(workload: Workload) -> Iterator[SecretKeyRef]:
    for target in workload.targets:
        yield from _repository_refs(target.repository)
    for command in workload.streams.values():  # the runner says which is missing, and conceals all
        yield from command.secret_refs.values()
    for hook in workload.all_hooks:
        yield from (parameter.value_from.secret_key_ref for parameter in hook.parameters if parameter.value_from)


def _repository_refs(repository: BorgRepository) -> Iterator[SecretKeyRef]:
    spec = repository.spec
    if spec.encryption.passphrase_secret_ref:
        yield spec.encryption.passphrase_secret_ref
    if spec.ssh:
        yield spec.ssh.private_key_secret_ref
        yield spec.ssh.known_hosts_secret_ref
