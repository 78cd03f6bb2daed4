"""What is said of claims that are chosen by labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from borg_contract.reasons import Reason
from borg_core.claims.selection import LeftOut, Selection, find_named, select_sources, selects
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.status import ConditionType, Finding
from borg_core.native.claim import CLAIMS, IN_NAMESPACE
from borg_core.view import View
from borg_core.workload.mounts import derive_written

_NAMED = 5


def find_selected(selections: Iterable[Selection]) -> Finding:
    """Return what is to be said of a schedule, or a repository, of which sources choose claims by labels.

    It is False where a person has to look: a selector finds nothing, or a claim cannot be taken and that stays so.
    """
    given = tuple(selections)
    chosen = sorted({name for selection in given for name in selection.chosen})
    left_out = _left_out(given)
    unmatched = any(selection.unmatched for selection in given)
    said = [describe_unmatched(given)] if unmatched else []
    said += [f"{_count(chosen)}{': ' if chosen else ''}{_named(chosen)}"] if chosen or not unmatched else []
    if left_out and not unmatched:
        said.append(_describe_left_out(left_out))
    if unmatched:
        return Finding(ConditionType.CLAIMS_SELECTED.value, False, Reason.NO_CLAIM_MATCHES.value, "; ".join(said))
    stays = any(not item.passes for item in left_out.values())
    reason = Reason.CLAIMS_LEFT_OUT if stays else Reason.CLAIMS_SELECTED
    return Finding(ConditionType.CLAIMS_SELECTED.value, not stays, reason.value, "; ".join(said))


def find_selected_in(view: View, repository: BorgRepository) -> Iterator[Finding]:
    """Yield what the repository's own sources choose, where any of them goes by labels."""
    sources = repository.spec.sources
    if selects(sources):
        claims = view.grouped(CLAIMS, IN_NAMESPACE, repository.metadata.namespace, "")
        written = derive_written([repository])
        yield find_selected([select_sources(sources, claims, named=find_named(sources), written=written)])


def describe_unmatched(selections: Iterable[Selection]) -> str:
    """Return which selectors find nothing to back up, and what matches and is left out."""
    given = tuple(selections)
    names = list(dict.fromkeys(name for selection in given for name in selection.unmatched))
    said = f"no claim to back up matches the claimSelector of source {', '.join(names)}"
    return f"{said}; {_describe_left_out(left_out)}" if (left_out := _left_out(given)) else said


def _left_out(selections: Iterable[Selection]) -> dict[str, LeftOut]:
    return {item.claim: item for selection in selections for item in selection.left_out}


def _describe_left_out(left_out: Mapping[str, LeftOut]) -> str:
    return f"left out: {_named([str(left_out[name]) for name in sorted(left_out)])}"


def _count(names: Sequence[str]) -> str:
    return "1 claim" if len(names) == 1 else f"{len(names)} claims"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
