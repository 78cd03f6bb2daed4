"""Which claims nobody backs up, as Prometheus sees it: a series for each claim, so only where that is asked for."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from borg_core.claims.coverage import derive_coverage
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.claim import ObservedClaim

MOST_CLAIMS = 10_000
"""Series at the most: where there are more claims, those that nobody backs up come first."""


def read_claims(
    schedules: Sequence[BorgSchedule], repositories: Sequence[BorgRepository], claims: Sequence[ObservedClaim]
) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the labels of each claim that is to be backed up, and whether it is. Pure."""
    found: list[tuple[bool, str, str]] = []
    ordered = sorted(claims, key=lambda claim: (claim.namespace, claim.name))
    for namespace, of_namespace in groupby(ordered, key=lambda claim: claim.namespace):
        own = (schedule for schedule in schedules if schedule.metadata.namespace == namespace)
        there = (repository for repository in repositories if repository.metadata.namespace == namespace)
        found += [
            (coverage.protected, namespace, coverage.claim.name)
            for coverage in derive_coverage(own, there, tuple(of_namespace))
            if coverage.matters
        ]
    for protected, namespace, name in sorted(found)[:MOST_CLAIMS]:
        yield {"namespace": namespace, "claim": name}, float(protected)
