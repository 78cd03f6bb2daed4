"""What a `List` tells: how many archives there are, and as many of those that nobody knows as a result takes."""

from collections.abc import Callable, Mapping, Sequence

from borg_contract.archives.ids import digest_newest, select_newest, shorten_id, unpack_ids
from borg_contract.archives.part import ArchiveRow, fit_part, pack_part
from borg_contract.archives.plan import ListingPlan
from borg_contract.archives.result import ListingResult
from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import ABSENT
from borg_runner.fault import Fault, FaultError
from borg_runner.log import make_printable
from borg_runner.verbs.list import (
    ListedArchive,
    StoredArchive,
    explain_no_list,
    fetch_named_archives,
    fetch_newest_archives,
    make_list_arguments,
    parse_list_output,
    parse_repository_id,
)
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record
from borg_runner.work.steps import count_anew, find_listable

Tell = Callable[[str], None]

_MOST = 100
"""Archives that one result takes, at most; so many are looked into."""

_TIES = 16
"""Borg has an order of its own for archives of one second."""


def tell_archives(repository: Repository, record: Record, plan: ListingPlan | None, tell: Tell) -> None:
    """Count the archives; with a `plan`, `tell` which are new and which are gone. Raises FaultError."""
    stored = _fetch(repository, record, may_be_absent=plan is not None and plan.automatic)
    if plan is None or not plan.automatic:
        count_anew(repository, record, stored)
    limit = repository.plan.archive_limit
    if plan is None or not limit:
        return
    known = _read_known(plan)
    newest = select_newest(find_listable(stored), limit)
    there = {shorten_id(archive.id) for archive in stored.values()}
    gone = [id_ for id_ in known if id_ not in there]
    unknown = _find_unknown(stored, [id_ for _, id_ in newest], frozenset(known))
    part = fit_part(_complete(repository, unknown[:_MOST], [id_ for _, id_ in newest]), gone, plan.room)
    left = len(unknown) - len(part.rows) + len(gone) - len(part.gone)
    record.add(
        listing=ListingResult(
            archives=len(stored),
            newest=digest_newest(newest, limit),
            found=len(part.rows),
            gone=len(part.gone),
            left=left,
        )
    )
    repository.log.say(
        f"archives: {len(stored):,}; told here: {len(part.rows)} new, {len(part.gone)} gone; left: {left}"
    )
    if part.rows or part.gone:
        tell(pack_part(part))


def _fetch(repository: Repository, record: Record, *, may_be_absent: bool) -> Mapping[str, StoredArchive]:
    outcome = repository.try_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    if may_be_absent and outcome.exit_code in ABSENT and repository.plan.initialize:
        repository.log.say("there is no repository yet: the first backup makes it")
        return {}
    output = repository.accept(outcome).output
    try:
        record.add(repository_id=parse_repository_id(output))
        return parse_list_output(output)
    except (ValueError, KeyError, TypeError) as error:
        raise FaultError(explain_no_list(error, outcome)) from error


def _read_known(plan: ListingPlan) -> Sequence[str]:
    try:
        return unpack_ids(plan.known)
    except ValueError as error:
        raise FaultError(Fault(Reason.INVALID_PLAN, f"The plan cannot be used: {error}.")) from error


def _find_unknown(
    stored: Mapping[str, StoredArchive], newest: Sequence[str], known: frozenset[str]
) -> Sequence[ArchiveRow]:
    """Return those of the `newest` that nobody knows, the newest first, without their comments."""
    by_id = {archive.id: (name, archive.time) for name, archive in stored.items()}
    return [ArchiveRow(id_, *by_id[id_]) for id_ in newest if shorten_id(id_) not in known]


def _complete(repository: Repository, rows: Sequence[ArchiveRow], newest: Sequence[str]) -> Sequence[ArchiveRow]:
    """Return the rows with their comments, for which borg looks into each archive. Raises FaultError.

    Where one of them is damaged, borg is asked for each alone: what is told now is never told again.
    """
    if not rows:
        return rows
    count = newest.index(rows[-1].id) + 1 + _TIES
    try:
        listed = fetch_newest_archives(repository, count=count)
    except FaultError as error:
        if error.fault.reason is not Reason.REPOSITORY_DAMAGED:
            raise
        listed = [archive for row in rows for archive in _look_into(repository, row.name)]
    comments = {archive.id: archive.comment for archive in listed}
    return [ArchiveRow(row.id, row.name, row.time, comments.get(row.id, "")) for row in rows]


def _look_into(repository: Repository, name: str) -> Sequence[ListedArchive]:
    try:
        return fetch_named_archives(repository, name)
    except FaultError as error:
        if error.fault.reason is not Reason.REPOSITORY_DAMAGED:
            raise
        repository.warn(f'Archive "{make_printable(name)}" is told without its comment: {error}')
        return ()
