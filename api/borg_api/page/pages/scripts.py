"""/scripts: what can run around a backup."""

from fastapi import APIRouter, Request, Response

from borg_api.edge.guard import Permission, TheView, is_allowed, requires
from borg_api.page.frame.answers import show
from borg_api.page.frame.guard import PageRoute
from borg_api.picture.picture import View
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/scripts")
@requires(Permission("list", SCRIPTS))
async def list_scripts(request: Request, view: TheView) -> Response:
    sees_schedules = await is_allowed(request, LIST_SCHEDULES)
    return show(
        request,
        "scripts.html",
        scripts=view.scripts.in_order(),
        users=_users_of(view) if sees_schedules else {},
        sees_schedules=sees_schedules,
        kind=SCHEDULES.kind,
    )


def _users_of(view: View) -> dict[str, list[tuple[str, str]]]:
    """Return names and titles of the schedules that use each script, by the script's name."""
    users: dict[str, list[tuple[str, str]]] = {}
    for record in view.schedules.in_order():
        for hook in record.resource.spec.hooks.given:
            users.setdefault(hook.script_ref.name, []).append((record.name, record.resource.title))
    return users
