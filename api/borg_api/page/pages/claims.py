"""/claims: what is backed up, and what by nobody."""

from fastapi import APIRouter, Request, Response

from borg_api.edge.guard import TheCaller, TheView, requires
from borg_api.page.frame.answers import show
from borg_api.page.frame.guard import PageRoute
from borg_api.page.pages.schedules import Number, Words
from borg_api.resources.claims.listing import LIST, demand_rights, read_claims, render_claims
from borg_api.resources.claims.response import Claim

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE = 100


@router.get("/claims")
@requires(LIST)
async def list_claims(request: Request, caller: TheCaller, view: TheView, q: Words = "", page: Number = 1) -> Response:
    await demand_rights(request, view)
    claims, _ = await read_claims(caller, view, None)
    wanted = q.strip()
    found = [claim for claim in await render_claims(request, view, claims) if wanted in claim["name"]]
    found.sort(key=_order)
    return show(
        request,
        "claims.html",
        claims=found[(page - 1) * PAGE : page * PAGE],
        found=len(found),
        all=len(claims),
        q=q,
        page=page,
        pages=-(-len(found) // PAGE),
    )


def _order(claim: Claim) -> tuple[int, str]:
    """Return where it stands: what nobody backs up and nobody says why comes first."""
    is_explained = claim["ignored"] or claim["repository"] is not None
    return 1 if claim["protected"] else 2 if is_explained and not claim["schedules"] else 0, claim["name"]
