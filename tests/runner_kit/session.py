"""A session's pod without a cluster: the program as a process, and a facade that signs its requests."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borg_contract.codec import decode_answer, encode
from borg_contract.plan import RepositoryPlan
from borg_contract.session.answers import (
    ArchivesAnswer,
    DiffAnswer,
    Item,
    Refusal,
    TreeAnswer,
    VersionsAnswer,
)
from borg_contract.session.plan import SessionPlan
from borg_contract.session.request import ReadRequest, SessionOperation, make_claims, render_target
from runner_kit.pod import Pod, powerless, wait_until

UID = "session-uid-1"
_T = TypeVar("_T")


def public_key(key: Ed25519PrivateKey) -> str:
    """Return the public half as a plan has it."""
    return base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()


@dataclass
class Session:
    """A session that runs, and who asks it."""

    process: "subprocess.Popen[str]"
    port: int
    key: Ed25519PrivateKey
    log_path: Path
    message_path: Path
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def sign(self, request: ReadRequest, **changes: Any) -> str:
        """Return the token for the request, with other claims if asked for."""
        claims = make_claims(request, session_uid=UID, now=time.time(), jti=str(uuid.uuid4())) | changes
        return jwt.encode(claims, self.key, algorithm="EdDSA")

    def url(self, request: ReadRequest) -> str:
        return f"http://127.0.0.1:{self.port}{render_target(request)}"

    def get(self, operation: str, **parameters: Any) -> httpx.Response:
        """Ask once, as the facade does."""
        request = ReadRequest(SessionOperation(operation), **parameters)
        return self.client.get(self.url(request), headers={"authorization": f"Bearer {self.sign(request)}"})

    def ask(self, kind: type[_T], operation: str, **parameters: Any) -> _T:
        """Return the answer once it is there."""
        answer = self.until_answered(operation, **parameters)
        assert answer.status_code == 200, answer.text
        return decode_answer(kind, answer.text)

    def until_answered(self, operation: str, **parameters: Any) -> httpx.Response:
        """Ask until it is not pending any more."""
        deadline = time.monotonic() + 120
        while (answer := self.get(operation, **parameters)).status_code == 202:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return answer

    def refusal(self, operation: str, **parameters: Any) -> tuple[int, str, str]:
        answer = self.until_answered(operation, **parameters)
        refusal = decode_answer(Refusal, answer.text)
        return answer.status_code, refusal.reason, refusal.message

    def archives(self) -> ArchivesAnswer:
        return self.ask(ArchivesAnswer, "archives")

    def folder(self, archive: str, path: str = "", limit: int = 1000) -> list[Item]:
        """Return all of a folder, page by page, when it is complete."""
        return self._all(TreeAnswer, "tree", archive=archive, path=path, limit=limit)

    def find(self, archive: str, q: str, path: str = "", limit: int = 1000) -> list[Item]:
        return self._all(TreeAnswer, "find", archive=archive, q=q, path=path, limit=limit)

    def diff(self, a: str, b: str, path: str = "", limit: int = 1000) -> list[Any]:
        return self._all(DiffAnswer, "diff", a=a, b=b, path=path, limit=limit)

    def versions(self, path: str, **more: Any) -> VersionsAnswer:
        """Return the file in all archives, when all were looked at."""
        deadline = time.monotonic() + 120
        while (answer := self.ask(VersionsAnswer, "versions", path=path, **more)).pending:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return answer

    def _all(self, kind: type[Any], operation: str, **parameters: Any) -> list[Any]:
        items: list[Any] = []
        after = ""
        while True:
            page = self.ask(kind, operation, after=after, **parameters)
            if getattr(page, "pending", False):
                time.sleep(0.05)
                items, after = [], ""
                continue
            items += page.items
            if not page.next:
                return items
            after = page.next

    def walk(self, archive: str, path: str = "") -> Iterator[Item]:
        """Yield everything in the archive."""
        for item in self.folder(archive, path):
            yield item
            if item.type == "directory":
                yield from self.walk(archive, item.path)

    def ended(self, seconds: float = 30) -> int:
        """Return the exit code, once it has ended."""
        return self.process.wait(timeout=seconds)

    def message(self) -> Mapping[str, str]:
        return json.loads(self.message_path.read_text())  # type: ignore[no-any-return]


def make_plan(repository: RepositoryPlan, key: Ed25519PrivateKey, **changes: Any) -> SessionPlan:
    plan = SessionPlan("team", "look", UID, replace(repository, sources=()), (public_key(key),))
    return replace(plan, **changes)


@contextmanager
def session_of(
    pod: Pod, repository: RepositoryPlan, *, ready: bool = True, port: int | None = None, **changes: Any
) -> Iterator[Session]:
    """Give a session that looks into the repository, and has begun to answer."""
    key = Ed25519PrivateKey.generate()
    plan = make_plan(repository, key, **changes)
    message = pod.root / "dev/termination-log"
    message.write_bytes(b"")
    message.chmod(0o666)
    log = pod.root / "session.log"
    port = port or _free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [*(powerless() if pod.user is None else pod.user), sys.executable, "-m", "borg_session"],
            env={
                "PATH": f"{pod.borg.parent}:{os.environ['PATH']}",
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONUNBUFFERED": "1",
                "BORG_RUNNER_ROOT": str(pod.root),
                "BORG_SESSION_PLAN": encode(plan),
                "BORG_SESSION_PORT": str(port),
                "BORG_NODE": pod.node,
                **pod.variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
    session = Session(process, port, key, log, message)
    try:
        if ready:
            wait_until(lambda: _answers(session))
        yield session
    finally:
        session.client.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _answers(session: Session) -> bool:
    assert session.process.poll() is None, session.log
    with suppress(httpx.TransportError):
        return session.client.get(f"http://127.0.0.1:{session.port}/readyz").status_code == 200
    return False


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        port: int = server.getsockname()[1]
        return port
