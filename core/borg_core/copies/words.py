"""What is said of copies that are not made, from what the cluster says of their claims."""

from datetime import datetime, timedelta

from borg_core.native.claim import ObservedClaim
from borg_core.native.copy import CopyVolume

NOT_COPIED = "There is no copy of claim"
"""The beginning of what is said where a copy is refused: the run fails for it, unless that changes soon."""

COPYING = "Waits for the copy of claim"
"""The beginning of what is said where a copy may yet be made, however long that takes."""

PATIENCE = timedelta(minutes=2)
"""How long a run waits after its storage has refused a copy: a driver that is being replaced refuses much."""

_AT_WORK = ("code = Aborted", "code = Canceled", "code = DeadlineExceeded", "code = Unavailable")
"""What a driver answers that may be at it: some make a copy of a terabyte, and are asked again until it is there."""

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
    return f'{COPYING if _may_be_at_work(warning) else NOT_COPIED} "{copy.claim}": {warning}'


def has_lost_patience(words: str, since: datetime, now: datetime) -> bool:
    """Tell whether a run that has waited since then for what these words are about is to fail."""
    return words.startswith(NOT_COPIED) and now - since >= PATIENCE


def _may_be_at_work(warning: str) -> bool:
    return any(code in warning for code in _AT_WORK)
