"""The overview, /: whether all is safe, and what has to be done."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from borg_api.edge.guard import TheCaller, TheView, is_allowed, requires
from borg_api.edge.parts import provide
from borg_api.page.frame.answers import show
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.attention import find_matters
from borg_api.page.insight.history import backups_of, states_of
from borg_api.page.insight.matter import WORDS
from borg_api.page.insight.overview import derive_verdict, find_proof, find_underway
from borg_api.picture.timetable import Timetable, whole_now
from borg_api.resources.archives.route import LIST as LIST_ARCHIVES
from borg_api.resources.claims.listing import NEEDED, Glance, cover, glance_at_claims
from borg_api.resources.repositories.route import LIST as LIST_REPOSITORIES
from borg_api.resources.restores.listing import read_progress
from borg_api.resources.restores.route import LIST as LIST_RESTORES
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.schedules.route import LIST
from borg_core.kinds.repository import REPOSITORIES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_STRIPS, _NEXT, _MATTERS, _UNDERWAY = 12, 8, 20, 10


@router.get("/")
@requires(LIST)
async def show_overview(
    request: Request,
    view: TheView,
    caller: TheCaller,
    listing: Annotated[Listing, Depends(provide(Listing))],
    timetable: Annotated[Timetable, Depends(provide(Timetable))],
) -> Response:
    now = whole_now()
    sees = {
        "runs": await is_allowed(request, LIST_RUNS),
        "repositories": await is_allowed(request, LIST_REPOSITORIES),
        "restores": await is_allowed(request, LIST_RESTORES),
        "archives": await is_allowed(request, LIST_ARCHIVES),
    }
    matters = [matter for matter in find_matters(view, timetable, now) if sees.get(matter.what, True)]
    records = view.schedules.in_order()
    titles = {record.name: record.resource.title for record in records}
    repositories = view.repositories.in_order() if sees["repositories"] else []
    restores = view.restores.in_order() if sees["restores"] else []
    page = await listing.page(view, now)
    troubled = {matter.name: number for number, matter in enumerate(matters) if matter.what == "schedules"}
    shown = sorted(records, key=lambda record: (troubled.get(record.name, len(matters)), record.resource.title))
    glance = await glance_at_claims(request, caller, view, NEEDED)
    bare = sum(item.matters and not item.protected for item in await cover(view, glance.claims))
    return show(
        request,
        "overview.html",
        verdict=derive_verdict(view, matters, now, bare=None if glance.failed else bare),
        bare=bare,
        uncounted=_tell_uncounted(glance, view.namespace),
        matters=matters[:_MATTERS],
        more_matters=len(matters) - _MATTERS,
        words=WORDS,
        sees=sees,
        schedules=len(records),
        strips=[
            (record, states_of(backups_of(view, record.name)) if sees["runs"] else []) for record in shown[:_STRIPS]
        ],
        upcoming=page.soonest[:_NEXT],
        underway=find_underway(view, await read_progress(request, caller, view, restores), titles, now, _UNDERWAY)
        if sees["runs"]
        else [],
        repositories=repositories,
        proof=find_proof(view, repositories),
        kind=REPOSITORIES.kind,
    )


def _tell_uncounted(glance: Glance, namespace: str) -> str:
    """Return which claims were not looked at, and why; empty where all were that can be."""
    if glance.missing:
        return f"Claims are not looked at here. You may not {glance.missing.describe(namespace)}."
    return f"Of the claims, the first {glance.first:,} were looked at." if glance.first else ""
