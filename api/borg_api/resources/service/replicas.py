"""What the replicas of the facade ask each other: see `picture.replicas`."""

import asyncio
from typing import Annotated

from fastapi import Depends, Query, Response

from borg_api.edge.bodies import send
from borg_api.edge.errors import NoSuchObjectError, UnavailableError
from borg_api.edge.openapi import ApiRouter
from borg_api.edge.parts import provide
from borg_api.picture import replicas
from borg_api.picture.picture import Picture
from borg_api.picture.replicas import Replicas

router = ApiRouter()

_WAITING_LIMIT = 5_000


@router.get(replicas.KNOWN, include_in_schema=False)
async def known(
    others: Annotated[Replicas, Depends(provide(Replicas))], address: Annotated[str, Query(max_length=63)]
) -> Response:
    """Say whether writes through this replica wait for the one of that address."""
    return send({"known": await others.knows(address)})


@router.get(replicas.SEEN, include_in_schema=False)
async def seen(
    picture: Annotated[Picture, Depends(provide(Picture))],
    kind: Annotated[str, Query(max_length=63)],
    namespace: Annotated[str, Query(max_length=63)],
    version: Annotated[int, Query(ge=0, lt=2**63)],
) -> Response:
    """Answer as soon as the watch has come to the version; 503 if it does not."""
    index = picture.find_index(kind, namespace)
    if index is None:
        raise NoSuchObjectError("Nothing of that kind is watched here.")
    if index.waiting > _WAITING_LIMIT:
        raise UnavailableError("Too many are waiting already.", seconds=1)
    try:
        await asyncio.wait_for(index.seen(version), replicas.WAIT_SECONDS)
    except TimeoutError:
        raise UnavailableError("The watch has not come to that version.", seconds=1) from None
    return send({"seen": version})
