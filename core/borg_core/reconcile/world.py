"""All that planning one schedule looks at, gathered before it starts."""

from dataclasses import dataclass, field

from borg_core.bundle import Bundle
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.native.pod import PodOutcome
from borg_core.reconcile.actions import Action
from borg_core.settings import Settings


@dataclass(frozen=True)
class World:
    """`bundle` is None when the schedule does not exist: then there may still be runs that ask for it."""

    namespace: str
    name: str
    settings: Settings
    bundle: Bundle | None = None
    cron_job: ObservedCronJob | None = None
    jobs: tuple[ObservedJob, ...] = ()
    runs: tuple[BorgRun, ...] = ()
    outcomes: dict[str, PodOutcome] = field(default_factory=dict)
    """By Job name: for Jobs that ended without being recorded yet, or that have no ready pod."""
    dead_job_uids: frozenset[str] = frozenset()
    """Jobs of which, as was looked up just now, no pod is left that could still write."""
    refusals: dict[str, str] = field(default_factory=dict)
    """What the API server said when it refused, by `kind/name`, in the attempt just made."""

    @property
    def schedule(self) -> BorgSchedule | None:
        return self.bundle.schedule if self.bundle else None


@dataclass(frozen=True)
class Plan:
    """`requeue_after`: seconds after which to look again, although no event may come; None: no need."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
