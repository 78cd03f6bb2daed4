"""The parts of the facade and how they hang together: made once, found by every route."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from borg_api.access import Access
from borg_api.configuration import Configuration
from borg_api.metrics import Metrics
from borg_api.mirror import Mirror
from borg_api.peers import Peers
from borg_api.schedule.listing import Listing
from borg_cluster.api_server import ApiServer
from borg_cluster.connection import connect, without_credentials

MANAGER = "borg-api"
"""Field manager of the facade's writes, made with the callers' tokens."""

_OWN_CONNECTIONS = 20  # four watches a namespace, a heartbeat
_CALLERS_CONNECTIONS = 64


@dataclass(frozen=True)
class Facade:
    configuration: Configuration
    mirror: Mirror
    access: Access
    peers: Peers
    listing: Listing
    metrics: Metrics
    own: ApiServer
    """Acts as the facade itself: reads our kinds, and nothing else."""
    nobody: ApiServer

    @classmethod
    async def create(cls, configuration: Configuration, metrics: Metrics) -> "Facade":
        """Return the facade, connected and with its watches begun."""
        client = await connect(_OWN_CONNECTIONS + 4 * len(configuration.namespaces), manager=MANAGER)
        own = ApiServer(client, observe=metrics.asked_as_itself)
        nobody = ApiServer(without_credentials(client, _CALLERS_CONNECTIONS), observe=metrics.asked_as_caller)
        mirror = Mirror(own, configuration.namespaces)
        peers = Peers(configuration)
        facade = cls(configuration, mirror, Access(nobody, mirror), peers, Listing(mirror), metrics, own, nobody)
        await peers.start()
        mirror.start()
        return facade

    async def stop(self) -> None:
        await self.mirror.stop()
        await self.peers.stop()
        await self.own.close()
        await self.nobody.close()


async def _get_facade(request: Request) -> Facade:
    facade: Facade = request.app.state.facade
    return facade


TheFacade = Annotated[Facade, Depends(_get_facade)]
