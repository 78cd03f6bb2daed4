"""What is done about pods that use the claim while it is restored into: waited for, scaled down, let run on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from borg_core import labels
from borg_core.actions import Action, MergeMetadata, ScaleWorkload
from borg_core.kinds.restore import RESTORES, BorgRestore, Writers
from borg_core.kinds.restore_status import ScaledWorkload
from borg_core.native.claim_user import ClaimUser
from borg_core.native.claim_user import Workload as ScalableWorkload
from borg_core.registry import Reference

_NAMED = 5


@dataclass(frozen=True)
class Clearance:
    """Whether the claim is free. `waits_for`: who is in the way, in words, empty where nobody is.

    `needs_a_person`: nothing that the operator may do will make them go.
    """

    waits_for: str = ""
    needs_a_person: bool = False
    scaled: tuple[ScaledWorkload, ...] = ()
    """What is to be recorded as scaled down."""
    actions: tuple[Action, ...] = ()


def clear(restore: BorgRestore, users: Iterable[ClaimUser]) -> Clearance:
    """Return who is in the way of a restore, and what makes them go.

    What is scaled down is recorded first, with its replicas, and the restore bears a finalizer: whatever happens, they
    are given back.
    """
    found = [user for user in users if user.subject is None or user.subject.kind != RESTORES.kind]
    readers = [user for user in found if user.subject is not None]
    writers = [user for user in found if user.subject is None and user.writes]
    recorded = restore.status.scaled
    if restore.spec.writers is Writers.IGNORE or not (writers or readers):
        return Clearance(_named(readers), scaled=recorded)
    if restore.spec.writers is Writers.REFUSE:
        return Clearance(_named([*writers, *readers]), needs_a_person=bool(writers), scaled=recorded)
    fixed = [user for user in writers if user.workload is None]
    known = {item.uid for item in recorded}
    workloads = {user.workload.uid: user.workload for user in writers if user.workload}
    fresh = [workload for uid, workload in workloads.items() if uid not in known]
    if fresh:
        scaled = (*recorded, *(_record(workload) for workload in fresh))
        return Clearance(_named(writers), bool(fixed), scaled)
    tied = labels.RESTORING in restore.metadata.finalizers
    actions = tuple(_scale(restore, item, 0) for item in workloads.values() if item.replicas) if tied else _tie(restore)
    return Clearance(_named([*fixed, *writers, *readers]), bool(fixed), recorded, actions)


def give_back(restore: BorgRestore, now: Iterable[ScalableWorkload]) -> tuple[tuple[ScaledWorkload, ...], list[Action]]:
    """Return what is recorded once all that was scaled down has its replicas again, and what does so.

    `now`: these workloads as they are. One that somebody gave replicas meanwhile keeps those; one that is gone is gone.
    """
    current = {workload.uid: workload for workload in now}
    down = [item for item in restore.status.scaled if item.uid in current and current[item.uid].replicas == 0]
    actions: list[Action] = [
        _scale(restore, current[item.uid], item.replicas) for item in down if item.replicas and not item.restored
    ]
    left = {action.uid for action in actions if isinstance(action, ScaleWorkload)}
    recorded = tuple(item.model_copy(update={"restored": item.uid not in left}) for item in restore.status.scaled)
    if not actions and labels.RESTORING in restore.metadata.finalizers:
        rest = [name for name in restore.metadata.finalizers if name != labels.RESTORING]
        reference = Reference(RESTORES.kind, *restore.metadata.key)
        actions.append(MergeMetadata(reference, restore.metadata.uid, {"finalizers": rest}))
    return recorded, actions


def _tie(restore: BorgRestore) -> tuple[Action, ...]:
    reference = Reference(RESTORES.kind, *restore.metadata.key)
    return (
        MergeMetadata(
            reference, restore.metadata.uid, {"finalizers": [*restore.metadata.finalizers, labels.RESTORING]}
        ),
    )


def _scale(restore: BorgRestore, workload: ScalableWorkload, replicas: int) -> ScaleWorkload:
    target = Reference(workload.kind, restore.metadata.namespace, workload.name)
    return ScaleWorkload(target, workload.uid, replicas)


def _record(workload: ScalableWorkload) -> ScaledWorkload:
    return ScaledWorkload(kind=workload.kind, name=workload.name, uid=workload.uid, replicas=workload.replicas)


def _named(users: Iterable[ClaimUser]) -> str:
    """Return the pods, each with what made it, for people."""
    named = list(dict.fromkeys(_describe(user) for user in users))
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def _describe(user: ClaimUser) -> str:
    if user.workload:
        return f'{user.workload.kind} "{user.workload.name}" (pod {user.pod})'
    if user.controller:
        kind, name, _ = user.controller
        return f'{kind} "{name}" (pod {user.pod})'
    return f"pod {user.pod}"


def describe_ways(restore: BorgRestore) -> Iterator[str]:
    """Yield what a person can do about pods that are in the way."""
    yield "stop them, for example with `kubectl scale --replicas=0`, and the restore goes on by itself"
    if restore.spec.writers is Writers.REFUSE:
        yield "or make a new BorgRestore with `writers: ScaleDown`, which stops Deployments and StatefulSets for it"
