"""What tells this cluster from others: the uid of its namespace kube-system, which lives as long as it does."""

import asyncio
import logging

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError
from borg_core.registry import ResourceType

logger = logging.getLogger(__name__)

_NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
_RETRY_SECONDS = 2.0


async def find_cluster(api: ApiServer, *, retry_seconds: float = _RETRY_SECONDS) -> str:
    """Return the uid as soon as the API server tells it.

    Nothing is begun without: archives that do not say of which cluster they are would not be this cluster's later.
    """
    while True:
        try:
            if body := await api.get(_NAMESPACES, "", "kube-system"):
                return str(body["metadata"]["uid"])
            what = "there is no namespace kube-system"
        except ApiError as error:
            what = str(error) or type(error).__name__
        logger.warning("cannot tell which cluster this is, and waits (or set operator.clusterName): %s", what)
        await asyncio.sleep(retry_seconds)
