"""What the pods of a restore do: look first, then bring back, and remove locks that a dead one of them left."""

from borg_contract.restore.plan import TARGET_DIR, LatestPlan, Ownership, RestorePlan
from borg_contract.run import Operation
from borg_core.formats import format_time, parse_time
from borg_core.kinds.parts.job import FileAccess, JobOptions
from borg_core.kinds.parts.timing import parse_age
from borg_core.kinds.parts.volumes import PersistentVolumeClaimSource, VolumeSource
from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.restoring import Latest
from borg_core.restores.facts import Facts
from borg_core.workload.workload import Mount, Target, Workload

_POWERS = ("CHOWN", "FOWNER", "FSETID", "MKNOD", "SETFCAP")
"""What root needs to give files their owners, modes, set-uid bits, device numbers and file capabilities; all of these
are in the baseline Pod Security Standard. A preview has the same: it says whether the restore could do it."""


def render_workload(facts: Facts, operation: Operation, dead_holders: tuple[str, ...] = ()) -> Workload:
    """Return what a run of that operation does. Raises ValueError where there is no repository."""
    restore, repository = facts.restore, facts.repository
    if repository is None:
        raise ValueError(f"{restore.metadata.name} has no repository")
    stream = restore.spec.target.stream
    keeps_owners = restore.spec.ownership is Ownership.KEEP and operation.needs_restore and stream is None
    writes = operation is Operation.RESTORE
    has_target = operation.needs_restore and stream is None and (writes or restore.spec.target.claim is not None)
    return Workload(
        namespace=restore.metadata.namespace,
        operation=operation,
        targets=(Target(repository),),
        dead_holders=dead_holders,
        mounts=(_mount(restore, writable=writes),) if has_target else (),
        restore=_plan(restore, operation, has_target=has_target) if operation.needs_restore else None,
        stream=stream if operation.needs_restore else None,
        capabilities=_POWERS if keeps_owners else (),
        # An application's files stay its group's.
        gives_groups=not (operation.needs_restore and restore.spec.target.claim),
        options=_as_root(facts.options) if keeps_owners else facts.options,
    )


def _as_root(options: JobOptions) -> JobOptions:
    users = {"run_as_user": None, "run_as_group": None, "fs_group": None}
    return options.model_copy(update={"file_access": FileAccess.READ_ALL, **users})


def _mount(restore: BorgRestore, *, writable: bool) -> Mount:
    claim = PersistentVolumeClaimSource(claim_name=restore.claim_name)
    return Mount(VolumeSource(persistent_volume_claim=claim), TARGET_DIR, writable=writable)


def _plan(restore: BorgRestore, operation: Operation, *, has_target: bool) -> RestorePlan:
    spec, status = restore.spec, restore.status
    resolved = status.resolved
    return RestorePlan(
        name=restore.metadata.name,
        uid=restore.metadata.uid,
        archive=resolved.archive if resolved else spec.archive or "",
        archive_id=resolved.id if resolved else "",
        latest=_latest(spec.latest) if spec.latest and not resolved else None,
        source=spec.source or "",
        paths=spec.paths,
        exclude=spec.exclude,
        has_target=has_target,
        folder=spec.target.claim.path.strip("/") if spec.target.claim else "",
        mode=spec.mode,
        digest=status.approved or "" if operation is Operation.RESTORE else "",
        undo=spec.undo,
        ownership=spec.ownership,
        verify=spec.verify,
    )


def _latest(latest: Latest) -> LatestPlan:
    age = latest.max_age
    return LatestPlan(
        schedule=latest.schedule_ref.name if latest.schedule_ref else "",
        before=format_time(parse_time(latest.before)) if latest.before else "",
        max_age_seconds=parse_age(age) if age else None,
    )
