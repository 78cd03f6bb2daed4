"""What needs no token: probes, metrics, and what replicas ask each other."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from borg_api import peers, schema
from borg_api.facade import TheFacade
from borg_api.metrics import CONTENT_TYPE
from borg_api.problem import Problem
from borg_api.routes.answers import answer

_WAITING_LIMIT = 5_000

router = APIRouter(tags=["Health"])


@router.get("/livez", responses={200: {"model": schema.Health}})
async def live() -> Response:
    """Say that the process answers."""
    return answer({"status": "ok"})


@router.get("/readyz", responses={200: {"model": schema.Health}, **schema.problems(503)})
async def ready(facade: TheFacade) -> Response:
    """Say whether all has been listed once: from then on reads are answered, even while the API server is away.

    And whether the other replicas know this one, so that what is written through them is seen here at once.
    """
    if not facade.mirror.filled:
        raise Problem(503, "The first listing is not complete yet.", headers={"Retry-After": "1"})
    if not facade.peers.introduced:
        raise Problem(503, "The other replicas do not know this one yet.", headers={"Retry-After": "1"})
    return answer({"status": "ok", "age_seconds": facade.mirror.age()})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(facade: TheFacade) -> Response:
    """Show counters in Prometheus' text format."""
    facade.metrics.age.set(facade.mirror.age())
    for kind, count in facade.mirror.counts().items():
        facade.metrics.objects.labels(kind).set(count)
    return Response(facade.metrics.render(), media_type=CONTENT_TYPE)


@router.get(peers.KNOWN, include_in_schema=False)
async def known(facade: TheFacade, address: Annotated[str, Query(max_length=63)]) -> Response:
    """Say whether writes through this replica wait for the one of that address."""
    return answer({"known": await facade.peers.know(address)})


@router.get(peers.SEEN, include_in_schema=False)
async def seen(
    facade: TheFacade,
    kind: Annotated[str, Query(max_length=63)],
    namespace: Annotated[str, Query(max_length=63)],
    version: Annotated[int, Query(ge=0, lt=2**63)],
) -> Response:
    """Answer as soon as the watch has come to the version; 503 if it does not."""
    catalogue = facade.mirror.find(kind, namespace)
    if catalogue is None:
        raise Problem(404, "Nothing of that kind is watched here.")
    if catalogue.waiting > _WAITING_LIMIT:
        raise Problem(503, "Too many are waiting already.", headers={"Retry-After": "1"})
    try:
        await asyncio.wait_for(catalogue.seen(version), peers.WAIT_SECONDS)
    except TimeoutError:
        raise Problem(503, "The watch has not come to that version.", headers={"Retry-After": "1"}) from None
    return answer({"seen": version})
