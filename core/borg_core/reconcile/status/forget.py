"""What a BorgRepository says of a time that is to come, by a clock that was wrong: no later run would change it."""

from collections.abc import Iterator
from datetime import datetime

from borg_core.formats import format_time
from borg_core.kinds.repository import BorgRepositoryStatus
from borg_core.runs.status.moment import derive_latest, find_to_come

_LAST = tuple(f"last_{what}_time" for what in ("backup", "check", "compact", "data_check", "drill", "verified"))
_TIMES = (*_LAST, "checks_since", "drills_since")


def forget_future(before: BorgRepositoryStatus, now: datetime) -> BorgRepositoryStatus:
    """Return the status without times that are to come.

    Where there has to be one, it is now: nobody knows when it really was, and what is later counts again.
    """
    latest = derive_latest(now)
    gone = dict(_correct(before, latest, format_time(now)))
    return before.model_copy(update=gone) if gone else before


def _correct(before: BorgRepositoryStatus, latest: str, at: str) -> Iterator[tuple[str, object]]:
    yield from dict.fromkeys(find_to_come(before, _TIMES, latest)).items()
    listing, identity, damage = before.listing, before.identity, before.damage
    if listing and (wrong := find_to_come(listing, ("time", "since", "whole"), latest)):
        wrong += ["newest"] if "time" in wrong else []  # that is of then
        yield "listing", listing.model_copy(update=dict.fromkeys(wrong))
    if identity and identity.since > latest:
        yield "identity", identity.model_copy(update={"since": at})
    if damage and damage.time > latest:
        yield "damage", damage.model_copy(update={"time": at})
    if any(condition.last_transition_time > latest for condition in before.conditions):
        yield (
            "conditions",
            tuple(
                condition.model_copy(update={"last_transition_time": min(condition.last_transition_time, at)})
                for condition in before.conditions
            ),
        )
