"""Opens the repository of the plan: its Secrets, its key, and whether it is the one that is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract.pod import GRACE_SECONDS, NODE_ENV, digest_node, session_lock_holder
from borg_contract.run import Operation
from borg_contract.session.plan import SessionPlan
from borg_runner.environment import make_base_environment
from borg_runner.interruption import Interruption
from borg_runner.locks.belonging import make_giver
from borg_runner.locks.cache import remove_asides
from borg_runner.log import Log
from borg_runner.places import Places
from borg_runner.run.preparation import Preparation
from borg_runner.run.secrets import read_repository_secrets
from borg_runner.verbs.repository import Repository
from borg_runner.work.recognition import recognize
from borg_runner.work.record import Record

LOCK_WAIT_SECONDS = 2
"""Somebody waits at a page: that the lock is held is said soon, and they ask again."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A repository, and the name under which this pod takes locks."""

    repository: Repository
    host_id: str


def prepare(plan: SessionPlan, places: Places, scratch: Path, log: Log, environment: Mapping[str, str]) -> Opened:
    """Return the repository, not yet looked at. Raises FaultError without Secrets, OSError without room."""
    place = digest_node(plan.cluster, environment.get(NODE_ENV, ""))
    host_id = session_lock_holder(plan.namespace, plan.name, plan.uid, place)
    secrets = read_repository_secrets(plan.repository, plan.namespace, log, passphrase=True)
    base_dir = places.cache / plan.repository.name
    base_dir.mkdir(parents=True, exist_ok=True)
    remove_asides(base_dir)
    give = make_giver(plan.repository.location, base_dir, log)
    preparation = Preparation(
        environment=make_base_environment(path=environment.get("PATH", ""), home=str(scratch)),
        scratch=scratch,
        host_id=host_id,
        # Several borgs of this pod work at a time: their own locks are taken away when none does, see `Borgs`.
        dead_holders=frozenset(plan.dead_holders),
        log=log,
        interruption=Interruption(GRACE_SECONDS),
        lock_wait_seconds=LOCK_WAIT_SECONDS,
    )
    return Opened(
        repository=preparation.prepare(plan.repository, secrets, base_dir, lambda _: give()),
        host_id=host_id,
    )


def make_sure(repository: Repository) -> None:
    """Raise FaultError where another repository than the one that is meant is there, or none."""
    recognize(repository, Record(repository.plan.name), Operation.LIST)
