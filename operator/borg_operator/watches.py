"""kopf as the informer: each watched kind feeds the store, and each event names who is to be looked at again.

kopf calls all index functions of the first listings before any event handler, so nothing is reconciled on half the
picture. No finalizers, no annotations, no state of kopf's anywhere.
"""

import asyncio
import logging
from typing import Any

import kopf
from pydantic import ValidationError

from borg_cluster.api_server import ApiError, ApiServer
from borg_core.kinds.base import GROUP
from borg_core.native.claim import CLAIMS
from borg_core.registry import ResourceType, watched_kinds
from borg_operator.controller import Controller
from borg_operator.statelessness import NoDiffBase, NoProgress
from borg_operator.store import Store

logger = logging.getLogger(__name__)

_AWAIT_SECONDS = 2.0
_NOT_FOUND = 404


def configure(settings: kopf.OperatorSettings, *, clusterwide: bool) -> None:
    """Set what kopf does by default and this operator does not want.

    Not `clusterwide`: it has rights in its namespaces alone, so kopf must not look for CRDs and namespaces that come.
    """
    settings.scanning.disabled = not clusterwide
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.networking.request_timeout = 30
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 600
    for kind in watched_kinds():
        if kind.selector:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector


async def await_kinds(api: ApiServer, namespaces: tuple[str, ...]) -> None:
    """Return when the API server serves our kinds. Raises what ApiServer raises, but for kinds it does not know.

    For an operator of some namespaces: with scanning off, kopf looks for kinds once, and would never see later ones.
    """
    for resource in (kind for kind in watched_kinds() if kind.group == GROUP):
        while not await _is_served(api, resource, namespaces[0]):
            logger.warning("%s.%s are not served: waiting for the CRDs of this operator", resource.plural, GROUP)
            await asyncio.sleep(_AWAIT_SECONDS)


async def _is_served(api: ApiServer, resource: ResourceType, namespace: str) -> bool:
    try:
        async for _ in api.list_metadata(resource, namespace, label_selector="borgoperator.io/none"):
            break
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return False
        raise
    return True


def register(registry: kopf.OperatorRegistry, store: Store, controller: Controller) -> None:
    """Register the watches of all kinds, and how kopf signs in."""
    kopf.on.login(registry=registry)(_log_in)
    for resource in watched_kinds():
        _register(registry, resource, store, controller)


def _log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _register(registry: kopf.OperatorRegistry, resource: ResourceType, store: Store, controller: Controller) -> None:
    collection = store.of(resource.kind)
    where = (resource.group, resource.version, resource.plural)

    # Both are coroutines so that kopf calls them in the event loop and not in threads: the store is used from one.
    async def feed(body: kopf.Body, **_: Any) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if collection.get(namespace, name) is not None:
            # Who was concerned until now (a repository that is no longer referred to) is, too.
            controller.notice(resource.kind, namespace, name)
        try:
            collection.put(dict(body))
        except ValidationError:
            logger.exception("%s %s/%s cannot be read", resource.kind, namespace, name)

    async def notice(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if event["type"] == "DELETED":
            # Who is concerned can only be told while the object is still known.
            controller.notice(resource.kind, namespace, name)
            collection.remove(namespace, name, body["metadata"]["uid"])
        elif resource is CLAIMS and event["type"] == "MODIFIED":
            return  # only whether it exists matters, and a namespace may have many
        controller.notice(resource.kind, namespace, name)

    kopf.index(*where, id=f"store-{resource.plural}", registry=registry)(feed)
    kopf.on.event(*where, id=f"notice-{resource.plural}", registry=registry)(notice)
