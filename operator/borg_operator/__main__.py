"""Starts the operator: settings, connection, kopf's watches, the controller's workers."""

import asyncio
import logging
import os
import sys
from typing import Any

import kopf

from borg_cluster.api_server import ApiServer
from borg_cluster.connection import connect
from borg_operator import watches
from borg_operator.apply import Applier
from borg_operator.configuration import Configuration, ConfigurationError, read_configuration
from borg_operator.controller import Controller
from borg_operator.gather import Gatherer
from borg_operator.metrics import Metrics
from borg_operator.metrics_server import MetricsServer
from borg_operator.store import Store

_HEALTH = "http://0.0.0.0:8080/healthz"


def main() -> None:
    """Run until SIGTERM. Exit code 2 and one sentence when a setting is wrong."""
    try:
        configuration = read_configuration(os.environ)
    except ConfigurationError as error:
        sys.exit(f"borg-operator: {error}")
    log_format = kopf.LogFormat.JSON if configuration.log_format == "json" else kopf.LogFormat.PLAIN
    kopf.configure(log_format=log_format)
    # kopf tells every event it hands over; what was done is told by the operator itself.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the kubelet's probes
    asyncio.run(_run(configuration))


async def _run(configuration: Configuration) -> None:
    limits = configuration.limits
    metrics = Metrics()
    api = ApiServer(await connect(limits.workers + 2), observe=metrics.requested)
    store = Store()
    gatherer = Gatherer(store, api, configuration.settings)
    controller = Controller(store, api, gatherer, Applier(store, api), limits, metrics=metrics)
    server = MetricsServer(store, metrics)
    registry = kopf.OperatorRegistry()
    watches.register(registry, store, controller)

    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        watches.configure(settings, clusterwide=not limits.namespaces)
        controller.start()
        await server.start()

    async def stop(**_: Any) -> None:
        await server.stop()
        await controller.stop()
        await api.close()

    kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(start)
    kopf.on.cleanup(registry=registry)(stop)
    if limits.namespaces:
        await watches.await_kinds(api, limits.namespaces)
    await kopf.operator(
        registry=registry,
        standalone=True,
        clusterwide=not limits.namespaces,
        namespaces=limits.namespaces,
        liveness_endpoint=_HEALTH,
    )


if __name__ == "__main__":
    main()
