"""A session with all that planning asks of it, gathered from what is known of the cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from borg_contract.run import Operation
from borg_core.kinds.parts.job import JobOptions
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.session import SESSIONS, BorgSession
from borg_core.native.claim import ObservedClaim
from borg_core.registry import Reference
from borg_core.view import View
from borg_core.workload.bundle import find_oldest, gather_claims
from borg_core.workload.workload import Target, Workload


@dataclass(frozen=True)
class Facts:
    """`repository` is None where it does not exist."""

    session: BorgSession
    repository: BorgRepository | None
    options: JobOptions = field(default_factory=JobOptions)
    """How its pod runs: as those of the repository's oldest schedule, who can read it."""
    claims: Mapping[str, ObservedClaim] = field(default_factory=dict)
    """Those of the repository that exist, by name."""
    before: BorgSession | None = None
    """Another one that the repository's archives can be looked into with, and that was asked for first."""
    runs: tuple[BorgRun, ...] = ()
    """Those that have not ended and work, or will work, in the repository."""

    @property
    def workload(self) -> Workload:
        """What its pod mounts, and how it runs. Raises ValueError where there is no repository."""
        if self.repository is None:
            raise ValueError(f"{self.session.metadata.name} has no repository")
        return Workload(
            namespace=self.session.metadata.namespace,
            operation=Operation.LIST,
            targets=(Target(self.repository),),
            options=self.options,
        )


def gather_facts(view: View, session: BorgSession) -> Facts:
    """Return the session with what it refers to, and who else has to do with the repository."""
    reference = Reference(REPOSITORIES.kind, session.metadata.namespace, session.spec.repository_ref.name)
    repository = view.get(REPOSITORIES, reference.namespace, reference.name)
    if repository is None:
        return Facts(session, None)
    oldest = find_oldest(view, reference)
    plain = Facts(session, repository, oldest.spec.job if oldest else JobOptions())
    return Facts(
        session,
        repository,
        plain.options,
        gather_claims(view, plain.workload),
        _find_before(view, session, reference),
        tuple(_find_runs(view, reference)),
    )


def _find_before(view: View, session: BorgSession, repository: Reference) -> BorgSession | None:
    def order(one: BorgSession) -> tuple[str, str]:
        return one.metadata.creation_timestamp, one.metadata.name

    others = (
        other for other in view.referring_to(SESSIONS, repository) if other.live and order(other) < order(session)
    )
    return min(others, key=order, default=None)


def _find_runs(view: View, repository: Reference) -> Iterator[BorgRun]:
    """Yield the runs on the repository alone, and those of schedules and restores that name it."""
    schedules = (Reference(SCHEDULES.kind, *item.metadata.key) for item in view.referring_to(SCHEDULES, repository))
    restores = (Reference(RESTORES.kind, *item.metadata.key) for item in view.referring_to(RESTORES, repository))
    for subject in (repository, *schedules, *restores):
        yield from (run for run in view.referring_to(RUNS, subject) if not run.finished and run.subject == subject)
