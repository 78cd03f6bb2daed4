"""/claims: what is backed up, and what by nobody."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from borg_api.edge.guard import TheCaller, TheView, requires
from borg_api.edge.parts import provide
from borg_api.page.frame.answers import show
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.attention import of_schedule
from borg_api.page.insight.matter import Level
from borg_api.page.pages.schedules import Number, Words
from borg_api.picture.timetable import Timetable, whole_now
from borg_api.resources.claims.listing import LIST, demand_rights, read_claims, render_claims
from borg_api.resources.claims.response import Claim

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE = 100


@router.get("/claims")
@requires(LIST)
async def list_claims(
    request: Request,
    caller: TheCaller,
    view: TheView,
    timetable: Annotated[Timetable, Depends(provide(Timetable))],
    *,
    q: Words = "",
    page: Number = 1,
) -> Response:
    await demand_rights(request, view)
    claims, _ = await read_claims(caller, view, None)
    wanted = q.strip()
    found = [claim for claim in await render_claims(request, view, claims) if wanted in claim["name"]]
    now = whole_now()
    failing = {
        record.name
        for record in view.schedules.in_order()
        if any(matter.level is Level.FAILING for matter in of_schedule(record, view, timetable, now))
    }
    doubtful = {claim["name"] for claim in found if claim["protected"] and not _is_held(claim, failing)}
    found.sort(key=lambda claim: _order(claim, doubtful))
    return show(
        request,
        "claims.html",
        failing=failing,
        doubtful=doubtful,
        claims=found[(page - 1) * PAGE : page * PAGE],
        found=len(found),
        all=len(claims),
        q=q,
        page=page,
        pages=-(-len(found) // PAGE),
    )


def _is_held(claim: Claim, failing: Collection[str]) -> bool:
    """Tell whether a schedule backs it up of which nothing says that it makes no backups."""
    covers = claim["schedules"]
    return any(cover["ready"] and not cover["suspended"] and cover["name"] not in failing for cover in covers)


def _order(claim: Claim, doubtful: Collection[str]) -> tuple[int, str]:
    """Return where it stands: what nobody backs up and nobody says why comes first."""
    name, is_explained = claim["name"], claim["ignored"] or claim["repository"] is not None
    if claim["protected"]:
        return 1 if name in doubtful else 2, name
    return 3 if is_explained and not claim["schedules"] else 0, name
