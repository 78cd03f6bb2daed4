"""What a schedule or a repository refers to, looked up."""

from collections.abc import Iterable

from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.schedule import OWN_ARCHIVE_NAMES, SCHEDULES, TITLE, BorgSchedule
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.native.claim import CLAIMS
from borg_core.registry import Reference
from borg_core.view import View
from borg_core.workload.bundle import Bundle
from borg_core.workload.mounts import derive_claims
from borg_core.workload.workload import Workload


def gather_bundle(view: View, schedule: BorgSchedule) -> Bundle:
    """Return the schedule with all that it refers to and that exists."""
    namespace = schedule.metadata.namespace
    repositories: dict[str, BorgRepository] = {}
    for ref in schedule.spec.repository_refs:
        if repository := view.get(REPOSITORIES, namespace, ref.name):
            repositories[ref.name] = repository
    plain = Bundle(schedule, repositories)
    workload = plain.workload()
    scripts: dict[str, BorgScript] = {}
    for hook in workload.all_hooks:
        if script := view.get(SCRIPTS, namespace, hook.script_ref.name):
            scripts[hook.script_ref.name] = script
    return Bundle(
        schedule,
        repositories,
        scripts,
        gather_claims(view, workload),
        _neighbours(view, schedule),
        _namesakes(view, schedule),
    )


def gather_claims(view: View, workload: Workload) -> frozenset[str]:
    """Return the names of those claims of the workload that exist."""
    written, read = derive_claims(workload)
    named = written.keys() | read.keys()
    return frozenset(name for name in named if view.get(CLAIMS, workload.namespace, name))


def _namesakes(view: View, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
    found = view.grouped(SCHEDULES, TITLE, schedule.metadata.namespace, schedule.title)
    return _without(schedule, found)


def _neighbours(view: View, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
    """Return the schedules whose archives might look like this one's: none as a rule, however many there are."""
    namespace = schedule.metadata.namespace
    found: dict[str, BorgSchedule] = {}
    for ref in schedule.spec.repository_refs:
        if schedule.names_archives_itself:
            others = view.referring_to(SCHEDULES, Reference(REPOSITORIES.kind, namespace, ref.name))
        else:
            others = view.grouped(SCHEDULES, OWN_ARCHIVE_NAMES, namespace, ref.name)
        found |= {other.metadata.name: other for other in others}
    return _without(schedule, found.values())


def _without(schedule: BorgSchedule, found: Iterable[BorgSchedule]) -> tuple[BorgSchedule, ...]:
    return tuple(other for other in found if other.metadata.name != schedule.metadata.name)
