"""All routes of the page, and the paths below which they are."""

from fastapi import APIRouter

from borg_api.page.actions import route as actions
from borg_api.page.pages import archives, claims, overview, repositories, restores, runs, schedules, scripts, session

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    schedules.router,
    runs.router,
    repositories.router,
    archives.router,
    restores.router,
    claims.router,
    scripts.router,
    session.router,
    actions.router,
)
