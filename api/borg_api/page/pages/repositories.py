"""/repositories: where archives are, how much room they take, and whether they can be read."""

from fastapi import APIRouter, Request, Response

from borg_api.edge.bodies import derive_etag
from borg_api.edge.guard import Permission, TheView, is_allowed, requires
from borg_api.page.frame.answers import show
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.history import space_of
from borg_api.page.insight.matter import WORDS
from borg_api.page.insight.repositories import find_matters_of
from borg_api.page.pages.runs import titles_of
from borg_api.page.show.charts import draw_space
from borg_api.page.show.times import size
from borg_api.picture.records import edition_of
from borg_api.resources.archives.route import LIST as LIST_ARCHIVES
from borg_api.resources.checks.response import render_drill_schedule, render_schedule
from borg_api.resources.repositories.route import LIST, RepositoryId, find_repository
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_contract.run import Operation as Work
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.workload.plan import derive_location

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ARCHIVES, _RUNS, _POINTS = 8, 12, 60
_PROOFS = (Work.CHECK, Work.DRILL)


@router.get("/repositories")
@requires(LIST)
async def list_repositories(request: Request, view: TheView) -> Response:
    found = view.repositories.in_order()
    return show(
        request,
        "repositories.html",
        repositories=[(item, next(iter(find_matters_of(item)), None)) for item in found],
        words=WORDS,
        locate=derive_location,
    )


@router.get("/repositories/{repository_id}")
@requires(LIST)
async def show_repository(request: Request, view: TheView, repository_id: RepositoryId) -> Response:
    found = find_repository(view, repository_id)
    name = found.metadata.name
    sees_runs = await is_allowed(request, LIST_RUNS)
    runs = [run for run in view.runs.in_order() if name in view.targets_of(run)] if sees_runs else []
    sees_archives = await is_allowed(request, LIST_ARCHIVES)
    archives = view.archives_in(name) if sees_archives else []
    points = space_of(runs, name)[-_POINTS:]
    return show(
        request,
        "repository.html",
        repository=found,
        name=name,
        spec=found.spec,
        status=found.status,
        location=derive_location(found),
        matters=find_matters_of(found),
        words=WORDS,
        points=points,
        chart=draw_space(
            [point for point, _ in points],
            f"Space of {name}: {size(points[0][0].value)} at first, {size(points[-1][0].value)} now" if points else "",
        ),
        archives=list(reversed(archives))[:_ARCHIVES],
        known=len(archives),
        sees_archives=sees_archives,
        proofs=[run for run in reversed(runs) if run.operation in _PROOFS][:_RUNS],
        check=render_schedule(found),
        drill=render_drill_schedule(found),
        etag=derive_etag(None, edition_of(found.metadata)),
        schedules=[
            record
            for record in view.schedules.in_order()
            if name in [ref.name for ref in record.resource.spec.repository_refs]
        ]
        if await is_allowed(request, LIST_SCHEDULES)
        else [],
        titles=await titles_of(request, view),
        busy=[run for run in view.unfinished_runs() if name in view.targets_of(run)] if sees_runs else [],
        may_check=await is_allowed(request, Permission("create", RUNS)),
        may_patch=await is_allowed(request, Permission("patch", REPOSITORIES)),
    )


@router.get("/drills")
@requires(LIST)
async def list_drills(request: Request, view: TheView) -> Response:
    runs = view.runs.in_order() if await is_allowed(request, LIST_RUNS) else []
    return show(
        request,
        "drills.html",
        repositories=view.repositories.in_order(),
        runs=[run for run in reversed(runs) if run.operation in _PROOFS][: 2 * _RUNS],
    )
