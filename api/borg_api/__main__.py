"""Starts the facade: settings, the application, its server."""

import asyncio
import contextlib
import logging
import os
import sys
from typing import Any

import uvicorn

from borg_api.app import create_app
from borg_api.configuration import Configuration, ConfigurationError, read_configuration
from borg_api.server import Certificate, LimitedProtocol, serve


def main() -> None:
    """Run until SIGTERM. Exit code 2 and one sentence when a setting is wrong."""
    try:
        configuration = read_configuration(os.environ)
    except ConfigurationError as error:
        print(f"borg-api: {error}", file=sys.stderr)  # noqa: T201 - before there is a log
        sys.exit(2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    certificate = Certificate(configuration.certificate, configuration.key) if configuration.certificate else None
    settings = make_settings(create_app(configuration), configuration)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=settings.get_loop_factory()) as runner:
        runner.run(serve(uvicorn.Server(settings), certificate))


def make_settings(app: Any, configuration: Configuration) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        host=None,  # type: ignore[arg-type]  # every address of the pod, IPv4 and IPv6
        port=configuration.port,
        loop="uvloop",
        http=LimitedProtocol,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=75,  # longer than proxies keep theirs, so that it is not us who hangs up on a request
        timeout_graceful_shutdown=20,
        ssl_certfile=configuration.certificate or None,
        ssl_keyfile=configuration.key or None,
    )


if __name__ == "__main__":
    main()
