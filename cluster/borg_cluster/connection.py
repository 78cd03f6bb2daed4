"""The way to the API server: the official client's address and credentials, on a pool of connections of its own."""

import copy
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config

from borg_core import labels


async def connect(connections: int, *, manager: str = labels.MANAGER) -> client.ApiClient:
    """Return a client for the cluster this runs in, or else for the current context of KUBECONFIG.

    `manager`: the field manager of its writes, and how it names itself to the API server.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return _client(configuration, connections, manager)


def without_credentials(api: client.ApiClient, connections: int) -> client.ApiClient:
    """Return a client for the same API server that is nobody, neither by token nor by certificate: for `acting_as`."""
    configuration = copy.copy(api.configuration)
    configuration.api_key, configuration.api_key_prefix = {}, {}
    configuration.cert_file = configuration.key_file = None
    configuration.username = configuration.password = None
    configuration.refresh_api_key_hook = None
    return _client(configuration, connections, api.user_agent)


def _client(configuration: client.Configuration, connections: int, manager: str) -> client.ApiClient:
    configuration.connection_pool_maxsize = connections
    configuration.proxy = configuration.proxy or _find_proxy(configuration.host)
    configuration.client_session_kwargs = {
        # Many callers share these connections, and one's session is not another's.
        "cookie_jar": aiohttp.DummyCookieJar(),
        # Trusting it, aiohttp reads ~/.netrc for every request, in a thread, and what it finds there breaks our tokens.
        "trust_env": False,
    }
    api = client.ApiClient(configuration)
    api.user_agent = manager
    return api


def _find_proxy(url: str) -> str | None:
    """Return the proxy that the environment names for this URL (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
