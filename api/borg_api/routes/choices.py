"""/api/repositories/ and /api/scripts: what a schedule can name."""

from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Response

from borg_api import schema
from borg_api.access import Permission
from borg_api.choices import render_repositories, render_script
from borg_api.facade import TheFacade
from borg_api.guard import GuardedRoute, TheCaller, requires
from borg_api.paging import Continue, Limit, decode_token, encode_token
from borg_api.records import order_of
from borg_api.routes.answers import answer
from borg_api.schedule.timetable import whole_now
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.script import SCRIPTS

router = APIRouter(route_class=GuardedRoute, tags=["Choices"])


@router.get("/api/repositories/", responses=schema.answers(schema.Repositories))
@requires(Permission("list", REPOSITORIES))
async def list_repositories(
    facade: TheFacade, caller: TheCaller, limit: Limit = None, token: Continue = None
) -> Response:
    """List the repositories, oldest first."""
    shelf = facade.mirror.shelf(caller.namespace)
    found = shelf.repositories.in_order(caller.namespace, decode_token(token))
    shown = render_repositories(shelf, caller.namespace, found[:limit], facade.listing, whole_now())
    if limit is None:
        return answer({"success": True, "repositories": shown})
    more = len(found) > limit
    last = order_of(found[limit - 1]) if more else None
    return answer({"success": True, "repositories": shown, "continue": encode_token(last)})


@router.get("/api/scripts", responses=schema.answers(list[schema.Script]))
@requires(Permission("list", SCRIPTS))
async def list_scripts(facade: TheFacade, caller: TheCaller, limit: Limit = None, token: Continue = None) -> Response:
    """List the scripts of the library, oldest first. With `limit`, the header Link leads on."""
    shelf = facade.mirror.shelf(caller.namespace)
    found = shelf.scripts.in_order(caller.namespace, decode_token(token))
    body = orjson.dumps([render_script(script) for script in found[:limit]])
    if limit is None or len(found) <= limit:
        return answer(body)
    query = urlencode(
        {"namespace": caller.namespace, "limit": limit, "continue": encode_token(order_of(found[limit - 1]))}
    )
    return answer(body, {"Link": f'</api/scripts?{query}>; rel="next"'})
