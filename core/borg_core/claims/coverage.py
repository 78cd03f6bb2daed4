"""Which claims of a namespace are backed up, by which schedules, and which by nobody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from borg_core.kinds.parts.base import Condition
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.status import ConditionType, is_true
from borg_core.native.claim import ObservedClaim
from borg_core.workload.bundle import Bundle
from borg_core.workload.mounts import derive_written


@dataclass(frozen=True)
class Cover:
    """A schedule of which a claim is a source, called `source` in its archives."""

    schedule: BorgSchedule
    source: str

    @property
    def ready(self) -> bool:
        return is_true(ConditionType.READY, self.schedule.status.conditions)

    @property
    def suspended(self) -> bool:
        return self.schedule.spec.suspend

    @property
    def holds(self) -> bool:
        """Whether the claim is backed up by it: the schedule is Ready, and not suspended."""
        return self.ready and not self.suspended

    @property
    def failing_since(self) -> str:
        """When it stopped to hold, RFC 3339; empty where nobody has said so."""
        conditions = self.schedule.status.conditions
        said = [*([] if self.ready else [ConditionType.READY]), *([ConditionType.SUSPENDED] if self.suspended else [])]
        times = (_since(conditions, type_) for type_ in said)
        return min((time for time in times if time), default="")


@dataclass(frozen=True)
class Coverage:
    """One claim. `keeps`: the BorgRepository that is on it, or has its cache there: that is no data to back up."""

    claim: ObservedClaim
    covers: tuple[Cover, ...] = ()
    keeps: str | None = None

    @property
    def protected(self) -> bool:
        return any(cover.holds for cover in self.covers)

    @property
    def matters(self) -> bool:
        """Whether it is to be backed up, as far as anybody knows: it holds no repository, and nobody says otherwise."""
        return bool(self.covers) or not (self.keeps or self.claim.ignored or self.claim.deleting)


def derive_coverage(
    schedules: Iterable[BorgSchedule], repositories: Iterable[BorgRepository], claims: Sequence[ObservedClaim]
) -> list[Coverage]:
    """Return the coverage of each of the claims; all three are of one namespace."""
    if not claims:  # nobody may list them, say: what each schedule reads is then looked at for nothing
        return []
    by_name = {repository.metadata.name: repository for repository in repositories}
    covers: dict[str, list[Cover]] = {}
    read: dict[tuple[tuple[str, ...], str], dict[str, str]] = {}
    for schedule in sorted(schedules, key=lambda schedule: schedule.metadata.name):
        # Many schedules read the same, and one that chooses by labels looks at all claims.
        wanted = tuple(ref.name for ref in schedule.spec.repository_refs), repr(schedule.spec.sources)
        if wanted not in read:
            read[wanted] = _read_by(schedule, by_name, claims)
        for claim, source in read[wanted].items():
            covers.setdefault(claim, []).append(Cover(schedule, source))
    keeps = {
        claim: repository.metadata.name for repository in by_name.values() for claim in derive_written([repository])
    }
    return [Coverage(claim, tuple(covers.get(claim.name, ())), keeps.get(claim.name)) for claim in claims]


def _read_by(
    schedule: BorgSchedule, repositories: Mapping[str, BorgRepository], claims: Sequence[ObservedClaim]
) -> dict[str, str]:
    """Return the claims that the schedule backs up, each with what its source is called."""
    refs = (ref.name for ref in schedule.spec.repository_refs)
    plain = Bundle(schedule, {name: repositories[name] for name in refs if name in repositories})
    bundle = Bundle(schedule, plain.repositories, candidates=tuple(claims)) if plain.selects else plain
    found: dict[str, str] = {}
    for selection in bundle.selections.values():
        for source in selection.sources:
            if source.claim_name:
                found.setdefault(source.claim_name, source.name)
    return found


def _since(conditions: Iterable[Condition], type_: str) -> str:
    return next((condition.last_transition_time for condition in conditions if condition.type == type_), "")
