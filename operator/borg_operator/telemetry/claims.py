"""Which claims nobody backs up, as Prometheus sees it: a series for each claim, so only where that is asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from borg_core.claims.coverage import derive_coverage
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.claim import ObservedClaim

T = TypeVar("T", BorgSchedule, BorgRepository)

MOST_CLAIMS = 10_000
"""Series at the most: where there are more claims, those that nobody backs up come first."""


def read_claims(
    schedules: Sequence[BorgSchedule], repositories: Sequence[BorgRepository], claims: Sequence[ObservedClaim]
) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the labels of each claim that is to be backed up, and whether it is. Pure."""
    found: list[tuple[bool, str, str]] = []
    own, there = _by_namespace(schedules), _by_namespace(repositories)
    ordered = sorted(claims, key=lambda claim: (claim.namespace, claim.name))
    for namespace, of_namespace in groupby(ordered, key=lambda claim: claim.namespace):
        found += [
            (coverage.protected, namespace, coverage.claim.name)
            for coverage in derive_coverage(own[namespace], there[namespace], tuple(of_namespace))
            if coverage.matters
        ]
    for protected, namespace, name in sorted(found)[:MOST_CLAIMS]:
        yield {"namespace": namespace, "claim": name}, float(protected)


def _by_namespace(resources: Iterable[T]) -> defaultdict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for resource in resources:
        found[resource.metadata.namespace].append(resource)
    return found
