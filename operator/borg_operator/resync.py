"""Finding what is gone without a word: after an interrupted watch, deletions that happened meanwhile bring no event."""

from borg_cluster.api_server import ApiServer
from borg_core.registry import watched_kinds
from borg_operator.store import Store


async def purge_ghosts(store: Store, api: ApiServer, namespaces: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Forget what the cluster does not have any more; return (kind, namespace, name) of each."""
    ghosts: list[tuple[str, str, str]] = []
    for resource in watched_kinds():
        collection = store.of(resource.kind)
        known = collection.uids()  # before listing: what comes while it lasts is no ghost
        alive: set[str] = set()
        for namespace in namespaces or (None,):
            async for metadata in api.list_metadata(resource, namespace, resource.selector):
                alive.add(metadata["uid"])
        for (namespace_of, name), uid in known.items():
            if uid not in alive:
                collection.remove(namespace_of, name, uid)
                ghosts.append((resource.kind, namespace_of, name))
    return ghosts
