"""Starts the operator: settings, connection, kopf's watches, the controller's workers."""

import asyncio
import logging
import os
import sys
from dataclasses import replace
from typing import Any

import kopf

from borg_cluster.client import ApiServer
from borg_cluster.connection import connect
from borg_operator.cluster_name import find_cluster
from borg_operator.configuration import Configuration, ConfigurationError, read_configuration
from borg_operator.keys import PublicKeys
from borg_operator.kopf.ending import Ending
from borg_operator.kopf.listings import Listings
from borg_operator.kopf.resync import Resync
from borg_operator.kopf.settings import configure
from borg_operator.kopf.watches import Watches
from borg_operator.loop.apply import Applier
from borg_operator.loop.asked.proof import Prover
from borg_operator.loop.controller import Controller
from borg_operator.loop.gather import Gatherer
from borg_operator.store import Store
from borg_operator.telemetry.health import HealthServer
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.server import MetricsServer

logger = logging.getLogger(__name__)

_WRONG_SETTING = 2
_STOP_SECONDS = 10.0
"""After this long without an end, once kopf stops: it may wait for ever for watches of its own."""


def main() -> None:
    """Run until SIGTERM. Exit code 2 and one sentence when a setting is wrong."""
    try:
        configuration = read_configuration(os.environ)
    except ConfigurationError as error:
        print(f"borg-operator: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(_WRONG_SETTING)
    log_format = kopf.LogFormat.JSON if configuration.log_format == "json" else kopf.LogFormat.PLAIN
    kopf.configure(log_format=log_format)
    # kopf tells every event it hands over; what was done is told by the operator itself.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the kubelet's probes
    ending = Ending()
    while asyncio.run(_run(configuration, ending)):
        pass


async def _run(configuration: Configuration, ending: Ending) -> bool:
    """Return whether all is to begin anew: other namespaces can be looked into than at the start."""
    limits, namespaces = configuration.limits, configuration.namespaces
    metrics = Metrics()
    api = ApiServer(await connect(limits.workers + 2), observe=metrics.requested)
    store = Store()
    health = HealthServer(port=configuration.health_port)
    await health.start()  # at once: what follows waits for the API server, and nobody is to be restarted for that
    settings = configuration.settings
    if not settings.cluster:
        settings = replace(settings, cluster=await find_cluster(api))
    prover = Prover(store, api, settings.cluster)
    keys = PublicKeys(configuration.session_key).read if configuration.session_key else None
    gatherer = Gatherer(store, api, settings, prover.doubts, read_keys=keys)
    applier = Applier(store, api, prover, api.clock.now)
    controller = Controller(store, gatherer, applier, limits, metrics=metrics, clock=api.clock.now)
    listings = Listings(api, namespaces, metrics.refuses)
    server = MetricsServer(
        store,
        metrics,
        listings.can_be_shown,
        port=configuration.metrics_port,
        with_claims=configuration.claim_metrics,
        clock=api.clock.now,
    )
    await server.start()
    if namespaces:
        namespaces = await listings.await_kinds()

    def resynced(well: bool) -> None:
        if well:
            metrics.resynced()
        controller.enqueue_all()

    resync = Resync(api, store, namespaces, resynced, metrics.refuses)
    registry = kopf.OperatorRegistry()
    Watches(store, listings, resync, metrics.saw).register(registry)
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        await listings.await_complete()
        controller.start()
        await resync.run(limits.resync_seconds)

    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, clusterwide=not namespaces)
        ending.take_over(listings.changed)
        tasks.append(asyncio.create_task(work(), name="work"))
        tasks.append(asyncio.create_task(listings.await_refused(), name="refused"))

    async def stop(**_: Any) -> None:
        asyncio.get_running_loop().call_later(_STOP_SECONDS, _end_at_once)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.stop()
        await health.stop()
        await controller.stop()
        await api.close()

    kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(start)
    kopf.on.cleanup(registry=registry)(stop)
    await kopf.operator(
        registry=registry,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=listings.changed,
    )
    ending.give_back()
    return listings.changed.is_set() and not ending.is_wanted


def _end_at_once() -> None:
    logger.critical("kopf does not come to its end: the process ends all the same, to be started anew")
    os._exit(1)


if __name__ == "__main__":
    main()
