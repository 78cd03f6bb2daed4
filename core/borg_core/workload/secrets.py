"""Which keys of which Secrets a pod needs, and no others of them."""

from collections.abc import Iterator

from borg_core.kinds.parts.base import SecretKeyRef
from borg_core.kinds.repository import BorgRepository
from borg_core.workload.workload import Workload


def derive_secret_keys(workload: Workload) -> dict[str, set[str]]:
    """Return the keys by the Secret's name."""
    keys: dict[str, set[str]] = {}
    for ref in _refs(workload):
        keys.setdefault(ref.name, set()).add(ref.key)
    return keys


def _refs(workload: Workload) -> Iterator[SecretKeyRef]:
    for target in workload.targets:
        yield from _repository_refs(target.repository)
    for hook in workload.all_hooks:
        yield from (parameter.value_from.secret_key_ref for parameter in hook.parameters if parameter.value_from)


def _repository_refs(repository: BorgRepository) -> Iterator[SecretKeyRef]:
    spec = repository.spec
    if spec.encryption.passphrase_secret_ref:
        yield spec.encryption.passphrase_secret_ref
    if spec.ssh:
        yield spec.ssh.private_key_secret_ref
        yield spec.ssh.known_hosts_secret_ref
