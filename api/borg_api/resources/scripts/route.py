"""/api/scripts: what a schedule can run around its backups."""

from urllib.parse import urlencode

from fastapi import Response

from borg_api.edge.bodies import send
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.edge.paging import Continue, Limit, cut_page, decode_token
from borg_api.picture.records import order_of
from borg_api.resources.scripts.response import Script, render_script
from borg_core.kinds.script import SCRIPTS

router = ApiRouter(route_class=GuardedRoute, tags=["Choices"])


@router.get("/api/scripts", responses=answers(list[Script]))
@requires(Permission("list", SCRIPTS))
async def list_scripts(view: TheView, limit: Limit = None, token: Continue = None) -> Response:
    """List the scripts of the library, oldest first. With `limit`, the header Link leads on."""
    shown, following = cut_page(view.scripts.in_order(decode_token(token)), limit, order_of)
    body = [render_script(script) for script in shown]
    if following is None:
        return send(body)
    query = urlencode({"namespace": view.namespace, "limit": limit, "continue": following})
    return send(body, {"Link": f'</api/scripts?{query}>; rel="next"'})
