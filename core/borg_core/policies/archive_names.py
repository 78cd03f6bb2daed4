"""Archive names: whether the template is one, and whether another schedule's archives could be taken for this one's."""

from collections.abc import Iterator

from borg_contract import archive_name
from borg_contract.reasons import Reason
from borg_core.kinds.schedule import BorgSchedule
from borg_core.policies.problem import Problem
from borg_core.workload.bundle import Bundle


def find_archive_name_problems(bundle: Bundle, *, prune: bool) -> Iterator[Problem]:
    """Yield them. `prune`: whether its archives are pruned; then names must tell whose they are."""
    template = bundle.schedule.spec.archive_name_template
    found = archive_name.find_template_problems(template, prune=prune)
    for message in found:
        yield Problem(Reason.INVALID_ARCHIVE_NAME, f'archiveNameTemplate "{template}" {message}')
    if not found:
        yield from _overlapping_names(bundle, prune=prune)


def _overlapping_names(bundle: Bundle, *, prune: bool) -> Iterator[Problem]:
    """Yield the neighbours whose archives one of the two would prune as its own."""
    schedule = bundle.schedule
    for other in bundle.neighbours:
        # With one template for both, names of two schedules always differ: the job's name is in them.
        if other.spec.archive_name_template == schedule.spec.archive_name_template:
            continue
        if not (prune or other.spec.prune.enabled):
            continue
        shared = {ref.name for ref in schedule.spec.repository_refs} & {ref.name for ref in other.spec.repository_refs}
        for name in sorted(shared):
            if archive_name.overlaps(_name_pattern(schedule, name), _name_pattern(other, name)):
                message = (
                    f'its archives would have names like those of BorgSchedule "{other.metadata.name}" in '
                    f"BorgRepository \"{name}\", and prune would take the one's for the other's: change "
                    "archiveNameTemplate of one of them"
                )
                yield Problem(Reason.ARCHIVE_NAMES_OVERLAP, message)


def _name_pattern(schedule: BorgSchedule, repository: str) -> str:
    template = schedule.spec.archive_name_template
    if archive_name.find_template_problems(template):
        return ""  # it writes no archives
    return archive_name.derive_prune_glob(template, schedule=schedule.metadata.name, repository=repository)
