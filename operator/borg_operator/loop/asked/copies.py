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


class Snapshots:
    """The snapshots that runs read: asked for where a Job reads any, and then until the last of them is gone."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._left: set[Reference] = set()

    async def fetch(self, subject: Reference, jobs: Iterable[ObservedJob]) -> tuple[ObservedSnapshot, ...] | None:
        """Return the snapshots taken for the subject's Jobs, None where the cluster has no such kind.

        Raises ApiError.
        """
        if subject not in self._left and not any(copy.snapshot for job in jobs for copy in job.copies):
            return ()
        selector = f"{labels.OURS},{labels.SUBJECTS[subject.kind]}={subject.name}"
        try:
            bodies = await self._api.list_labelled(SNAPSHOTS, subject.namespace, selector)
        except NotFound:
            self._left.discard(subject)
            return None
        if bodies:
            self._left.add(subject)
        else:
            self._left.discard(subject)
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
