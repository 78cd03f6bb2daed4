"""The connection to a real API server, in surroundings that set what the HTTP library would take up."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from borg_cluster.client import ApiServer
from borg_cluster.connection import connect, without_credentials
from borg_cluster.errors import Unreachable
from borg_core.kinds.schedule import SCHEDULES
from support.cluster import Kubectl

T = TypeVar("T")


def ask(question: Callable[[ApiServer], Awaitable[T]]) -> T:
    """Return what the API server answers to the facade's viewer."""

    async def run() -> T:
        own = await connect(1)
        others = ApiServer(without_credentials(own, 1))
        try:
            return await question(others.acting_as(os.environ["VIEWER_TOKEN"]))
        finally:
            await others.close()
            await own.close()  # type: ignore[no-untyped-call]

    return asyncio.run(run())


def test_a_netrc_does_not_mix_with_tokens(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}").stdout
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {urlsplit(server).hostname} login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NO_PROXY", "*")
    assert ask(lambda api: api.list_labelled(SCHEDULES, os.environ["NAMESPACE"], "")) is not None


def test_the_proxy_of_the_environment_is_used_unless_it_says_that_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens on "discard"
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        ask(lambda api: api.ping())
    monkeypatch.setenv("NO_PROXY", "*")
    ask(lambda api: api.ping())
