"""Makes a repository of the plan ready for borg, and works on it: key and cache in place, environment complete."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase
from borg_runner.borg.client import Borg
from borg_runner.borg.environment import make_borg_environment
from borg_runner.identity import Identity
from borg_runner.interruption import Interruption
from borg_runner.locks.belonging import make_giver
from borg_runner.locks.cache import remove_asides
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.places import Places
from borg_runner.run.secrets import RepositorySecrets
from borg_runner.ssh.command import make_rsh
from borg_runner.ssh.key import write_private_key
from borg_runner.ssh.probe import make_probe_arguments
from borg_runner.ssh.user import provide_user
from borg_runner.streams.container import Container
from borg_runner.verbs.repository import Repository
from borg_runner.work.listing.part import Tell
from borg_runner.work.operation import Surroundings, explain_error, work_on_repository


@dataclass(frozen=True)
class _Connection:
    """What a repository over SSH needs more than a local one."""

    rsh: str | None = None
    probe: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


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
        notice = Notice(self.places.notice, self.log)
        connection = self._connect(plan, secrets)
        own = make_borg_environment(
            plan, base_dir=str(base_dir), schedule=self.plan.schedule, host_id=host_id, rsh=connection.rsh
        )
        locks = LockWait(
            location=plan.location,
            base_dir=base_dir,
            seconds=self.plan.lock_wait_seconds,
            host_id=host_id,
            dead_holders=self._dead_holders(host_id),
            log=self.log,
            notice=notice,
        )
        give = make_giver(plan.location, base_dir, self.log)

        def on_end() -> None:
            locks.remove_dead()
            if self.plan.operation.needs_restore:  # by default another user's pods write into it
                give()

        return Repository(
            plan=plan,
            borg=Borg(
                environment={**self.environment, **own, **(connection.environment or {})},
                passphrase=secrets.passphrase,
                log=self.log,
                interruption=self.interruption,
                probe=connection.probe,
                on_end=on_end,
                notice=notice,
            ),
            locks=locks,
            log=self.log,
        )

    def _connect(self, plan: RepositoryPlan, secrets: RepositorySecrets) -> _Connection:
        if plan.ssh is None or secrets.private_key is None:
            return _Connection()
        self.scratch.mkdir(mode=0o700, exist_ok=True)  # a script may have removed it
        key = self.scratch / f"{plan.name}.key"
        write_private_key(secrets.private_key, key)
        rsh = make_rsh(key_path=str(key), known_hosts_path=plan.ssh.known_hosts.path)
        return _Connection(rsh, make_probe_arguments(plan, rsh), provide_user(self.scratch))

    def _dead_holders(self, host_id: str | None) -> frozenset[str]:
        """Holders whose locks may go: those proven dead, and ourselves, for only one borg of this pod runs at a time.

        An earlier pod of our Job on this node has our name too: its kubelet ended it before it began this one. One of
        another node has another name, and no proof. A BreakLock that a person asked for breaks everything in its own
        step; it needs none.
        """
        return frozenset({*self.plan.dead_holders, *([host_id] if host_id else [])})
