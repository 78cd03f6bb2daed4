"""Planning a repository: the CronJobs of its checks and drills, the runs on it alone, what it says about itself."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from borg_contract.archives.ids import ID, pack_ids
from borg_contract.archives.plan import LITTLE_ROOM, ROOM, ListingPlan
from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_core.actions import Action, PatchStatus, Plan, RecordEvent
from borg_core.archives.plan import ArchivesPlan, Observed, plan_archives
from borg_core.archives.told import Account
from borg_core.archives.vanished import keep_finders
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes, Verification
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType, Finding, derive_status_patch
from borg_core.native.claim import ObservedClaim
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem
from borg_core.policies.schedule import find_never_problems, find_time_problems
from borg_core.policies.workload import find_claim_problems, find_size_problems
from borg_core.reconcile.cron_job import derive_requeue
from borg_core.reconcile.reconciler import PACE_OF_CLAIMS, Reconciler
from borg_core.reconcile.status.foretold import derive_disagreement, tell_disagreement
from borg_core.reconcile.status.forget import forget_future
from borg_core.reconcile.status.identity import select_begun
from borg_core.reconcile.status.repository import RunsRead, derive_repository_status, read_runs
from borg_core.registry import Reference
from borg_core.repositories.surroundings import Surroundings, gather_surroundings
from borg_core.repositories.workload import render_workload
from borg_core.runs.entry import Entry
from borg_core.runs.plan import plan_runs
from borg_core.runs.status.run_status import is_automatic
from borg_core.runs.world import Host, World
from borg_core.verification.checks import (
    CHECKS,
    DRILLS,
    HISTORY_LIMIT,
    Checks,
    CronJobKind,
    plan_checks,
    tell_ticks,
)
from borg_core.verification.status import Timed
from borg_core.view import View
from borg_core.workload.job import render_job_template
from borg_core.workload.owner import Owner
from borg_core.workload.workload import Workload


def reconcile_repository(world: World, view: View, now: datetime) -> Plan:
    """Return what is to be done for the repository, or for the runs that ask for one that does not exist."""
    subject = world.subject
    repository = view.get(REPOSITORIES, subject.namespace, subject.name)
    if repository is None:
        return plan_repository(world, None, Surroundings(), now)
    return plan_repository(world, repository, gather_surroundings(view, repository), now)


def plan_repository(world: World, repository: BorgRepository | None, around: Surroundings, now: datetime) -> Plan:
    """Return what is to be done; `repository` is None when it does not exist: then runs may still ask for it."""
    if repository is None:
        runs = plan_runs(world, None, now)
        return Plan(runs.actions, runs.requeue_after)
    owner, written = _owner(repository), repository.status
    repository = repository.model_copy(update={"status": forget_future(written, now)})
    check = render_workload(repository, Operation.CHECK, around, in_slices=True)
    drill = render_workload(repository, Operation.DRILL, around)
    problems = tuple(_find_problems(world, repository, check, around.claims))
    # What a drill alone must not do, keeps no check from being done.
    of_drills = tuple(dict.fromkeys((*problems, *find_forbidden(drill, world.settings))))
    asked = repository.spec.verification or Verification()
    never = {kind: tuple(_find_never(repository, kind, times)) for kind, times in _kinds(asked)}
    told = (*problems, *never[CHECKS])
    checks = plan_checks(world, owner, CHECKS, asked.check, check, problems=told, now=now)
    beside = replace(world, cron_job=world.drill_cron_job)
    told = (*of_drills, *never[DRILLS])
    drills = plan_checks(beside, owner, DRILLS, asked.drill, drill, problems=told, now=now)
    host = _host(
        world,
        repository,
        owner,
        around,
        checks=checks,
        problems=(*problems, *checks.hindrances),
        of_drills=(*of_drills, *checks.hindrances),
        listing=_derive_listing(world, around),
    )
    # No run may be made to depend on a CronJob that goes, or is another's.
    runs = plan_runs(replace(world, cron_job=checks.cron_job), host, now)
    read = read_runs(repository, around.runs, now)
    archives = _plan_archives(world, repository, around, read, host=host, entries=runs.entries, now=now)
    status = derive_repository_status(
        repository,
        around.schedules,
        read,
        died=around.died,
        names=around.names,
        others=[
            *(timed.finding for timed in (checks, drills) if timed.finding),
            *_find_aliases(around),
            *around.selected,
        ],
        archives=archives,
        checks=Timed(checks.name, checks.clock, asked.check is not None),
        drills=Timed(drills.name, drills.clock, asked.drill is not None),
        now=now,
    )
    earlier, generation = repository.status.conditions, repository.metadata.generation
    disagreements = (
        derive_disagreement(earlier, timed.cron_job, timed.times, world.jobs, generation=generation, now=now)
        for timed in (checks, drills)
    )
    judged = next(filter(None, disagreements), ())
    status = status.model_copy(update={"conditions": (*status.conditions, *judged)})
    patch = derive_status_patch(written, status)
    said: tuple[Action, ...] = ()
    if patch:
        said = (
            PatchStatus(owner.reference, owner.uid, patch),
            *tell_disagreement(owner, earlier, status.conditions),
            *tell_ticks(owner, earlier, status.conditions),
        )
    waits = (runs.requeue_after, archives.requeue_after, checks.wait, drills.wait)
    # What vanished is known by its object alone: that it is gone is said before the object goes; so it is with runs
    # that went by, before there are newer objects. And what a listing told is in its pod alone: it is recorded as done
    # once the objects are there.
    before, after = (said, ()) if archives.has_news else ((), said)
    of_runs = [action for action in runs.actions if not _tells(action, archives.unsettled)]
    actions = (*checks.actions, *drills.actions, *before, *archives.actions, *of_runs, *after)
    return Plan(actions, derive_requeue((*checks.refused, *drills.refused), *waits))


def _tells(action: Action, runs: Collection[Reference]) -> bool:
    """Tell whether it says how one of the runs ended."""
    if isinstance(action, RecordEvent):
        return action.about in runs
    return isinstance(action, PatchStatus) and action.target in runs


def _find_problems(
    world: World, repository: BorgRepository, check: Workload, claims: Mapping[str, ObservedClaim]
) -> Iterator[Problem]:
    """Yield what keeps runs on the repository, `check` for one, from beginning. `claims`: those that exist."""
    yield from find_claim_problems(check, claims)
    yield from find_forbidden(check, world.settings)
    namespace, name = repository.metadata.key
    for kind, times in _kinds(repository.spec.verification or Verification()):
        if times:
            yield from find_time_problems(times.schedule, times.time_zone, (namespace, kind.name(name)))


def _kinds(asked: Verification) -> tuple[tuple[CronJobKind, CheckTimes | DrillTimes | None], ...]:
    return (CHECKS, asked.check), (DRILLS, asked.drill)


def _find_never(
    repository: BorgRepository, kind: CronJobKind, times: CheckTimes | DrillTimes | None
) -> Iterator[Problem]:
    """Yield that none of these ever begins by itself: nothing else on the repository has to wait for that."""
    namespace, name = repository.metadata.key
    if times:
        yield from find_never_problems(times.schedule, times.time_zone, (namespace, kind.name(name)))


def _find_undoable(repository: BorgRepository, runs: Iterable[BorgRun]) -> Sequence[Account]:
    """Return the restores that made an undo archive and counted: of the repository they tell nothing else."""
    return [
        (run, result)
        for run in runs
        if run.finished and run.spec.operation.needs_restore
        for result in run.status.repositories
        if result.name == repository.metadata.name and result.totals
    ]


def _plan_archives(
    world: World,
    repository: BorgRepository,
    around: Surroundings,
    read: RunsRead,
    *,
    host: Host,
    entries: Sequence[Entry],
    now: datetime,
) -> ArchivesPlan:
    counted = select_begun(repository, read.identity, _find_undoable(repository, around.runs))
    accounts = sorted((*read.told, *counted), key=lambda account: account[0].status.completion_time or "")
    observed = Observed(
        known=around.archives,
        accounts=accounts,
        died=around.died,
        entries=entries,
        repository_id=read.identity.id if read.identity else "",
        pruning=around.pruning,
        busy=around.busy,
    )
    problems = host.hindrances(Operation.LIST)
    return plan_archives(
        world, repository, host, observed, now, hindered="; ".join(problem.message for problem in problems)
    )


def _derive_listing(world: World, around: Surroundings) -> ListingPlan:
    """Return what the next listing is asked for."""
    listed = [run for run in world.runs if run.spec.operation is Operation.LIST]
    by_hand = any(not run.finished and not is_automatic(run) for run in listed)
    # Where the kubelet keeps less of a result, it was read in brief.
    was_cut = any(result.phase.succeeded and not result.listing for run in listed for result in run.status.repositories)
    known = pack_ids(archive.id for archive in around.archives if ID.fullmatch(archive.id))
    return ListingPlan(known, LITTLE_ROOM if was_cut else ROOM, automatic=not by_hand)


def _find_aliases(around: Surroundings) -> Iterator[Finding]:
    if around.aliases:
        names, reason, how = around.aliases, Reason.SAME_PLACE, "in the same place as"
    else:
        names, reason, how = around.twins, Reason.SAME_REPOSITORY, "by borg's own id the same repository as"
    if names:
        named = ", ".join(f'"{name}"' for name in names)
        message = (
            f"{how} BorgRepository {named}: what is written by one of them is never pruned by another; "
            "keep one, or give each a path of its own"
        )
        yield Finding(ConditionType.ALIASED.value, True, reason.value, message)


def _host(
    world: World,
    repository: BorgRepository,
    owner: Owner,
    around: Surroundings,
    *,
    checks: Checks,
    problems: Sequence[Problem],
    of_drills: Sequence[Problem],
    listing: ListingPlan,
) -> Host:
    spec = repository.spec

    def workload(operation: Operation, dead: tuple[str, ...] = ()) -> Workload:
        return render_workload(repository, operation, around, dead, listing=listing)

    def hindrances(operation: Operation) -> Sequence[Problem]:
        if found := of_drills if operation is Operation.DRILL else problems:
            return found
        template = render_job_template(workload(operation), owner.reference, world.settings)
        return tuple(find_size_problems(operation, template))

    return Host(
        owner=owner,
        history_limit=HISTORY_LIMIT,
        hindrances=hindrances,
        workload=workload,
        has_cron_job=checks.scheduled,
        clock=checks.clock,
        kept=keep_finders(repository.status.listing),
        leaves_locks=bool(spec.local or spec.cache),
    )


def _owner(repository: BorgRepository) -> Owner:
    metadata = repository.metadata
    return Owner.of(REPOSITORIES, *metadata.key, metadata.uid)


# Many schedules may change at once around one repository: its status is written once for all of them.
REPOSITORY = Reconciler(
    REPOSITORIES,
    reconcile_repository,
    *(CHECKS.name, DRILLS.name),
    due=lambda repository: (repository.status.next_check_time, repository.status.next_drill_time),
    delay_seconds=0.5,
    paced_by=PACE_OF_CLAIMS,
)
