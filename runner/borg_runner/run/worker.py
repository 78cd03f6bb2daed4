"""Works on the repositories of a plan, each one made ready for borg before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase
from borg_runner.fault import explain_error
from borg_runner.identity import Identity
from borg_runner.interruption import Interruption
from borg_runner.locks.belonging import make_giver
from borg_runner.locks.cache import remove_asides
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.places import Places
from borg_runner.run.preparation import Preparation
from borg_runner.run.secrets import RepositorySecrets
from borg_runner.streams.container import Container
from borg_runner.verbs.repository import Repository
from borg_runner.work.listing.part import Tell
from borg_runner.work.operation import Surroundings, work_on_repository


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Works on one repository of `plan` after the other, in this pod."""

    plan: RunPlan
    identity: Identity
    places: Places
    environment: Mapping[str, str]
    """What borg and scripts have in common."""
    scratch: Path
    log: Log
    interruption: Interruption
    tell_part: Tell
    """Takes the part of a listing."""
    containers: Mapping[str, Container]
    """Those beside ours that have commands, by their streams' names."""

    def work_on(
        self, plan: RepositoryPlan, secrets: RepositorySecrets, tell: Callable[[RepositoryResult], object]
    ) -> RepositoryResult:
        """Return the repository's result, even of a fault of ours: the next repository and the scripts come after.

        `tell`: see `work_on_repository`.
        """
        try:
            repository = self._prepare(plan, secrets)
        except Exception as error:  # noqa: BLE001
            fault = explain_error(error)
            text = self.log.conceal(fault.text)
            self.log.say(f"error: {text}")
            return RepositoryResult(plan.name, Phase.FAILED, reason=fault.reason.value, error=text)
        around = Surroundings(
            sources_root=self.places.sources,
            run=self.identity.run,
            target=self.places.target,
            restored=self.places.restored,
            scratch=self.scratch,
            tell=tell,
            tell_part=self.tell_part,
            containers=self.containers,
        )
        return work_on_repository(self.plan, repository, around)

    def _prepare(self, plan: RepositoryPlan, secrets: RepositorySecrets) -> Repository:
        base_dir = self.places.cache / plan.name
        base_dir.mkdir(parents=True, exist_ok=True)
        remove_asides(base_dir)
        host_id = self.identity.host_id(self.plan.namespace, self.plan.cluster)
        give = make_giver(plan.location, base_dir, self.log)

        def on_end(locks: LockWait) -> None:
            locks.remove_dead()
            if self.plan.operation.needs_restore:  # by default another user's pods write into it
                give()

        preparation = Preparation(
            environment=self.environment,
            scratch=self.scratch,
            host_id=host_id,
            dead_holders=self._dead_holders(host_id),
            log=self.log,
            interruption=self.interruption,
            lock_wait_seconds=self.plan.lock_wait_seconds,
            schedule=self.plan.schedule,
            notice=Notice(self.places.notice, self.log),
        )
        return preparation.prepare(plan, secrets, base_dir, on_end)

    def _dead_holders(self, host_id: str | None) -> frozenset[str]:
        """Holders whose locks may go: those proven dead, and ourselves, for only one borg of this pod runs at a time.

        An earlier pod of our Job on this node has our name too: its kubelet ended it before it began this one. One of
        another node has another name, and no proof. A BreakLock that a person asked for breaks everything in its own
        step; it needs none.
        """
        return frozenset({*self.plan.dead_holders, *([host_id] if host_id else [])})
