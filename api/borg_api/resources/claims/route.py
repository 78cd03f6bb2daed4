"""/api/claims: which claims of a namespace are backed up, and which by nobody."""

from fastapi import Request, Response

from borg_api.edge.bodies import send
from borg_api.edge.guard import GuardedRoute, TheCaller, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.edge.paging import Continue, Limit
from borg_api.resources.claims.listing import LIST, demand_rights, read_claims, render_claims
from borg_api.resources.claims.response import Claims

router = ApiRouter(route_class=GuardedRoute, tags=["Choices"])


@router.get("/api/claims", responses=answers(Claims))
@requires(LIST)
async def list_claims(
    request: Request, caller: TheCaller, view: TheView, limit: Limit = None, token: Continue = None
) -> Response:
    """List the PersistentVolumeClaims, by name, each with the schedules that back it up.

    They are read with the caller's token. When a claim was backed up last is shown to those who may list archives.
    """
    await demand_rights(request, view)
    found, following = await read_claims(caller, view, limit, token or "")
    body: Claims = {"success": True, "claims": await render_claims(request, view, found)}
    if limit:
        body["continue"] = following
    return send(body)
