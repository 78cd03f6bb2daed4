"""What can be done to a schedule over REST, as writes of custom resources. All raise Problem."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from borg_api.access import Caller
from borg_api.facade import Facade
from borg_api.mirror import Shelf
from borg_api.names import (
    derive_copy_titles,
    derive_digest,
    derive_resource_names,
    derive_run_name,
)
from borg_api.problem import Problem, refused
from borg_api.records import RunRecord, ScheduleRecord, parse_run, parse_schedule
from borg_api.schedule.changes import DEFAULT_ZONE, derive_spec_patch
from borg_api.schedule.request import NewSchedule, ScheduleFields
from borg_api.writes import CONFLICT, Taken, Writer
from borg_core import labels
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES, TITLE

T = TypeVar("T")

_NAMES_TRIED = 1000
_COPIES = 1000
_TOGGLES_TRIED = 100
_VERSIONS_TRIED = 20


def find_schedule(shelf: Shelf, namespace: str, reference: str) -> ScheduleRecord:
    """Return the schedule of that id or resource name. Raises Problem 404."""
    record = shelf.schedules.find(namespace, reference)
    if record is None:
        raise Problem(404, f"There is no schedule {_shown(reference)} in namespace {namespace}.")
    return record


async def create(facade: Facade, caller: Caller, fields: NewSchedule) -> ScheduleRecord:
    shelf = facade.mirror.shelf(caller.namespace)
    spec = derive_spec_patch(fields, shelf, caller.namespace, None)
    if "repositoryRefs" not in spec:
        raise refused("Name at least one repository to back up into.", "/repository_ids")
    spec = {key: value for key, value in spec.items() if value is not None}
    if "prune" in spec:
        spec["prune"] = {key: value for key, value in spec["prune"].items() if value is not None}
    return await _create(facade, caller, {"timeZone": DEFAULT_ZONE, **spec})


async def update(
    facade: Facade, caller: Caller, reference: str, fields: ScheduleFields, editions: frozenset[str] | None
) -> ScheduleRecord:
    """Change what was sent. `editions`: those of which the schedule must have one (If-Match), None for any."""
    shelf = facade.mirror.shelf(caller.namespace)
    record = find_schedule(shelf, caller.namespace, reference)
    patch = derive_spec_patch(fields, shelf, caller.namespace, record.resource.spec)
    title = patch.get("title")
    if title and title != record.resource.title:
        _check_free(shelf, caller.namespace, title)
    writer = Writer(facade, caller, SCHEDULES)

    async def write(version: str | None) -> ScheduleRecord:
        return parse_schedule(await writer.merge(record.name, {"spec": patch}, version)) if patch else record

    written = await (write(None) if editions is None else _at_edition(writer, record, editions, write))
    if title and title != record.resource.title:
        await _keep_if_first(writer, shelf, written, record.resource.spec.title)
    return written


async def delete(facade: Facade, caller: Caller, reference: str, editions: frozenset[str] | None) -> None:
    shelf = facade.mirror.shelf(caller.namespace)
    record = find_schedule(shelf, caller.namespace, reference)
    writer = Writer(facade, caller, SCHEDULES)

    async def write(version: str | None) -> None:
        await writer.delete(record.name, record.resource.metadata.uid, version)

    await (write(None) if editions is None else _at_edition(writer, record, editions, write))


async def toggle(facade: Facade, caller: Caller, reference: str) -> bool:
    """Turn the clock of the schedule on or off; return whether it is on. Each of many at once turns it once."""
    shelf = facade.mirror.shelf(caller.namespace)
    record = find_schedule(shelf, caller.namespace, reference)
    writer = Writer(facade, caller, SCHEDULES)
    suspended = record.resource.spec.suspend
    path = "/spec/suspend"
    for _ in range(_TOGGLES_TRIED):
        test = {"op": "test", "path": path, "value": suspended}
        body = await writer.patch(record.name, [test, {"op": "replace", "path": path, "value": not suspended}])
        if body is not None:
            return not body["spec"]["suspend"]
        found = await writer.read(record.name)
        if found is None:
            raise Problem(404, "The schedule does not exist any more.")
        suspended = found["spec"]["suspend"]  # somebody else's toggle came first
    raise Problem(409, "The schedule is being toggled by others all the time; try again.")


async def duplicate(facade: Facade, caller: Caller, reference: str) -> ScheduleRecord:
    """Copy every setting under the next free title, disabled."""
    shelf = facade.mirror.shelf(caller.namespace)
    original = find_schedule(shelf, caller.namespace, reference).resource
    spec = original.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    for title in islice(derive_copy_titles(original.title), _COPIES):
        try:
            return await _create(facade, caller, {**spec, "title": title, "suspend": True})
        except _TitleTakenError:
            continue
    raise Problem(409, f"There are {_COPIES} copies of this schedule already.")


async def run_now(facade: Facade, caller: Caller, reference: str, idempotency_key: str | None) -> RunRecord:
    """Ask for a run and return it: with a key that was used before, the one of then."""
    shelf = facade.mirror.shelf(caller.namespace)
    schedule = find_schedule(shelf, caller.namespace, reference)
    runs = shelf.runs.referring_to(SCHEDULES.kind, caller.namespace, schedule.name)
    writer = Writer(facade, caller, RUNS)
    key = derive_digest(idempotency_key) if idempotency_key else None
    known = next((run for run in runs if key and run.key == key), None)
    if known:
        await writer.publish(known.version)
        return known
    busy = next((run for run in runs if not run.finished), None)
    if busy:
        raise _in_progress(busy.name)
    name = derive_run_name(schedule.name, derive_run_seed(schedule, runs))
    spec = {"scheduleRef": {"name": schedule.name}, "operation": "Backup"}
    marks = {labels.SCHEDULE: schedule.name, **({labels.IDEMPOTENCY_KEY: key} if key else {})}
    try:
        return parse_run(await writer.create(name, spec, marks))
    except Taken:
        body = await writer.read(name)
    winner = parse_run(body) if body else None
    if winner and key and winner.key == key:
        await writer.publish(winner.version)
        return winner
    raise _in_progress(name)


def derive_run_seed(schedule: ScheduleRecord, runs: Iterable[RunRecord]) -> str:
    """Return what a next run's name is made from: whoever sees the same runs asks for the same one, and one begins.

    Not from those beyond `runHistoryLimit`: the operator is about to delete them, and some see that before others.
    """
    kept = sorted(runs, key=lambda run: run.order)[-schedule.resource.spec.run_history_limit :]
    return " ".join([schedule.resource.metadata.uid, *sorted(run.uid for run in kept)])


def _in_progress(name: str) -> Problem:
    return Problem(409, f"A run of this schedule is in progress already: {name}. Wait for it, or cancel it.")


class _TitleTakenError(Problem):
    """A schedule of that title exists."""

    def __init__(self, title: str) -> None:
        problem = refused(f"A schedule with the name {_shown(title)} exists already; choose another name.", "/name")
        super().__init__(problem.status, problem.detail, problem.errors)


async def _create(facade: Facade, caller: Caller, spec: dict[str, Any]) -> ScheduleRecord:
    """Create a schedule under the first of its names that is free. Raises _TitleTakenError."""
    shelf = facade.mirror.shelf(caller.namespace)
    title = spec["title"]
    _check_free(shelf, caller.namespace, title)
    writer = Writer(facade, caller, SCHEDULES)
    for name in islice(derive_resource_names(title), _NAMES_TRIED):
        holder = shelf.schedules.get(caller.namespace, name)
        if holder is None:
            try:
                return parse_schedule(await writer.create(name, spec))
            except Taken:
                body = await writer.read(name)
                holder = parse_schedule(body) if body else None
        if holder and holder.resource.title == title:
            raise _TitleTakenError(title)
    raise Problem(409, f"No free resource name was found for {_shown(title)}; choose another name.")


def _check_free(shelf: Shelf, namespace: str, title: str) -> None:
    if shelf.schedules.grouped(TITLE, namespace, title):
        raise _TitleTakenError(title)


async def _keep_if_first(writer: Writer, shelf: Shelf, written: ScheduleRecord, before: str | None) -> None:
    """Take the new title back when another schedule got it at the same time, and first. Raises _TitleTakenError.

    Names race at the API server, titles do not: of two renames both may have found the title free.
    """
    title = written.resource.title
    await writer.seen(written.titled)
    for other in shelf.schedules.grouped(TITLE, written.namespace, title):
        if other.name != written.name and other.titled < written.titled:
            path = "/spec/title"
            back = {"op": "replace", "path": path, "value": before} if before else {"op": "remove", "path": path}
            await writer.patch(written.name, [{"op": "test", "path": path, "value": title}, back])
            raise _TitleTakenError(title)


async def _at_edition(
    writer: Writer, record: ScheduleRecord, editions: frozenset[str], write: Callable[[str], Awaitable[T]]
) -> T:
    """Write at the record's version if it has one of the editions; a status that changes meanwhile does not matter."""
    for attempt in range(_VERSIONS_TRIED):
        if record.edition in editions:
            try:
                return await write(record.resource.metadata.resource_version)
            except Problem as error:
                if error.status != CONFLICT:
                    raise
        elif attempt:  # at first it is what this replica knows, which may be less than what the caller has read
            raise Problem(412, "The schedule was changed since you read it: read it again, then decide.")
        body = await writer.read(record.name)
        if body is None:
            raise Problem(404, "The schedule does not exist any more.")
        record = parse_schedule(body)
    raise Problem(409, "The schedule is being changed by others all the time; try again.")


def _shown(text: str) -> str:
    short = text if len(text) <= 80 else text[:80] + "…"  # noqa: PLR2004
    return f'"{short}"'
