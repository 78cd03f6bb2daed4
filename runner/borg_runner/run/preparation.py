"""Makes a repository ready for borg: its key and cache in place, its environment complete."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from borg_runner.borg.client import Borg
from borg_runner.borg.invocation import make_borg_environment
from borg_runner.interruption import Interruption
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.run.secrets import RepositorySecrets
from borg_runner.ssh.command import make_rsh
from borg_runner.ssh.key import write_private_key
from borg_runner.ssh.probe import make_probe_arguments
from borg_runner.ssh.user import provide_user
from borg_runner.verbs.repository import Repository


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What all repositories of a pod have in common."""

    environment: Mapping[str, str]
    """What borg and scripts have in common."""
    scratch: Path
    host_id: str | None
    """Under whose name locks are taken; None outside of a cluster."""
    dead_holders: frozenset[str]
    log: Log
    interruption: Interruption
    lock_wait_seconds: int
    schedule: str = ""
    """Whose files borg's cache is to remember; empty for work on the repository alone."""
    notice: Notice | None = None

    def prepare(
        self,
        plan: RepositoryPlan,
        secrets: RepositorySecrets,
        base_dir: Path,
        on_end: Callable[[LockWait], None] = LockWait.remove_dead,
    ) -> Repository:
        """Return the repository, ready to be worked on; `on_end` comes after each borg. Raises OSError."""
        connection = self._connect(plan, secrets)
        own = make_borg_environment(
            plan, base_dir=str(base_dir), schedule=self.schedule, host_id=self.host_id, rsh=connection.rsh
        )
        locks = LockWait(
            location=plan.location,
            base_dir=base_dir,
            seconds=self.lock_wait_seconds,
            host_id=self.host_id,
            dead_holders=self.dead_holders,
            log=self.log,
            notice=self.notice,
        )
        return Repository(
            plan=plan,
            borg=Borg(
                environment={**self.environment, **own, **(connection.environment or {})},
                passphrase=secrets.passphrase,
                log=self.log,
                interruption=self.interruption,
                probe=connection.probe,
                on_end=lambda: on_end(locks),
                notice=self.notice,
            ),
            locks=locks,
            log=self.log,
        )

    def _connect(self, plan: RepositoryPlan, secrets: RepositorySecrets) -> "_Connection":
        if plan.ssh is None or secrets.private_key is None:
            return _Connection()
        self.scratch.mkdir(mode=0o700, exist_ok=True)  # a script may have removed it
        key = self.scratch / f"{plan.name}.key"
        write_private_key(secrets.private_key, key)
        rsh = make_rsh(key_path=str(key), known_hosts_path=plan.ssh.known_hosts.path)
        return _Connection(rsh, make_probe_arguments(plan, rsh), provide_user(self.scratch))


@dataclass(frozen=True)
class _Connection:
    """What a repository over SSH needs more than a local one."""

    rsh: str | None = None
    probe: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
