"""What the pods on a repository alone do: checks, drills, listings, compaction, removing locks."""

from borg_contract.archives.plan import ListingPlan
from borg_contract.run import Operation
from borg_core.kinds.parts.upkeep import Compact
from borg_core.kinds.repository import BorgRepository
from borg_core.repositories.surroundings import Surroundings
from borg_core.verification.plan import derive_drill_plan, find_app
from borg_core.workload.workload import Target, Workload


def render_workload(
    repository: BorgRepository,
    operation: Operation,
    around: Surroundings,
    dead_holders: tuple[str, ...] = (),
    *,
    in_slices: bool = False,
    listing: ListingPlan | None = None,
) -> Workload:
    """Return what a run of that operation on the repository alone does."""
    return Workload(
        namespace=repository.metadata.namespace,
        operation=operation,
        targets=(Target(repository, same=around.same),),
        compact_threshold=Compact().threshold if operation is Operation.COMPACT else None,
        dead_holders=dead_holders,
        in_slices=in_slices,
        drill=derive_drill_plan(repository, around.names) if operation is Operation.DRILL else None,
        app=find_app(repository) if operation is Operation.DRILL else None,
        listing=listing if operation is Operation.LIST else None,
        options=around.options,
    )
