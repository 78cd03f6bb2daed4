"""Lists of runs, newest first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

from fastapi import Query

from borg_api.edge.paging import cut_page, decode_token
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_api.resources.runs.response import Run, render_run, run_status, triggered_by
from borg_api.resources.schedules.changes import no_such_place
from borg_cluster.turns import in_turns
from borg_contract.run import Operation

Status = Literal["pending", "running", "completed", "completed_with_warnings", "failed", "cancelled"]


@dataclass(frozen=True)
class Wanted:
    """Which backups are asked for."""

    status: Annotated[Status | None, Query(description="Only runs in this state.")] = None
    manual_only: Annotated[bool, Query(description="Only runs that the clock did not begin.")] = False
    scheduled_only: Annotated[bool, Query(description="Only runs that the clock began.")] = False
    repository: Annotated[
        str | None, Query(max_length=4096, description="Only runs into this repository: its location, name or id.")
    ] = None

    def choose(self, runs: Iterable[RunRecord], view: View) -> Iterator[RunRecord]:
        """Return those of the runs that are. Raises NoSuchObjectError for a repository that nobody knows."""
        into = None if self.repository is None else _find_repositories(self.repository, view)
        return self._choose(runs, view, into)

    def _choose(self, runs: Iterable[RunRecord], view: View, into: frozenset[str] | None) -> Iterator[RunRecord]:
        excluded = {
            name for name, is_out in (("schedule", self.manual_only), ("manual", self.scheduled_only)) if is_out
        }
        for run in runs:
            if (
                run.operation is Operation.BACKUP
                and (self.status is None or run_status(run) == self.status)
                and triggered_by(run) not in excluded
                and (into is None or not into.isdisjoint(view.targets_of(run)))
            ):
                yield run


def _find_repositories(reference: str, view: View) -> frozenset[str]:
    """Return the names of those of that id, name or location; of one that is gone runs still tell."""
    by_id = view.repositories.find(reference)
    names = {by_id.metadata.name} if by_id else {item.metadata.name for item in view.repositories_at(reference)}
    if not names and not any(reference in view.targets_of(run) for run in view.runs.in_order()):
        raise no_such_place(reference)
    return frozenset(names or {reference})


async def render_page(
    runs: Iterable[RunRecord], view: View, limit: int | None, token: str | None
) -> tuple[list[Run], str | None]:
    """Return what comes after the token of runs that are sorted, newest first, and the token of what follows."""
    before = decode_token(token)
    remaining = (run for run in runs if before is None or run.order < before)
    found = list(islice(remaining, limit and limit + 1))
    shown, following = cut_page(found, limit, lambda run: run.order)
    return [render_run(run, view) async for run in in_turns(shown)], following
