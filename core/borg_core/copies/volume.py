"""A volume that is made for one pod from a claim, or from a snapshot of it, and goes with the pod."""

from hashlib import sha256
from typing import Any

from borg_core import labels
from borg_core.kinds.parts.volumes import Copy, Source
from borg_core.names import shorten
from borg_core.native.claim import CLAIMS
from borg_core.native.copy import SNAPSHOTS
from borg_core.workload.workload import Workload

KEPT_SECONDS = 3600
"""How long a finished Job with copies stays, if the operator does not delete it before: its pod keeps the copies."""

HISTORY_LIMIT = 1
"""How many finished Jobs with copies the CronJob controller keeps of either kind, for the same reason."""

_NAME_LIMIT = 253
_DIGEST_LENGTH = 8


def render_copy(workload: Workload, source: Source) -> dict[str, Any]:
    """Return the volume of a source that is copied. Raises KeyError where its claim is not there.

    Size and class are the claim's. What is read from a clone is of its own volume: nobody else has that.
    """
    name = source.claim_name or ""
    claim = workload.claims[name]
    if source.copy_ is Copy.SNAPSHOT:
        snapshot = derive_snapshot_name(workload.schedule, name)
        origin = {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": snapshot}
    else:
        origin = {"kind": CLAIMS.kind, "name": name}
    template = {
        "metadata": {"labels": {labels.MANAGED_BY: labels.MANAGER}, "annotations": {labels.COPY_OF: name}},
        "spec": {
            "accessModes": list(claim.access_modes),
            "resources": {"requests": {"storage": claim.size}},
            "storageClassName": claim.storage_class,
            "dataSource": origin,
        },
    }
    return {"ephemeral": {"volumeClaimTemplate": template}}


def derive_snapshot_name(schedule: str, claim: str) -> str:
    """Return the name of the snapshot that each run of the schedule takes of the claim, one run after the other.

    A CronJob's template is the same for all its Jobs, so the name cannot be another one each time. Where a name has a
    dot itself, a digest says which of the dots is between the two.
    """
    digest = sha256(f"{schedule}/{claim}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return shorten(f"{schedule}.{claim}", f"-{digest}" if "." in schedule + claim else "", _NAME_LIMIT)


def render_job_rules(workload: Workload) -> dict[str, Any]:
    """Return what the spec of a Job needs besides, if its pod has copies.

    One that reads snapshots begins suspended: the operator takes these first.
    """
    if not workload.copied:
        return {}
    waits = workload.reads_snapshots
    return {"ttlSecondsAfterFinished": KEPT_SECONDS, **({"suspend": True} if waits else {})}
