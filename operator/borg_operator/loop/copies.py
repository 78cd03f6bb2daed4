"""What becomes of the copies that runs read: their snapshots, and what the storage says. Asked, not watched."""

import contextlib
from collections.abc import Iterable

from borg_cluster.client import ApiServer
from borg_cluster.errors import Conflict, NotFound
from borg_core import labels
from borg_core.actions import DeleteSnapshot, ReleaseSnapshot
from borg_core.native.copy import SNAPSHOTS, ObservedSnapshot, parse_snapshot
from borg_core.native.job import ObservedJob
from borg_core.registry import Reference


async def fetch_snapshots(
    api: ApiServer, subject: Reference, jobs: Iterable[ObservedJob]
) -> tuple[ObservedSnapshot, ...] | None:
    """Return the snapshots taken for these Jobs of the subject, None where the cluster has no such kind.

    It is asked only where a Job reads any. Raises ApiError.
    """
    if not any(copy.snapshot for job in jobs for copy in job.copies):
        return ()
    selector = f"{labels.OURS},{labels.SUBJECTS[subject.kind]}={subject.name}"
    try:
        bodies = await api.list_labelled(SNAPSHOTS, subject.namespace, selector)
    except NotFound:
        return None
    return tuple(parse_snapshot(body) for body in bodies)


async def let_go(api: ApiServer, action: DeleteSnapshot | ReleaseSnapshot) -> None:
    """Delete a snapshot, or what keeps one that is being deleted; nothing where it is gone or another by now."""
    target = action.snapshot
    with contextlib.suppress(NotFound, Conflict):
        match action:
            case DeleteSnapshot(_, uid):
                await api.delete(SNAPSHOTS, target.namespace, target.name, uid)
            case ReleaseSnapshot(_, version, finalizers):
                patch = {"metadata": {"resourceVersion": version, "finalizers": list(finalizers)}}
                await api.merge(SNAPSHOTS, target.namespace, target.name, patch)
