"""A restore with all that planning asks of it, gathered from what is known of the cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from borg_contract.restore.plan import Ownership
from borg_contract.restore.result import RestoreResult
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation
from borg_core.kinds.parts.job import FileAccess, JobOptions
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.restore import RESTORES, BorgRestore
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.selectors.claim import ANY_CLAIM
from borg_core.native.claim import CLAIMS, ObservedClaim
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.job import JOBS
from borg_core.registry import Reference
from borg_core.view import View
from borg_core.workload.bundle import find_oldest, gather_bundle
from borg_core.workload.defaults import with_defaults
from borg_core.workload.mounts import derive_claims, derive_written


@dataclass(frozen=True)
class Facts:
    """`repository` and `claim` are None where they do not exist."""

    restore: BorgRestore
    repository: BorgRepository | None
    claim: ObservedClaim | None
    options: JobOptions
    """How its pods run: as the restore says, else as those of the repository's oldest schedule, who can use it."""
    readers: tuple[BorgSchedule, ...] = ()
    """Schedules that back up the claim."""
    reading: tuple[str, ...] = ()
    """What of them is not at rest yet: a CronJob that may begin a run, a Job at work."""
    before: tuple[BorgRestore, ...] = ()
    """Other restores into the same claim that come first."""
    there: tuple[BorgRepository, ...] = ()
    """Repositories that are in the claim, or have their cache there."""


def gather_facts(view: View, restore: BorgRestore) -> Facts:
    """Return the restore with what it refers to, and who else has to do with its claim."""
    namespace = restore.metadata.namespace
    repository = view.get(REPOSITORIES, namespace, restore.spec.repository_ref.name)
    claim = Reference(CLAIMS.kind, namespace, restore.claim_name)
    readers = _readers(view, claim) if repository and claim.name else ()
    return Facts(
        restore=restore,
        repository=repository,
        claim=view.get(CLAIMS, namespace, restore.claim_name),
        options=_derive_options(view, restore),
        readers=readers,
        reading=tuple(name for schedule in readers for name in _at_work(view, schedule)),
        before=tuple(
            sorted(
                (other for other in view.referring_to(RESTORES, claim) if _comes_first(other, restore, claim)),
                key=lambda other: other.metadata.name,
            )
        ),
        there=tuple(found for found in view.referring_to(REPOSITORIES, claim) if claim.name in written_by(found)),
    )


def select_runs(runs: Sequence[BorgRun], restore: BorgRestore, operation: Operation) -> list[BorgRun]:
    """Return the restore's own runs of that operation, the oldest first."""
    own = (run for run in runs if run.spec.operation is operation and is_own(run, restore))
    return sorted(own, key=lambda run: (run.metadata.creation_timestamp, len(run.metadata.name), run.metadata.name))


def is_own(run: BorgRun, restore: BorgRestore) -> bool:
    """Tell whether the operator made the run for this very restore."""
    return any(owner.uid == restore.metadata.uid for owner in run.metadata.owner_references)


def told_by(run: BorgRun) -> RepositoryResult | None:
    """Return what the run says of the restore's repository."""
    return run.status.repositories[0] if run.status.repositories else None


def restored_by(run: BorgRun) -> RestoreResult:
    """Return what the run says of its restore."""
    told = told_by(run)
    return told.restore if told and told.restore else RestoreResult()


def written_by(repository: BorgRepository) -> dict[str, str]:
    """Return the claims that hold the repository or its cache, each with what it is for."""
    return derive_written([repository])


def _readers(view: View, claim: Reference) -> tuple[BorgSchedule, ...]:
    """Return the schedules that back the claim up, by its name or its labels, and sources of their own or others'."""
    found: dict[str, BorgSchedule] = {}
    for reference in (claim, claim._replace(name=ANY_CLAIM)):
        direct = view.referring_to(SCHEDULES, reference)
        through = (
            schedule
            for repository in view.referring_to(REPOSITORIES, reference)
            for schedule in view.referring_to(SCHEDULES, Reference(REPOSITORIES.kind, *repository.metadata.key))
        )
        found |= {schedule.metadata.name: schedule for schedule in (*direct, *through)}
    return tuple(found[name] for name in sorted(found) if claim.name in _read_claims(view, found[name]))


def _read_claims(view: View, schedule: BorgSchedule) -> frozenset[str]:
    _, read = derive_claims(gather_bundle(view, schedule).workload())
    return frozenset(read)


def _at_work(view: View, schedule: BorgSchedule) -> Iterator[str]:
    cron_job = view.get(CRON_JOBS, *schedule.metadata.key)
    if cron_job is not None and not cron_job.suspended:
        yield f'CronJob "{cron_job.name}"'
    for job in view.referring_to(JOBS, Reference(SCHEDULES.kind, *schedule.metadata.key)):
        if job.working and job.operation is Operation.BACKUP:
            yield f'Job "{job.name}"'


def _comes_first(other: BorgRestore, restore: BorgRestore, claim: Reference) -> bool:
    if not claim.name or other.metadata.uid == restore.metadata.uid or other.claim_name != claim.name:
        return False
    if other.holds != restore.holds:
        return other.holds
    own, theirs = restore.metadata, other.metadata
    return other.holds and (theirs.creation_timestamp, theirs.name) < (own.creation_timestamp, own.name)


def _derive_options(view: View, restore: BorgRestore) -> JobOptions:
    reference = Reference(REPOSITORIES.kind, restore.metadata.namespace, restore.spec.repository_ref.name)
    oldest = find_oldest(view, reference)
    own = restore.spec.job
    if oldest is None:
        return own
    theirs = oldest.spec.job
    merged = with_defaults(own, theirs)
    users = ("run_as_user", "run_as_group", "fs_group") if theirs.file_access is FileAccess.RESTRICTED else ()
    missing = (field for field in users if own.run_as_user is None and getattr(own, field) is None)
    inherited = {field: getattr(theirs, field) for field in missing}
    inherited |= {field: getattr(own, field) or getattr(theirs, field) for field in ("image", "image_pull_policy")}
    if theirs.file_access is FileAccess.READ_ALL and own.run_as_user is None and not _wants_ordinary_user(restore):
        inherited["file_access"] = FileAccess.READ_ALL  # the repository's files are root's
    return merged.model_copy(update=inherited)


def _wants_ordinary_user(restore: BorgRestore) -> bool:
    """Tell whether what is restored is to be the pod's user's; to a command nobody's ownership matters."""
    return restore.spec.ownership is Ownership.RUN_AS and restore.spec.target.stream is None
