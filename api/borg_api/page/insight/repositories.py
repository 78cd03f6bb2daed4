"""What needs somebody about a repository."""

from collections.abc import Iterator

from borg_api.page.insight.matter import Level, Matter
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.status import ConditionType

_REPOSITORY: tuple[tuple[ConditionType, Level, str, str], ...] = (
    (
        ConditionType.MISSING,
        Level.DANGER,
        "The repository is gone",
        "Look whether its volume or server is there. If it is lost, say so with the annotation that the message names.",
    ),
    (
        ConditionType.REPLACED,
        Level.DANGER,
        "Another repository is in its place",
        "Find out who put it there before you accept it; until then nothing is written.",
    ),
    (
        ConditionType.ROLLED_BACK,
        Level.DANGER,
        "It is an older copy of itself",
        "Newer archives may be lost: look where the newer copy is.",
    ),
    (ConditionType.ALIASED, Level.LOOK, "Two BorgRepositories are one", "Keep one of them."),
    (
        ConditionType.CLOCK_DISAGREES,
        Level.LOOK,
        "Checks run at other times than foretold",
        "See Troubleshooting, ClockDisagrees.",
    ),
)


def find_matters_of(repository: BorgRepository) -> list[Matter]:
    """Return what needs somebody about one repository."""
    return sorted(_of_repository(repository), key=lambda matter: matter.order)


def _of_repository(repository: BorgRepository) -> Iterator[Matter]:
    status, name = repository.status, repository.metadata.name

    def tell(level: Level, headline: str, detail: str, advice: str, since: str | None = None) -> Matter:
        return Matter(level, "repositories", name, name, headline, detail, advice, since)

    if status.damage:
        yield tell(
            Level.DANGER,
            "Damage was found",
            status.damage.message or status.damage.reason,
            "Nothing is pruned until a check of all data passes. Look at the storage, then check it now; whether "
            "to use borg check --repair is for a person to decide.",
            status.damage.time,
        )
    known = {condition.type: condition for condition in status.conditions}
    worse = False
    for type_, level, headline, advice in _REPOSITORY:
        found = known.get(type_)
        if found and found.status == "True":
            worse = True
            yield tell(level, headline, found.message, advice, found.last_transition_time)
    ready = known.get(ConditionType.READY)
    if ready and ready.status == "False" and not worse:
        yield tell(
            Level.FAILING,
            "It cannot be used",
            ready.message,
            "Mend what the message names.",
            ready.last_transition_time,
        )
    verified = known.get(ConditionType.VERIFIED)
    if verified and verified.status == "False" and not status.damage:
        yield tell(
            Level.LOOK,
            "The last check or drill did not go well",
            verified.message,
            "See its run, and check it now.",
            verified.last_transition_time,
        )
    if status.lock:
        holder = status.lock.run_name or status.lock.holder or "somebody"
        yield tell(
            Level.LOOK,
            "Its lock is held",
            f"Runs wait, or failed, because {holder} holds the lock.",
            "If you know that nobody works on it, a BorgRun of this repository with operation: BreakLock removes it.",
            status.lock.time or None,
        )
