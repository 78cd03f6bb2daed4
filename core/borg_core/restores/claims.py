"""The claim that is restored into: what is wrong with it, and a new one."""

from collections.abc import Iterator
from typing import Any

from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.kinds.restore import BorgRestore
from borg_core.native.claim import CLAIMS
from borg_core.policies.problem import Problem, Severity
from borg_core.restores.facts import Facts, written_by

_LEAST = 1024**3
_MIB = 1024**2
_BLOCK = 4 * 1024
"""A file takes whole ones, so that it may need nearly one more than it has bytes."""
_PER_INODE = 16 * 1024
"""So large a claim has room for one file more where their number is fixed, as on ext4."""


def find_target_problems(facts: Facts) -> Iterator[Problem]:
    """Yield what keeps the claim from being restored into."""
    restore, name = facts.restore, facts.restore.claim_name
    if restore.spec.target.claim and facts.claim is None:
        message = (
            f'PersistentVolumeClaim "{name}" does not exist in namespace "{restore.metadata.namespace}": create it, '
            "or let the restore make one with target.newClaim"
        )
        yield Problem(Reason.CLAIM_NOT_FOUND, message, Severity.WAITING)
    if restore.spec.target.claim and facts.claim and facts.claim.defect:
        message = f'PersistentVolumeClaim "{name}" {facts.claim.defect}: no pod can use it, choose another claim'
        yield Problem(Reason.CLAIM_UNUSABLE, message, Severity.WAITING)
    if is_taken(facts):
        former = facts.claim and facts.claim.restore_uid
        ways = "delete it, if it was made by a restore that failed and nobody needs what is in it; " if former else ""
        message = (
            f'PersistentVolumeClaim "{name}" is there already, and target.newClaim would make it: {ways}give another '
            "name, or restore into it with target.claim"
        )
        yield Problem(Reason.CLAIM_EXISTS, message)
    for repository in facts.there:
        message = (
            f'PersistentVolumeClaim "{name}" is {written_by(repository)[name]}: restoring into it would destroy the '
            "repository; choose another claim"
        )
        yield Problem(Reason.TARGET_IS_REPOSITORY, message)


def is_taken(facts: Facts) -> bool:
    """Tell whether the claim that is to be made exists, and is not the restore's own."""
    made_here = facts.claim and facts.claim.restore_uid == facts.restore.metadata.uid
    return facts.restore.spec.target.new_claim is not None and facts.claim is not None and not made_here


def render_claim(facts: Facts) -> dict[str, Any]:
    """Return the new claim. Raises ValueError where none is asked for."""
    restore = facts.restore
    wanted = restore.spec.target.new_claim
    if wanted is None:
        raise ValueError(f"{restore.metadata.name} makes no claim")
    preview = restore.status.preview
    size = wanted.size or _derive_size(restore.status.size or 0, preview.create if preview else 0)
    spec: dict[str, Any] = {
        "accessModes": list(wanted.access_modes),
        "resources": {"requests": {"storage": size}},
    }
    if wanted.storage_class_name:
        spec["storageClassName"] = wanted.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": CLAIMS.kind,
        "metadata": {
            "name": wanted.name,
            "namespace": restore.metadata.namespace,
            "labels": {labels.NAME: "borg-restore", labels.RESTORE: restore.metadata.name},
            "annotations": {labels.RESTORE_UID: restore.metadata.uid},
        },
        "spec": spec,
    }


def explain_size(restore: BorgRestore) -> str:
    """Return what to do where the claim that the restore made is too small, empty where it made none."""
    if restore.spec.target.new_claim is None:
        return ""
    return (
        f' The restore made the claim "{restore.claim_name}": set `target.newClaim.size` in a new one, and delete that '
        "claim before, if nobody needs what is in it, or give another name."
    )


def _derive_size(size: int, files: int) -> str:
    """Return a tenth more than what is restored takes; a file system needs room for itself, so never very little."""
    needed = max(size + files * _BLOCK, files * _PER_INODE)
    return f"{-(-max(needed * 11 // 10, _LEAST) // _MIB)}Mi"
