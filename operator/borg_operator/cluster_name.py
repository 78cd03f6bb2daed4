"""What tells this cluster from others: the uid of its namespace kube-system, which lives as long as it does."""

import asyncio
import logging

from borg_cluster.client import ApiServer
from borg_cluster.errors import Refused, Unreachable
from borg_core.registry import ResourceType

logger = logging.getLogger(__name__)

_NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
_RETRY_SECONDS = 2.0


async def find_cluster(api: ApiServer, *, retry_seconds: float = _RETRY_SECONDS) -> str:
    """Return the uid, empty where this operator may not read it: archives then do not say of which cluster they are."""
    while True:
        try:
            body = await api.get(_NAMESPACES, "", "kube-system")
        except Refused as error:
            logger.info("archives will not say of which cluster they are, for no clusterName is set: %s", error)
            return ""
        except Unreachable as error:
            logger.warning("cannot tell yet which cluster this is: %s", error)
            await asyncio.sleep(retry_seconds)
        else:
            return str(body["metadata"]["uid"]) if body else ""
