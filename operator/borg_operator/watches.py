"""kopf as the informer: each watched kind feeds the store, and each event names who is to be looked at again.

kopf calls all index functions of the first listings before any event handler, so nothing is reconciled on half the
picture. No finalizers, no annotations, no state of kopf's anywhere.
"""

import logging
from typing import Any

import kopf
from pydantic import ValidationError

from borg_cluster.resources import CLAIMS, WATCHED, ResourceType
from borg_operator.controller import Controller
from borg_operator.resync import SELECTORS
from borg_operator.statelessness import NoDiffBase, NoProgress
from borg_operator.store import Store

logger = logging.getLogger(__name__)


def configure(settings: kopf.OperatorSettings) -> None:
    """Set what kopf does by default and this operator does not want."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.networking.request_timeout = 30
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 600
    for resource, selector in SELECTORS.items():
        settings.watching.label_selectors[resource.group, resource.version, resource.plural] = selector


def register(registry: kopf.OperatorRegistry, store: Store, controller: Controller) -> None:
    """Register the watches of all kinds, and how kopf signs in."""
    kopf.on.login(registry=registry)(_log_in)
    for resource in WATCHED:
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
