"""What is said of copies that are not made, from what the cluster says of their claims."""

from collections.abc import Container
from datetime import datetime, timedelta

from borg_core.formats import format_time
from borg_core.native.claim import ObservedClaim
from borg_core.native.copy import CopyVolume, ObservedSnapshot
from borg_core.native.job import ObservedJob
from borg_core.native.pod import ObservedPod
from borg_core.runs.world import Refusal

NOT_COPIED = "There is no copy of claim"
"""The beginning of what is said where a copy is refused: the run fails for it, unless that changes soon."""

COPYING = "Waits for the copy of claim"
"""The beginning of what is said where a copy may yet be made, however long that takes."""

PATIENCE = timedelta(minutes=2)
"""How long a run waits from when it first said that a copy is refused: a driver that is being replaced refuses much."""

_AT_WORK = ("code = Aborted", "code = Canceled", "code = DeadlineExceeded", "code = Unavailable")
"""What a driver answers that may be at it: some make a copy of a terabyte, and are asked again until it is there."""

_NO_FINALIZERS = """--type merge -p '{"metadata":{"finalizers":null}}'"""

_UID_LENGTH = 8


def describe_copy(copy: CopyVolume, claim: ObservedClaim, warning: str) -> str:
    """Return what keeps the copy from being made, empty where nothing is known to.

    `claim`: that which is to hold the copy; `warning`: the newest about it, in its driver's words.
    """
    if claim.volume:
        # Kubernetes gives a claim any volume of its class that is free, whatever it was to be a copy of.
        if claim.uid[:_UID_LENGTH] in claim.volume:
            return ""
        return (
            f'{NOT_COPIED} "{copy.claim}": Kubernetes gave {claim.name} the volume {claim.volume}, which was there '
            "before and holds something else; nothing in that class may be free"
        )
    if not warning:
        return f'{COPYING} "{copy.claim}", of which nothing is heard yet'
    return _quote(copy, warning)


def describe_unvouched(job: ObservedJob, pod: ObservedPod | None, copied: Container[str]) -> str:
    """Return what is said of a run whose snapshots may have been those of an earlier one, empty of others.

    `copied`: uids of pods whose volumes are made. Somebody else let such a Job begin while no operator was there.
    Nothing is said of Jobs that an earlier version made.
    """
    read = next((copy for copy in job.copies if copy.snapshot), None)
    if read is None or job.reads_own or (job.suspended and not job.finished):
        return ""
    if not (pod.began or pod.uid in copied if pod else job.succeeded):
        return ""
    return (
        f'{NOT_COPIED} "{read.claim}" of which it is known that it is of this run: its pod got a volume before it was '
        f"noted that VolumeSnapshot {read.snapshot} is of this run, from that of an earlier one perhaps. Do not trust "
        "an archive of this run; whoever lets suspended Jobs begin should do so only while the operator is there"
    )


def describe_missing(copy: CopyVolume, namespace: str, refusal: Refusal | None) -> str:
    """Return what is said of a snapshot that is not there; `refusal`: what became of asking for it."""
    if refusal is None:
        return f'{COPYING} "{copy.claim}"'
    if refusal.taken:
        return (
            f'{NOT_COPIED} "{copy.claim}": the VolumeSnapshot {copy.snapshot} is not of this operator, and runs need '
            f"its name. See {_look('get', namespace, copy.snapshot, '-o yaml')}: delete it if nobody needs it, else "
            "give the schedule another name"
        )
    return f'{NOT_COPIED} "{copy.claim}": the API server refuses its VolumeSnapshot: {refusal.message}'


def describe_leaving(
    copy: CopyVolume, snapshot: ObservedSnapshot, refusal: Refusal | None, *, former: bool, stays: bool
) -> str:
    """Return what is said of a snapshot that has to go before there can be another.

    `former`: it is of an earlier run; `stays`: for so long that it has to be looked at; `refusal`: of its deletion.
    """
    what = f"the VolumeSnapshot {snapshot.name}{' of an earlier run' if former else ''}"
    if not stays:
        return f'{COPYING} "{copy.claim}": {what} is being deleted'
    if snapshot.deleting_since is None:
        why = f": {refusal.message}" if refusal else ""
        return (
            f'{NOT_COPIED} "{copy.claim}": {what} is still there, and cannot be deleted{why}. See '
            f"{_look('get', snapshot.namespace, snapshot.name, '-o yaml')}"
        )
    kept = f", and is kept by the finalizers {', '.join(snapshot.finalizers)}" if snapshot.finalizers else ""
    return (
        f'{NOT_COPIED} "{copy.claim}": {what} is being deleted since {format_time(snapshot.deleting_since)}{kept}. '
        "Look at the snapshot controller and the CSI driver, one of which should let it go: "
        f"{_look('get', snapshot.namespace, snapshot.name, '-o yaml')}. Once nobody needs it, remove the finalizers: "
        f"{_look('patch', snapshot.namespace, snapshot.name, _NO_FINALIZERS)}"
    )


def describe_unready(copy: CopyVolume, snapshot: ObservedSnapshot, *, stays: bool) -> str:
    """Return what is said of a snapshot that is not ready; `stays`: for so long that it may have to be looked at."""
    if snapshot.error:
        return _quote(copy, snapshot.error)
    if not stays:
        return f'{COPYING} "{copy.claim}": VolumeSnapshot {snapshot.name} is not ready to use'
    if not snapshot.is_taken_up:
        return (
            f'{NOT_COPIED} "{copy.claim}": no snapshot controller has taken up VolumeSnapshot {snapshot.name}: is one '
            "installed, and at work? Or use copy: Clone"
        )
    return (
        f'{COPYING} "{copy.claim}": VolumeSnapshot {snapshot.name} is not ready to use since '
        f"{format_time(snapshot.created)}; its driver may be copying all data, or hang: "
        f"{_look('describe', snapshot.namespace, snapshot.name)}"
    )


def has_lost_patience(words: str, refused: datetime | None, now: datetime) -> bool:
    """Tell whether a run that says this is to fail; `refused`: since when it says so, None before it did."""
    return words.startswith(NOT_COPIED) and refused is not None and now - refused >= PATIENCE


def _quote(copy: CopyVolume, said: str) -> str:
    """Return what the driver said of the copy: that it is at it, or that it refuses."""
    may_be_at_work = any(code in said for code in _AT_WORK)
    return f'{COPYING if may_be_at_work else NOT_COPIED} "{copy.claim}": {said}'


def _look(verb: str, namespace: str, name: str, more: str = "") -> str:
    return f"kubectl -n {namespace} {verb} volumesnapshot {name} {more}".rstrip()
