"""What a run is asked for that tells which archives there are."""

from dataclasses import dataclass

ROOM = 3200
"""Characters that a part may have, beside all else that the result of such a run tells."""

LITTLE_ROOM = 400
"""The same where the kubelet keeps but a quarter of the result: in a pod with many containers."""


@dataclass(frozen=True)
class ListingPlan:
    """Of one repository: tell what is not known, and which of those known are gone."""

    known: str = ""
    """The archives that are known: their short ids, see `ids.pack_ids`."""
    room: int = ROOM
    automatic: bool = False
    """Whether the operator asks, and no person: that there is no repository yet is no fault, and sizes are left out,
    for which borg may have to read all archives."""
