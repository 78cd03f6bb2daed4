"""The API server away: reads go on and say how old they are, writes are put off, and all heals by itself.

The facade reaches the real API server through a cable that the test can cut.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.cluster import Kubectl
from support.facade import run_facade
from support.rest import Rest, problem
from support.waiting import wait_for


class Cable:
    """A TCP connection from a port of this machine to the API server, that can be cut or go silent."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._whole = True
        self._silent = False
        self.port = 0
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(10)

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._whole = False
        self._loop.call_soon_threadsafe(self._hang_up)

    def silence(self) -> None:
        """Keep the connections, and let nothing through."""
        self._silent = True

    def mend(self) -> None:
        self._whole, self._silent = True, False
        self._loop.call_soon_threadsafe(self._hang_up)  # what was lost while it was silent is not made up for

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def serve() -> asyncio.Server:
            server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            return server

        serving = self._loop.create_task(serve())
        self._loop.run_forever()
        self._hang_up()
        serving.result().close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer), return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._silent:
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
def cable(kubectl: Kubectl) -> Iterator[Cable]:
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").stdout
    address = urlsplit(server)
    cable = Cable(address.hostname or "", address.port or 443)
    yield cable
    cable.close()


@pytest.fixture
def cut_off(rest: Rest, kubectl: Kubectl, cable: Cable, tmp_path: Path) -> Iterator[Rest]:
    """Give the admin of a facade at the far end of the cable."""
    config = tmp_path / "kubeconfig"
    config.write_text(kubectl("config", "view", "--raw", "--minify", "--flatten").stdout)
    name = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].name}").stdout
    config.chmod(0o600)
    server = f"--server=https://127.0.0.1:{cable.port}"
    kubectl("--kubeconfig", str(config), "config", "set-cluster", name, server)
    with run_facade(rest.namespace, {"KUBECONFIG": str(config)}) as facade:
        yield Rest(facade.url, rest.namespace, rest.token)


@pytest.mark.parametrize("how", ["cut", "silence"])
def test_reads_go_on_writes_wait_and_all_heals(rest: Rest, cut_off: Rest, cable: Cable, how: str) -> None:
    job = cut_off.create(f"Before the {how}")
    path = f"/api/schedule/{job['id']}"
    assert cut_off("GET", path).headers.get("Age") is None

    getattr(cable, how)()
    stale = lambda: cut_off("GET", path).headers.get("Age")  # noqa: E731
    wait_for(stale, lambda age: age is not None, 15, "the answers say that they are old")
    rest.send("PUT", path, {"description": "changed meanwhile"})
    for where in ("/api/schedule/", path, "/api/schedule/upcoming-jobs"):
        answer = cut_off("GET", where)
        assert answer.status_code == 200
        assert int(answer.headers["Age"]) >= 1
        assert answer.headers["Warning"] == '110 - "Response is Stale"'
    assert cut_off.job(job["id"])["description"] is None
    for method, where, body in (("PUT", path, {"description": "x"}), ("POST", f"{path}/toggle", None)):
        refused = cut_off(method, where, body)
        assert "cannot be reached" in problem(refused, 503)
        assert int(refused.headers["Retry-After"]) >= 1
    # Whom it has not asked about, it cannot vouch for.
    problem(cut_off("GET", path, headers={"Authorization": "Bearer some.other.token"}), 503)
    assert cut_off("GET", "/livez").status_code == 200
    assert cut_off("GET", "/readyz").json()["age_seconds"] >= 1

    cable.mend()
    healed = lambda: cut_off("GET", path)  # noqa: E731
    wait_for(healed, lambda answer: "Age" not in answer.headers, 30, "the answers are new again")
    assert cut_off.job(job["id"])["description"] == "changed meanwhile"
    assert cut_off.send("PUT", path, {"description": "and written"})["job"]["description"] == "and written"
