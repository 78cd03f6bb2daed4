"""Claims as the API server has them, and who backs them up: read with the caller's token, as nobody watches them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from borg_api.edge.errors import InvalidValueError, NotAllowedError
from borg_api.edge.guard import Caller, Permission, is_allowed
from borg_api.picture.picture import View
from borg_api.resources.archives.route import LIST as LIST_ARCHIVES
from borg_api.resources.claims.response import Claim, collect_last, render_claim
from borg_api.resources.repositories.route import LIST as LIST_REPOSITORIES
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_cluster.errors import ApiError, Expired
from borg_cluster.turns import in_turns
from borg_core.claims.coverage import Coverage, derive_coverage
from borg_core.native.claim import CLAIMS, ObservedClaim

LIST = Permission("list", CLAIMS)
NEEDED = (LIST, LIST_SCHEDULES, LIST_REPOSITORIES)
"""Without one of these rights nobody can tell which claims are backed up."""

AT_ONCE = 500
GLANCE_SECONDS = 3.0


@dataclass(frozen=True)
class Glance:
    """`missing`: the right without which nobody can tell; `first`: there are more than so many."""

    claims: Sequence[ObservedClaim] = ()
    missing: Permission | None = None
    failed: bool = False
    first: int | None = None


async def demand_rights(request: Request, view: View) -> None:
    """Return for a caller who has the rights that are needed. Raises NotAllowedError, which names what is missing."""
    for permission in NEEDED:
        if not await is_allowed(request, permission):
            raise NotAllowedError(f"You may not {permission.describe(view.namespace)}.")


async def glance_at_claims(request: Request, caller: Caller, view: View, needed: Sequence[Permission]) -> Glance:
    """Return the first claims, for what does without: none where a right is missing, or they cannot be read soon."""
    try:
        async with asyncio.timeout(GLANCE_SECONDS):
            for permission in needed:
                if not await is_allowed(request, permission):
                    return Glance(missing=permission)
            claims, following = await read_claims(caller, view, AT_ONCE)
    except (ApiError, TimeoutError):
        return Glance(failed=True)
    return Glance(claims, first=len(claims) if following else None)


async def read_claims(
    caller: Caller, view: View, limit: int | None, token: str = ""
) -> tuple[list[ObservedClaim], str | None]:
    """Return at most so many claims from the token on, by name, and the token of what follows; None: all of them.

    Raises ApiError, InvalidValueError.
    """
    found: list[ObservedClaim] = []
    while True:
        try:
            page = await caller.api.list_page(CLAIMS, view.namespace, token, limit=limit or AT_ONCE)
        except Expired as error:
            raise InvalidValueError("This list has become too old: leave it out to begin anew.", "continue") from error
        found += [CLAIMS.parse(body) for body in page["items"]]
        token = page["metadata"].get("continue", "")
        if limit or not token:
            return found, token or None


async def cover(view: View, claims: Sequence[ObservedClaim]) -> list[Coverage]:
    """Return who backs up each of the claims: in a thread, as every schedule may choose among all of them."""
    schedules = [record.resource for record in view.schedules.in_order()]
    return await asyncio.to_thread(derive_coverage, schedules, view.repositories.in_order(), claims)


async def render_claims(request: Request, view: View, claims: list[ObservedClaim]) -> list[Claim]:
    """Return the claims as REST tells them. When one was backed up last, those see who may list archives."""
    archives = []
    if await is_allowed(request, LIST_ARCHIVES):
        archives = [item for each in view.repositories.in_order() for item in view.archives_in(each.metadata.name)]
    last = collect_last(archives)
    return [render_claim(item, last) async for item in in_turns(await cover(view, claims))]
