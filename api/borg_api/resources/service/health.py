"""What needs no token: probes and metrics."""

from typing import Annotated, NotRequired

from fastapi import Depends, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer, send
from borg_api.edge.errors import UnavailableError
from borg_api.edge.openapi import ApiRouter, problems
from borg_api.edge.parts import provide
from borg_api.metrics import CONTENT_TYPE, Metrics
from borg_api.picture.picture import Picture
from borg_api.picture.replicas import Replicas

router = ApiRouter(tags=["Health"])

ThePicture = Annotated[Picture, Depends(provide(Picture))]
TheReplicas = Annotated[Replicas, Depends(provide(Replicas))]


@answer
class Health(TypedDict):
    status: str
    age_seconds: NotRequired[Annotated[int, Field(description="For how long what is shown may have been out of date.")]]


@router.get("/livez", responses={200: {"model": Health}})
async def live() -> Response:
    """Say that the process answers."""
    body: Health = {"status": "ok"}
    return send(body)


@router.get("/readyz", responses={200: {"model": Health}, **problems(503)})
async def ready(picture: ThePicture, replicas: TheReplicas) -> Response:
    """Say whether all has been listed once: from then on reads are answered, even while the API server is away.

    And whether the other replicas know this one, so that what is written through them is seen here at once.
    """
    if not picture.filled:
        raise UnavailableError("The first listing is not complete yet.", seconds=1)
    if not replicas.introduced:
        raise UnavailableError("The other replicas do not know this one yet.", seconds=1)
    body: Health = {"status": "ok", "age_seconds": picture.age()}
    return send(body)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(picture: ThePicture, counted: Annotated[Metrics, Depends(provide(Metrics))]) -> Response:
    """Show counters in Prometheus' text format."""
    counted.age.set(picture.age())
    for kind, count in picture.counts().items():
        counted.objects.labels(kind).set(count)
    return Response(counted.render(), media_type=CONTENT_TYPE)
