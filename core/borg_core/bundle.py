"""A schedule together with all that it refers to: what rendering and validation look at."""

from dataclasses import dataclass, field

from borg_core.kinds.hooks import Hook
from borg_core.kinds.repository import BorgRepository, Source
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.script import BorgScript


@dataclass(frozen=True)
class Bundle:
    """`repositories` and `scripts` by name; a reference without an entry is missing in the namespace."""

    schedule: BorgSchedule
    repositories: dict[str, BorgRepository] = field(default_factory=dict)
    scripts: dict[str, BorgScript] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()
    """Names of the PersistentVolumeClaims of the namespace."""
    neighbours: tuple[BorgSchedule, ...] = ()
    """Other schedules that write into one of its repositories and whose archive names are made another way."""

    namesakes: tuple[BorgSchedule, ...] = ()
    """Other schedules of the namespace that are called the same by people."""

    @property
    def targets(self) -> tuple[BorgRepository, ...]:
        """The repositories that exist, in the order of the schedule."""
        names = (ref.name for ref in self.schedule.spec.repository_refs)
        return tuple(self.repositories[name] for name in names if name in self.repositories)

    def sources_of(self, repository: BorgRepository) -> tuple[Source, ...]:
        """Return what goes into `repository`: the schedule's own sources replace the repository's."""
        return self.schedule.spec.sources or repository.spec.sources

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """Every hook that a run of the schedule may run."""
        own = self.schedule.spec.hooks.given
        if not self.schedule.spec.run_repository_hooks:
            return own
        return own + tuple(hook for target in self.targets if target.spec.hooks for hook in target.spec.hooks.given)
