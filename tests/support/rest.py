"""The facade under test, as somebody with a token sees it."""

import asyncio
import os
import re
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from support.cluster import ENVIRONMENT, Kubectl

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Rest:
    """Requests in one namespace with one token."""

    url: str
    namespace: str
    token: str = field(repr=False)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send the request; `body` as JSON."""
        # A connection of its own, so that replicas take turns; no TLS to prepare for.
        with httpx.Client(timeout=TIMEOUT_SECONDS, verify=False) as client:
            return client.request(method, **self.arguments(path, body, **more))

    def get(self, path: str, **more: Any) -> Any:
        """Return the body of what must succeed."""
        return _good(self("GET", path, **more))

    def look(self, path: str) -> Any:
        """Return the body, nothing while it is refused: RBAC learns of a new role binding in a moment."""
        response = self("GET", path)
        return [] if response.status_code == 403 else _good(response)

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Return the body of what must succeed."""
        return _good(self(method, path, body, **more))

    def create(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create a schedule on the repository `main`; return the job."""
        body = {"name": name, "cron_expression": "0 2 * * *", "repository": "main", **fields}
        job: dict[str, Any] = self.send("POST", "/api/schedule/", body)["job"]
        return job

    def job(self, job_id: int | str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/api/schedule/{job_id}")["job"]
        return job

    def at_once(self, requests: Iterable[tuple[str, str, Any, dict[str, str]]]) -> list[httpx.Response]:
        """Send (method, path, body, headers) all at the same time, each over a connection of its own."""

        async def send_all() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, verify=False) as client:
                waiting: list[Awaitable[httpx.Response]] = [
                    client.request(method, **self.arguments(path, body, headers=headers))
                    for method, path, body, headers in requests
                ]
                return await asyncio.gather(*waiting)

        return asyncio.run(send_all())

    def arguments(self, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **(more.pop("headers", None) or {})}
        params = {"namespace": self.namespace, **(more.pop("params", None) or {})}
        content = {} if body is None else {"json": body}
        # httpx would decode what the path has of its own, and lose bytes that are no UTF-8.
        query = f"{'&' if '?' in path else '?'}{httpx.QueryParams(params)}"
        return {"url": f"{self.url}{path}{query}", "headers": headers, **content, **more}


def find_facade() -> str:
    """Return the URL of the facade in the cluster under test. Fails the test when there is none."""
    found = os.environ.get("FACADE_URL")
    if not found and ENVIRONMENT.exists():
        match = re.search(r"^export FACADE_URL=(\S+)", ENVIRONMENT.read_text(), re.MULTILINE)
        found = match[1] if match else None
    if not found:
        pytest.fail("FACADE_URL is not set: run `make up`")
    return found.strip("'\"")


def make_account(kubectl: Kubectl, namespace: str, name: str, role: str | None) -> str:
    """Make a service account, bind it in its namespace to a ClusterRole if one is given, and return its token."""
    kubectl("-n", namespace, "create", "serviceaccount", name)
    if role:
        account = f"--serviceaccount={namespace}:{name}"
        kubectl("-n", namespace, "create", "rolebinding", name, f"--clusterrole={role}", account)
    return kubectl("-n", namespace, "create", "token", name).stdout.strip()


def problem(response: httpx.Response, status: int) -> str:
    """Return the detail of a problem that must be one, of that status."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= body.keys()
    detail: str = body["detail"]
    assert detail.endswith("."), detail
    assert not re.search(r"Traceback|File \"|pydantic|aiohttp|<class", response.text), response.text
    return detail


def _good(response: httpx.Response) -> Any:
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    return response.json()
