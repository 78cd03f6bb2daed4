"""TLS of the facade: a certificate that is renewed is used without a restart, a broken one is not."""

import asyncio
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from borg_api.configuration import Configuration, ConfigurationError, read_configuration
from borg_api.picture.replicas import Replicas
from borg_api.server import Certificate, serve
from support.waiting import wait_for


@pytest.fixture
def files(tmp_path: Path) -> Certificate:
    """Give a certificate of the common name `first`."""
    files = Certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    issue(files, "first")
    return files


def issue(files: Certificate, name: str) -> None:
    """Put a new pair in place, as the kubelet does: other files under the same names."""
    arguments = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    paths = ["-keyout", f"{files.key}.new", "-out", f"{files.certificate}.new", "-subj", f"/CN={name}"]
    subprocess.run(["openssl", "req", *arguments, *paths], check=True, capture_output=True)
    for path in (files.key, files.certificate):
        Path(f"{path}.new").rename(path)


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.fixture
def port(files: Certificate) -> Iterator[int]:
    """Give the port of a server with that certificate."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    settings = uvicorn.Config(
        app,
        port=port,
        lifespan="off",
        log_config=None,
        http="httptools",
        ssl_certfile=files.certificate,
        ssl_keyfile=files.key,
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=lambda: asyncio.run(serve(server, files, look_seconds=0.05)))
    thread.start()
    try:
        wait_for(lambda: server.started, bool, 10, "the server listens")
        yield port
    finally:
        server.should_exit = True
        thread.join()


def presented_at(port: int) -> Callable[[], str]:
    return lambda: ssl.get_server_certificate(("127.0.0.1", port))


def test_a_renewed_certificate_is_presented_to_new_connections(files: Certificate, port: int) -> None:
    first = Path(files.certificate).read_text()
    assert presented_at(port)() == first
    issue(files, "second")
    second = Path(files.certificate).read_text()
    assert second != first
    wait_for(presented_at(port), lambda seen: seen == second, 5, "the renewed certificate is presented")


def test_a_broken_pair_is_told_and_the_old_certificate_goes_on(
    files: Certificate, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    first = presented_at(port)()
    with caplog.at_level(logging.WARNING):
        Path(files.certificate).write_text("not a certificate")
        wait_for(lambda: caplog.text, lambda text: "cannot be read again" in text, 5, "the log tells of it")
    assert presented_at(port)() == first
    issue(files, "third")
    third = Path(files.certificate).read_text()
    wait_for(presented_at(port), lambda seen: seen == third, 5, "the next good pair is presented")


def test_a_key_of_another_certificate_does_not_break_what_goes_on(
    files: Certificate, port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = presented_at(port)()
    other = Certificate(str(tmp_path / "other.crt"), str(tmp_path / "other.key"))
    issue(other, "other")
    with caplog.at_level(logging.WARNING):
        Path(other.certificate).rename(files.certificate)
        wait_for(lambda: caplog.text, lambda text: "cannot be read again" in text, 5, "the log tells of it")
    assert presented_at(port)() == first


def test_replicas_ask_each_other_over_tls(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        configuration = Configuration("team", peers=f"127.0.0.1:{port}", certificate="tls.crt", key="tls.key")
        others = Replicas(configuration)
        await others.start()
        await others.wait_until_seen("BorgSchedule", "team", 1)
        await others.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(ask())
    assert "did not say what it has seen" not in caplog.text


def test_replicas_that_ask_without_tls_are_not_answered(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        others = Replicas(Configuration("team", peers=f"127.0.0.1:{port}"))
        await others.start()
        await others.wait_until_seen("BorgSchedule", "team", 1)
        await others.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(ask())
    assert "did not say what it has seen" in caplog.text


@pytest.mark.parametrize("half", ["TLS_CERTIFICATE", "TLS_KEY"])
def test_half_a_pair_is_refused(half: str) -> None:
    with pytest.raises(ConfigurationError, match="both or neither"):
        read_configuration({f"BORG_API_{half}": "/tls/file"})
