"""All that can keep a schedule from running as written: its times and names, and what its workload lacks."""

import contextlib
from collections.abc import Iterator
from functools import lru_cache

from borg_contract import archive_name
from borg_contract.reasons import Reason
from borg_core.claims.told import describe_unmatched
from borg_core.clock import CronError, CronSchedule
from borg_core.clock.hashed import resolve
from borg_core.clock.rhythm import find_never
from borg_core.kinds.schedule import BorgSchedule
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem, Severity
from borg_core.policies.workload import (
    find_claim_problems,
    find_copy_problems,
    find_script_problems,
    find_source_problems,
)
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.workload import Workload


def derive_problems(bundle: Bundle, workload: Workload, settings: Settings) -> tuple[Problem, ...]:
    """Return all problems of a schedule and its workload, those first that are the cause of others."""
    spec = bundle.schedule.spec
    return (
        *find_time_problems(spec.schedule, spec.time_zone, bundle.schedule.metadata.key),
        *find_title_problems(bundle),
        *find_missing_repositories(bundle),
        *find_claim_problems(workload, bundle.claims),
        *find_copy_problems(workload, users_from_platform=settings.pods.users_from_platform),
        *find_script_problems(workload),
        *find_source_problems(workload),
        *find_selection_problems(bundle),
        *find_archive_name_problems(bundle, prune=spec.prune.enabled),
        *find_forbidden(workload, settings),
        *find_restoring(bundle),
    )


def derive_prune_problems(bundle: Bundle) -> tuple[Problem, ...]:
    """Return what keeps a Prune run by hand from a schedule that does not prune by itself."""
    return tuple(find_archive_name_problems(bundle, prune=True))


def find_time_problems(expression: str, time_zone: str, cron_job: tuple[str, str]) -> Iterator[Problem]:
    """Yield why no CronJob would take the times; `cron_job`: its namespace and name, on which `H` depends."""
    try:
        CronSchedule.parse(resolve(expression, *cron_job), time_zone)
    except CronError as error:
        yield Problem(Reason.INVALID_SCHEDULE, str(error))


def find_never_problems(expression: str, time_zone: str, cron_job: tuple[str, str]) -> Iterator[Problem]:
    """Yield that times which a CronJob takes never come. That is told, and keeps nobody from running it by hand."""
    with contextlib.suppress(CronError):
        if message := find_never(CronSchedule.parse(resolve(expression, *cron_job), time_zone)):
            yield Problem(Reason.INVALID_SCHEDULE, message)


def find_title_problems(bundle: Bundle) -> Iterator[Problem]:
    """Yield a problem if an older schedule of the namespace has the title: the oldest one keeps it."""
    own = bundle.schedule.metadata
    for other in bundle.namesakes:
        if (other.metadata.creation_timestamp, other.metadata.name) < (own.creation_timestamp, own.name):
            message = f'BorgSchedule "{other.metadata.name}" is called "{other.title}" already: choose another title'
            yield Problem(Reason.TITLE_TAKEN, message)
            return


def find_restoring(bundle: Bundle) -> Iterator[Problem]:
    """Yield the restores at work on what is backed up: an archive of a claim half restored would look good."""
    for restore in bundle.restores:
        message = (
            f'BorgRestore "{restore.metadata.name}" is bringing back claim "{restore.claim_name}": runs that back it '
            "up go on by themselves when that has ended"
        )
        yield Problem(Reason.WAITING_FOR_RESTORE, message, Severity.HELD)


def find_selection_problems(bundle: Bundle) -> Iterator[Problem]:
    """Yield that no label finds anything to back up: then nothing runs, so that nothing is pruned for want of it."""
    selections = bundle.selections.values()
    if bundle.selects and not any(selection.sources for selection in selections):
        message = f"{describe_unmatched(selections)}; no run begins, and nothing is pruned, until one does"
        yield Problem(Reason.NO_CLAIM_MATCHES, message, Severity.HELD)


def find_missing_repositories(bundle: Bundle) -> Iterator[Problem]:
    namespace = bundle.schedule.metadata.namespace
    for ref in bundle.schedule.spec.repository_refs:
        if ref.name not in bundle.repositories:
            message = (
                f'BorgRepository "{ref.name}" does not exist in namespace "{namespace}": create it, or correct '
                "spec.repositoryRefs"
            )
            yield Problem(Reason.REPOSITORY_NOT_FOUND, message, Severity.WAITING)


def find_archive_name_problems(bundle: Bundle, *, prune: bool) -> Iterator[Problem]:
    """Yield what is wrong with the names of its archives: one of its own could be taken for another schedule's.

    `prune`: whether its archives are pruned; then names must tell whose they are.
    """
    template = bundle.schedule.spec.archive_name_template
    found = archive_name.find_template_problems(template, prune=prune)
    for message in found:
        yield Problem(Reason.INVALID_ARCHIVE_NAME, f'archiveNameTemplate "{template}" {message}')
    if found:
        return
    name = bundle.schedule.metadata.name
    for ref in bundle.schedule.spec.repository_refs:
        if problem := archive_name.find_name_problem(template, schedule=name, repository=ref.name):
            yield Problem(Reason.INVALID_ARCHIVE_NAME, f'archiveNameTemplate "{template}" {problem}')
            return
    yield from _overlapping_names(bundle, prune=prune)


def _overlapping_names(bundle: Bundle, *, prune: bool) -> Iterator[Problem]:
    """Yield the neighbours whose archives one of the two would prune as its own."""
    schedule = bundle.schedule
    own = {ref.name: _name_pattern(schedule, ref.name) for ref in schedule.spec.repository_refs}
    for other in bundle.neighbours:
        # With one template for both, names of two schedules always differ: the job's name is in them.
        if other.spec.archive_name_template == schedule.spec.archive_name_template:
            continue
        if not (prune or other.spec.prune.enabled):
            continue
        for name in sorted(own.keys() & {ref.name for ref in other.spec.repository_refs}):
            if archive_name.overlaps(own[name], _name_pattern(other, name)):
                message = (
                    f'its archives would have names like those of BorgSchedule "{other.metadata.name}" in '
                    f"BorgRepository \"{name}\", and prune would take the one's for the other's: change "
                    "archiveNameTemplate of one of them"
                )
                yield Problem(Reason.ARCHIVE_NAMES_OVERLAP, message)


def _name_pattern(schedule: BorgSchedule, repository: str) -> str:
    return _derive_pattern(schedule.spec.archive_name_template, schedule.metadata.name, repository)


@lru_cache(maxsize=4096)  # each neighbour asks for that of each
def _derive_pattern(template: str, schedule: str, repository: str) -> str:
    if archive_name.find_template_problems(template):
        return ""  # it writes no archives
    return archive_name.derive_prune_glob(template, schedule=schedule, repository=repository)
