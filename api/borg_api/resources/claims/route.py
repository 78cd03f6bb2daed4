"""/api/claims: which claims of a namespace are backed up, and which by nobody."""

from fastapi import APIRouter, Request, Response

from borg_api.edge.bodies import send
from borg_api.edge.errors import InvalidValueError, NotAllowedError
from borg_api.edge.guard import GuardedRoute, Permission, TheCaller, TheView, is_allowed, requires
from borg_api.edge.openapi import answers
from borg_api.edge.paging import Continue, Limit
from borg_api.resources.archives.route import LIST as LIST_ARCHIVES
from borg_api.resources.claims.response import Claims, collect_last, render_claim
from borg_api.resources.repositories.route import LIST as LIST_REPOSITORIES
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_cluster.errors import Expired
from borg_cluster.turns import in_turns
from borg_core.claims.coverage import derive_coverage
from borg_core.native.claim import CLAIMS, ObservedClaim

router = APIRouter(route_class=GuardedRoute, tags=["Choices"])

_AT_ONCE = 500


@router.get("/api/claims", responses=answers(Claims))
@requires(Permission("list", CLAIMS))
async def list_claims(
    request: Request, caller: TheCaller, view: TheView, limit: Limit = None, token: Continue = None
) -> Response:
    """List the PersistentVolumeClaims, by name, each with the schedules that back it up.

    They are read with the caller's token. When a claim was backed up last is shown to those who may list archives.
    """
    for permission in (LIST_SCHEDULES, LIST_REPOSITORIES):
        if not await is_allowed(request, permission):
            raise NotAllowedError(f"You may not {permission.describe(view.namespace)}.")
    found: list[ObservedClaim] = []
    following = token or ""
    while True:
        try:
            page = await caller.api.list_page(CLAIMS, view.namespace, following, limit=limit or _AT_ONCE)
        except Expired as error:
            raise InvalidValueError("This list has become too old: leave it out to begin anew.", "continue") from error
        found += [CLAIMS.parse(body) for body in page["items"]]
        following = page["metadata"].get("continue", "")
        if limit or not following:
            break
    schedules = [record.resource for record in view.schedules.in_order()]
    repositories = view.repositories.in_order()
    archives = []
    if await is_allowed(request, LIST_ARCHIVES):
        archives = [archive for item in repositories for archive in view.archives_in(item.metadata.name)]
    last = collect_last(archives)
    coverage = derive_coverage(schedules, repositories, found)
    body: Claims = {
        "success": True,
        "claims": [render_claim(item, last) async for item in in_turns(coverage)],
    }
    if limit:
        body["continue"] = following or None
    return send(body)
