"""What a run on a repository has to know of its verification."""

from collections.abc import Collection, Iterable

from borg_contract.restore.proof import CheckPlan, DrillPlan
from borg_core.kinds.parts.timing import parse_age
from borg_core.kinds.parts.verification import DrillApp
from borg_core.kinds.repository import BorgRepository
from borg_core.quantity import parse_quantity


def derive_check_plan(repository: BorgRepository, *, in_slices: bool) -> CheckPlan | None:
    """Return how far a check goes; `in_slices`: by the clock, which has many times to come to the end."""
    times = repository.spec.verification.check if repository.spec.verification else None
    if times is None or not (times.verify_data_every or (in_slices and times.max_duration)):
        return None
    return CheckPlan(
        slice_seconds=parse_age(times.max_duration) if in_slices and times.max_duration else None,
        data_every_seconds=parse_age(times.verify_data_every) if times.verify_data_every else None,
        data_time=(repository.status.last_data_check_time or "") if times.verify_data_every else "",
    )


def derive_drill_plan(repository: BorgRepository, schedules: Collection[str]) -> DrillPlan:
    """Return what a drill restores; `schedules`: those that write into the repository.

    Those of which nothing is known take turns by name: of more schedules than the status holds, each has its turn.
    """
    given = repository.spec.verification.drill if repository.spec.verification else None
    drilled = {item.schedule: item for item in repository.status.drilled if item.schedule in schedules}
    order = [item.schedule for item in repository.status.drilled if item.schedule in schedules]
    unknown = sorted(set(schedules) - drilled.keys(), key=lambda name: (bool(order) and name < order[-1], name))
    plan = DrillPlan(
        schedules=(*unknown, *order),
        drilled=tuple(drilled.values()),
    )
    if given is None:
        return plan
    size = parse_quantity(given.max_bytes)
    return DrillPlan(
        schedules=plan.schedules,
        sample=given.sample,
        max_bytes=int(size) if size else plan.max_bytes,
        min_files=given.min_files,
        max_age_seconds=parse_age(given.max_age) if given.max_age else None,
        for_app=given.app is not None,
        app_paths=given.app.paths if given.app else (),
        drilled=plan.drilled,
    )


def find_app(repository: BorgRepository) -> DrillApp | None:
    """Return the container that tries what a drill restores, None where none is asked for."""
    given = repository.spec.verification.drill if repository.spec.verification else None
    return given.app if given else None


def describe_damage(repositories: Iterable[BorgRepository]) -> str:
    """Return what damage is known, shortly, as it goes into every plan; empty: none.

    `repositories`: all that are one borg repository.
    """
    known = (item.status.damage for item in repositories if item.status.damage)
    damage = max(known, key=lambda damage: damage.time, default=None)
    return f'{damage.reason} by BorgRun "{damage.run_name}" at {damage.time}' if damage else ""
