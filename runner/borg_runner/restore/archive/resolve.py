"""Which archive is meant: that very one, or none."""

import datetime as dt
import difflib
from collections.abc import Sequence

from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.restore.plan import LatestPlan, RestorePlan
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.list import (
    ListedArchive,
    ask_newest_archives,
    escape_glob,
    fetch_archives,
    fetch_names,
    fetch_newest_archives,
)
from borg_runner.verbs.repository import Repository

_NEAREST = 3
_AT_FIRST = 20
_FAR_BACK = 500


def resolve(run: RunPlan, plan: RestorePlan, repository: Repository, *, now: dt.datetime) -> ListedArchive:
    """Return the archive that the plan means; `now` in UTC, without zone as borg has it. Raises FaultError."""
    if plan.archive_id:
        return _find_pinned(repository, plan)
    if plan.latest is not None:
        return _find_latest(run, plan.latest, repository, now)
    if (found := _find_named(repository, plan.archive)) is not None:
        return found
    raise FaultError(Fault(Reason.ARCHIVE_NOT_FOUND, _describe_absent(repository, plan.archive)))


def _find_named(repository: Repository, name: str) -> ListedArchive | None:
    """Return the archive of that name; a checkpoint never, which is only the beginning of one."""
    found = fetch_archives(repository, glob=escape_glob(name))
    whole = [item for item in found if item.name == name and not item.is_checkpoint]
    if len(whole) > 1:
        text = f'{len(whole)} archives are named "{name}", which borg 1 never makes: rename all but one of them.'
        raise FaultError(Fault(Reason.ARCHIVE_AMBIGUOUS, text))
    return whole[0] if whole else None


def _find_pinned(repository: Repository, plan: RestorePlan) -> ListedArchive:
    if plan.archive and (found := _find_named(repository, plan.archive)) is not None and found.id == plan.archive_id:
        return found
    names = fetch_names(repository)
    if (name := names.get(plan.archive_id)) is not None and (found := _find_named(repository, name)) is not None:
        return found
    called = f' "{plan.archive}"' if plan.archive else ""
    another = " Another one has that name now." if plan.archive in names.values() else ""
    text = (
        f"The archive{called} ({plan.archive_id[:16]}…) that was meant is no longer in the repository: it was deleted "
        f"or pruned meanwhile.{another} Nothing was changed. Make a new BorgRestore of another one."
    )
    raise FaultError(Fault(Reason.ARCHIVE_NOT_FOUND, text))


def _find_latest(run: RunPlan, latest: LatestPlan, repository: Repository, now: dt.datetime) -> ListedArchive:
    """Look through the newest archives first: of each, borg has to read what it says of itself."""
    before = _parse_time(latest.before)
    count = _AT_FIRST
    while True:
        found = fetch_newest_archives(repository, count=count)
        if (chosen := choose_latest(found, run, latest, before=before)) is not None:
            break
        if len(found) < count:
            raise FaultError(_explain_none(found, latest))
        count *= 4
    if latest.max_age_seconds is not None and (age := now - chosen.began) > dt.timedelta(
        seconds=latest.max_age_seconds
    ):
        text = (
            f'The newest archive that fits, "{chosen.name}", is {describe_age(age)} old, and `latest.maxAge` allows '
            f"{describe_age(dt.timedelta(seconds=latest.max_age_seconds))}. Nothing was changed. If it is good "
            f"enough, name it: `archive: {chosen.name}`."
        )
        raise FaultError(Fault(Reason.ARCHIVE_NOT_FOUND, text))
    return chosen


def choose_latest(
    archives: Sequence[ListedArchive], run: RunPlan, latest: LatestPlan, *, before: dt.datetime | None
) -> ListedArchive | None:
    """Return the newest one that fits; one that a restore made, to be undone, never does."""
    [repository] = run.repositories

    def fits(archive: ListedArchive) -> bool:
        if archive.is_checkpoint or archive.undo is not None or (before is not None and archive.began >= before):
            return False
        owner = archive.owner
        return not latest.schedule or (
            owner is not None
            and (owner.namespace, owner.schedule, owner.cluster) == (run.namespace, latest.schedule, run.cluster)
            and owner.repository == repository.name
        )

    return max(filter(fits, archives), key=lambda archive: (archive.began, archive.name), default=None)


def find_fuller(run: RunPlan, latest: LatestPlan, repository: Repository, than: ListedArchive, source: str) -> str:
    """Return the name of the newest archive before that one which held files of the source; empty where none shows."""
    found = ask_newest_archives(repository, glob="*", count=_FAR_BACK)
    fuller = [archive for archive in found if archive.content.files.get(source)]
    chosen = choose_latest(fuller, run, latest, before=than.began)
    return chosen.name if chosen else ""


def _parse_time(text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(tzinfo=None)
    except ValueError as error:
        raise FaultError(Fault(Reason.INVALID_ARGUMENT, f'"{text}" of `latest.before` is no time: {error}.')) from error


def _explain_none(found: Sequence[ListedArchive], latest: LatestPlan) -> Fault:
    whose = f' of schedule "{latest.schedule}"' if latest.schedule else ""
    when = f" begun before {latest.before}" if latest.before else ""
    whole = sorted((item for item in found if not item.is_checkpoint), key=lambda item: item.began, reverse=True)
    there = ", ".join(f'"{item.name}"' for item in whole[:_NEAREST])
    text = (
        f"The repository has no archive{whose}{when}. {f'The newest there are: {there}.' if there else 'It is empty.'} "
        "Nothing was changed. Correct `latest`, or name an archive."
    )
    return Fault(Reason.ARCHIVE_NOT_FOUND, text)


def _describe_absent(repository: Repository, name: str) -> str:
    nearest = find_nearest(name, list(fetch_names(repository).values()))
    there = ", ".join(f'"{other}"' for other in nearest)
    hint = f"The nearest there are: {there}." if there else "It holds none."
    return f'The repository has no archive "{name}". {hint} Nothing was changed. Correct `archive`.'


def find_nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return up to three of the names, the one most like `name` first."""

    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, name, other, autojunk=False).ratio()

    return sorted(names, key=lambda other: (-likeness(other), other))[:_NEAREST]


def describe_age(age: dt.timedelta) -> str:
    """Return how old something is, for people."""
    hours = age.total_seconds() / 3600
    if hours < 1:
        return f"{age.total_seconds() / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} days"  # noqa: PLR2004 - three days read well in hours
