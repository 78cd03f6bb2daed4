"""What is done about pods that use the claim while it is restored into: waited for, scaled down, let run on."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from borg_core.actions import Action, ScaleWorkload
from borg_core.kinds.restore import RESTORES, BorgRestore, Writers
from borg_core.kinds.restore_status import MOST_SCALED, ScaledWorkload
from borg_core.native.claim_user import ClaimUser, ScalableWorkload
from borg_core.registry import Reference

_NAMED = 5


@dataclass(frozen=True)
class Clearance:
    """Who is in the way of a restore. `fixed`: pods that nothing the operator may do will make go."""

    writers: tuple[ClaimUser, ...] = ()
    readers: tuple[ClaimUser, ...] = ()
    """Pods of this operator: of backups, and of other restores."""
    fixed: tuple[ClaimUser, ...] = ()

    @property
    def named(self) -> str:
        """All of them, for people."""
        return name_users([*self.fixed, *self.writers, *self.readers])


def derive_clearance(restore: BorgRestore, users: Iterable[ClaimUser], own_jobs: Collection[str]) -> Clearance:
    """Return who is in the way; the restore's own pods are not. `own_jobs`: uids of its Jobs.

    By these its pods are known also where something took their labels away.
    """
    own = Reference(RESTORES.kind, *restore.metadata.key)
    others = [
        user for user in users if not (user.subject == own or (user.controller and user.controller[2] in own_jobs))
    ]
    readers = tuple(user for user in others if user.subject is not None)
    writers = tuple(user for user in others if user.subject is None and user.writes)
    match restore.spec.writers:
        case Writers.IGNORE:
            return Clearance(readers=readers)
        case Writers.REFUSE:
            return Clearance(writers, readers, fixed=writers)
        case _:
            return Clearance(writers, readers, fixed=tuple(user for user in writers if user.workload is None))


def scale_down(restore: BorgRestore, writers: Iterable[ClaimUser]) -> tuple[tuple[ScaledWorkload, ...], list[Action]]:
    """Return what is recorded of the workloads that are scaled down now, and what does so, to be done after that.

    What is recorded is how many replicas there are at this moment; one that has none is let be, and so is what no
    longer can be recorded.
    """
    running = {user.workload.uid: user.workload for user in writers if user.workload and user.workload.replicas}
    recorded = tuple(item for item in restore.status.scaled if item.uid not in running)
    running = dict(islice(running.items(), MOST_SCALED - len(recorded)))
    fresh = tuple(
        ScaledWorkload(kind=item.kind, name=item.name, uid=item.uid, replicas=item.replicas)
        for item in running.values()
    )
    return (*recorded, *fresh), [_scale(restore, item, 0) for item in running.values()]


def give_back(restore: BorgRestore, now: Iterable[ScalableWorkload]) -> tuple[tuple[ScaledWorkload, ...], list[Action]]:
    """Return what is recorded once all that was scaled down has its replicas again, and what does so.

    `now`: these workloads as they are. One that somebody gave replicas meanwhile keeps those; one that is gone is gone.
    """
    current = {workload.uid: workload for workload in now}
    actions: list[Action] = [
        _scale(restore, current[item.uid], item.replicas)
        for item in restore.status.scaled
        if not item.restored and item.uid in current and current[item.uid].replicas == 0
    ]
    left = {action.uid for action in actions if isinstance(action, ScaleWorkload)}
    recorded = tuple(item.model_copy(update={"restored": item.uid not in left}) for item in restore.status.scaled)
    return recorded, actions


def describe_ways(restore: BorgRestore) -> Iterator[str]:
    """Yield what a person can do about pods that are in the way."""
    yield "stop them, for example with `kubectl scale --replicas=0`, and the restore goes on by itself"
    if restore.spec.writers is Writers.REFUSE:
        yield "or make a new BorgRestore with `writers: ScaleDown`, which stops Deployments and StatefulSets for it"


def describe_stopped(scaled: Sequence[ScaledWorkload]) -> str:
    """Return which workloads are stopped for the restore, empty where none is."""
    names = ", ".join(f'{item.kind} "{item.name}"' for item in scaled if not item.restored)
    return f"{names} stopped meanwhile" if names else ""


def _scale(restore: BorgRestore, workload: ScalableWorkload, replicas: int) -> ScaleWorkload:
    target = Reference(workload.kind, restore.metadata.namespace, workload.name)
    return ScaleWorkload(target, workload.uid, replicas)


def name_users(users: Iterable[ClaimUser]) -> str:
    """Return the pods, each with what made it."""
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
