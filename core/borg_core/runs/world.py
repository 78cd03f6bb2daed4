"""The input of planning: what is observed of one resource of ours, its subject, and of its runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from borg_contract.run import Operation
from borg_core.clock import Clock
from borg_core.kinds.run import BorgRun
from borg_core.native.claim_user import ClaimUser, ScalableWorkload
from borg_core.native.copy import ObservedSnapshot
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.native.pod import ObservedPod
from borg_core.policies.problem import Problem
from borg_core.registry import Reference
from borg_core.settings import Settings
from borg_core.workload.owner import Owner
from borg_core.workload.workload import Workload


@dataclass(frozen=True)
class Refusal:
    """The API server refused to create or change an object of ours. `taken`: another owner's object has its name.

    `overruled`: it took it, and something else in the cluster made another one of it.
    """

    message: str
    taken: bool = False
    overruled: bool = False


@dataclass(frozen=True)
class Doubt:
    """Why the holder of a lock is not proven dead. `needs_a_person`: nothing in the cluster may ever prove it.

    `passes`: time proves it, and brings no event.
    """

    text: str
    needs_a_person: bool = False
    passes: bool = False


@dataclass(frozen=True)
class World:
    """What is observed of a `subject`: a schedule, repository, restore or session.

    It need not exist: runs may still ask for it.
    """

    subject: Reference
    settings: Settings
    unreadable: str = ""
    """Why the subject cannot be read though it exists, written by another version perhaps; empty otherwise."""
    runs: tuple[BorgRun, ...] = ()
    unreadable_runs: frozenset[str] = frozenset()
    """uids of BorgRuns that exist and cannot be read, written by another version perhaps: nobody deleted them."""
    jobs: tuple[ObservedJob, ...] = ()
    pods: Mapping[str, ObservedPod] = field(default_factory=dict)
    """The newest pod by the uid of its Job, also one that has just been deleted."""
    lingering: tuple[ObservedPod, ...] = ()
    """Pods that have not ended although their Job is gone or suspended."""
    cron_job: ObservedCronJob | None = None
    """Its CronJob, if it has one."""
    drill_cron_job: ObservedCronJob | None = None
    """Of a repository: that of its drills. Its runs take turns by borg's locks alone."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The newest warning about a Job, pod or CronJob that makes no progress, by the uid of that object."""
    refusals: Mapping[Reference, Refusal] = field(default_factory=dict)
    """What the API server refused at the last attempt, by the object that was to be written."""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    """Why holders of locks are not proven dead that were looked at, by the holder as locks name it."""
    snapshots: tuple[ObservedSnapshot, ...] = ()
    """Those that were taken for its Jobs; asked for where a Job reads any."""
    copying: frozenset[str] = frozenset()
    """Names of the snapshots in its namespace from which volumes are being made; looked at where one is deleted."""
    refused: Mapping[str, datetime] = field(default_factory=dict)
    """Since when runs say that their copy is refused, by their uids, as far as this life of the operator saw."""
    copied: frozenset[str] = frozenset()
    """Uids of its pods of which volumes are made from snapshots already."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """How large the claims are of which its Jobs read snapshots, as quantities by name."""
    serves_snapshots: bool = True
    """Whether the cluster has VolumeSnapshots at all, as far as anybody asked."""
    leaving: frozenset[str] = frozenset()
    """Those of the claims of its finished Jobs that somebody deletes."""
    users: tuple[ClaimUser, ...] | None = None
    """Of a restore: pods that use the claim that is restored into; None where nobody looked."""
    scaled: tuple[ScalableWorkload, ...] = ()
    """Of a restore: the workloads that it scaled down, as they are now."""
    keys: tuple[str, ...] | None = None
    """Of a session: the facade's public keys, as `SessionPlan` has them, () while it has none; None: no facade."""


@dataclass(frozen=True)
class Host:
    """What runs need to know of the schedule, repository or restore that they belong to."""

    owner: Owner
    history_limit: int
    hindrances: Callable[[Operation], Sequence[Problem]]
    """What keeps a run of that operation from beginning."""
    workload: Callable[[Operation, tuple[str, ...]], Workload]
    """What a run of that operation does. The second argument: holders of locks that are proven dead."""
    has_cron_job: bool = True
    """Whether it runs by the clock: then runs by hand wait for the CronJob to exist."""
    clock: Clock | None = None
    """When its CronJob begins runs; None: it does not."""
    kept: frozenset[str] = frozenset()
    """Names of runs that are kept whatever their number: something that is told leans on them."""
    leaves_locks: bool = True
    """Whether a pod that dies can leave a lock behind: over SSH the server's borg removes its own."""
