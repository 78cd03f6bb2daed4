"""Is it still the same repository? What runs saw of it, compared with what runs before them had seen.

A run that knows what it is to find looks for itself, see `workload.identity`; borg compares only where it has a cache
of before. What is told here follows from what runs say.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from borg_contract.plan import ACCEPTED_ID_ANNOTATION, LOST_ID_ANNOTATION, SHOWN_DIGITS
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.parts.targets import RepositoryIdentity
from borg_core.kinds.repository import BorgRepository, BorgRepositoryStatus
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType, Finding
from borg_core.runs.vanished import Account, follow
from borg_core.workload.identity import derive_own_place, derive_place_mark, is_said_lost

Done = Sequence[tuple[BorgRun, RepositoryResult]]
"""Runs that used a repository and have ended, the oldest first, each with what it says of the repository."""

_ID_LENGTH = 64


def derive_identity(repository: BorgRepository, done: Done, now: datetime) -> RepositoryIdentity | None:
    """Return which borg repository it is: that which was first seen in its place, or which a person accepted."""
    known, place = repository.status.identity, derive_own_place(repository)
    said = repository.metadata.annotations.get(LOST_ID_ANNOTATION, "")[:_ID_LENGTH]
    # The edit, or the annotation, is the consent: nothing is known of what is there now.
    if known and known.place != place:
        return RepositoryIdentity(place=place, since=format_time(now), lost=said)
    if known and is_said_lost(repository):
        # A run may be asked for in the same moment, and times are whole seconds.
        return RepositoryIdentity(place=place, since=format_time(now - timedelta(seconds=1)), lost=said)
    id_ = known.id if known else ""
    if (found := _find_newest(select_begun(repository, known, done))) and (
        not id_ or found[1] == repository.metadata.annotations.get(ACCEPTED_ID_ANNOTATION)
    ):
        id_ = found[1]
    if known is None:
        return RepositoryIdentity(id=id_, place=place, since=_since(repository, None), lost=said) if id_ else None
    return known.model_copy(update={"id": id_, "lost": known.lost if known.lost == said else ""})


def select_begun(repository: BorgRepository, identity: RepositoryIdentity | None, done: Done) -> Done:
    """Return the runs that were in the place that is named now, and began since: others tell of one that is elsewhere.

    When a run began does not say where it was: its pod was rendered before, or its schedule is held and goes on as it
    was. Results of an earlier version tell no place.
    """
    since, created = _since(repository, identity), repository.metadata.creation_timestamp
    mark, lost = derive_place_mark(repository), identity.lost if identity else ""

    def counts(run: BorgRun, result: RepositoryResult) -> bool:
        ended = run.status.completion_time or ""
        began = run.status.start_time or ended
        begun = began > since or began == since == created  # what is there from the beginning is used at once
        # Runs go by a person's word at once; it is written down later. One that found another repository is of after.
        goes_by_the_word = bool(lost) and result.repository_id not in (None, lost) and ended > since
        return (begun or goes_by_the_word) and result.place in (None, mark)

    return [(run, result) for run, result in done if counts(run, result)]


def find_missing(repository: BorgRepository, identity: RepositoryIdentity | None, done: Done) -> Iterator[Finding]:
    """Yield that nothing is in its place any more; `done`: what `select_begun` gives."""
    if identity is None or not identity.id:
        return
    for run, result in reversed(done):
        if result.reason == Reason.REPOSITORY_MISSING.value:
            message = (
                f'BorgRun "{run.metadata.name}" found no repository there, where runs before found one '
                f"({identity.id[:SHOWN_DIGITS]}…). Nothing was written. Bring it back: is the volume, the server, the "
                f"path still the same one? {_how_to_begin_anew(repository, identity)}"
            )
            yield Finding(ConditionType.MISSING.value, True, Reason.REPOSITORY_MISSING.value, message)
            return
        if result.repository_id or result.phase.succeeded:
            return


def _how_to_begin_anew(repository: BorgRepository, identity: RepositoryIdentity) -> str:
    begin = f"kubectl -n {repository.metadata.namespace} annotate brepo {repository.metadata.name}"
    if identity.lost == identity.id:
        return (
            "That it is lost was said once before and was heeded; to say it again, first take that back: "
            f"{begin} {LOST_ID_ANNOTATION}-"
        )
    said = repository.metadata.annotations.get(LOST_ID_ANNOTATION, "")[:_ID_LENGTH]
    unheard = f"{_describe_other_word(LOST_ID_ANNOTATION, said)} " if said != identity.lost else ""
    return (
        f"{unheard}If it is lost for good, and the next run shall begin a new one: "
        f"{begin} --overwrite {LOST_ID_ANNOTATION}={identity.id}"
    )


def _describe_other_word(annotation: str, said: str) -> str:
    return f"The annotation {annotation} says {json.dumps(said)}, which is not its id, so it does not count."


def find_replacement(repository: BorgRepository, identity: RepositoryIdentity | None, done: Done) -> Iterator[Finding]:
    """Yield that another repository is in its place; `done`: what `select_begun` gives."""
    found = _find_newest(done)
    if identity is None or not identity.id or found is None or found[1] == identity.id:
        return
    run, id_ = found
    metadata = repository.metadata
    said = metadata.annotations.get(ACCEPTED_ID_ANNOTATION, "")[:_ID_LENGTH]
    unheard = f"{_describe_other_word(ACCEPTED_ID_ANNOTATION, said)} " if said not in ("", identity.id) else ""
    message = (
        f'BorgRun "{run.metadata.name}" found another borg repository there ({id_[:SHOWN_DIGITS]}…) than runs before '
        f"({identity.id[:SHOWN_DIGITS]}…), without the archives of before: find out who replaced it. {unheard}If it is "
        f"right so: kubectl -n {metadata.namespace} annotate brepo {metadata.name} --overwrite "
        f"{ACCEPTED_ID_ANNOTATION}={id_}"
    )
    yield Finding(ConditionType.REPLACED.value, True, Reason.REPOSITORY_REPLACED.value, message)


def select_standing(
    before: BorgRepositoryStatus, identity: RepositoryIdentity | None, done: Done
) -> Sequence[Condition]:
    """Return those of `Missing` and `Replaced` that were said before and hold, though no run is kept that found it so.

    Its BorgRun was deleted, or is beyond the history, and no run has found the known repository again. `done`: what
    `select_begun` gives.
    """
    if identity is None or before.identity is None or before.identity.id != identity.id:
        return ()  # of another one, or a person has accepted what is there

    def holds(condition: Condition) -> bool:
        words = [(run, _confirms(result, condition.type, identity.id)) for run, result in done]
        return not any(
            confirms or (run.status.completion_time or "") >= condition.last_transition_time
            for run, confirms in words
            if confirms is not None
        )

    kinds = (ConditionType.MISSING, ConditionType.REPLACED)
    return [condition for condition in before.conditions if condition.type in kinds and holds(condition)]


def _confirms(result: RepositoryResult, type_: str, id_: str) -> bool | None:
    """Tell whether a run found it missing or replaced, None where it tells nothing of that."""
    if type_ == ConditionType.REPLACED:
        return result.repository_id != id_ if result.repository_id else None
    if result.reason == Reason.REPOSITORY_MISSING.value:
        return True
    return False if result.repository_id or result.phase.succeeded else None


def find_rollback(done: Done, died: Iterable[BorgRun]) -> Iterator[Finding]:
    """Yield that an archive was gone when the next one of its schedule was made.

    `died`: runs that may have pruned, and said nothing. Told as long as the run that found it is kept, which it is
    until somebody deletes it: that acknowledges.
    """
    accounts: dict[str, list[Account]] = {}
    untold: list[Account] = [(run, None) for run in died]
    for run, result in sorted([*done, *untold], key=lambda item: item[0].status.completion_time or ""):
        if run.spec.schedule_ref:
            accounts.setdefault(run.spec.schedule_ref.name, []).append((run, result))
    vanished = [found for told in accounts.values() for found in follow(told).vanished]
    if vanished:
        newest = max(vanished, key=lambda found: found.found_by.status.completion_time or "")
        later, earlier = newest.found_by.metadata.name, newest.missed.metadata.name
        message = (
            f'archive "{newest.archive}" of BorgRun "{earlier}" was gone when BorgRun "{later}" made its own: the '
            "repository is an older copy of itself, or somebody deleted the archive. Find out who; delete BorgRun "
            f'"{later}" when that is settled'
        )
        yield Finding(ConditionType.ROLLED_BACK.value, True, Reason.ARCHIVE_VANISHED.value, message)


def _find_newest(done: Done) -> tuple[BorgRun, str] | None:
    """Return the newest run that told the id of what is in the place, and that id."""
    return next(((run, result.repository_id) for run, result in reversed(done) if result.repository_id), None)


def _since(repository: BorgRepository, identity: RepositoryIdentity | None) -> str:
    return identity.since if identity else repository.metadata.creation_timestamp or ""
