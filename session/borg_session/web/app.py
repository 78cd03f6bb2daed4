"""The application: every request is let in by its signature, or gets nothing but why not."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from borg_contract.reasons import Reason
from borg_contract.session.answers import Pending
from borg_contract.session.plan import READY_PATH
from borg_contract.session.request import parse_read, read_target
from borg_runner.log import Log
from borg_session.authority import Authority
from borg_session.life import Life
from borg_session.refusal import RefusedError, StillReadingError, invalid
from borg_session.web.content import HEADERS
from borg_session.web.reader import Reader, answer

_PENDING = 202


class App:
    """An ASGI application of one route: what a request may read, its signature says."""

    def __init__(self, authority: Authority, reader: Reader, life: Life, log: Log) -> None:
        self._authority, self._reader, self._life, self._log = authority, reader, life, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP."""
        request = Request(scope, receive)
        if scope["path"] == READY_PATH:
            await Response(headers=HEADERS)(scope, receive, send)
            return
        try:
            read = self._admit(request)
        except RefusedError as error:
            self._log.say(f"refused: {error.message}")
            await answer(error.answer, error.status)(scope, receive, send)
            return
        with self._life.working():
            response = await self._respond(read)
            await response(scope, receive, send)

    def _admit(self, request: Request) -> dict[str, str]:
        """Return what is to be read, as it was signed. Raises RefusedError."""
        try:
            read = read_target(request.scope["path"], request.scope["query_string"])
        except ValueError as error:
            raise RefusedError(Reason.NOT_ALLOWED, f"The request is none of a session. {error}") from None
        if request.method != "GET":
            raise RefusedError(Reason.NOT_ALLOWED, "Only GET is answered.")
        self._authority.admit(request.headers.get("authorization"), read)
        return read

    async def _respond(self, read: dict[str, str]) -> Response:
        try:
            try:
                wanted = parse_read(read)
            except ValueError as error:
                raise invalid(f"The request cannot be understood: {error}.") from None
            return await self._reader.answer(wanted)
        except StillReadingError as error:
            return answer(Pending(entries=error.entries), _PENDING)
        except RefusedError as error:
            self._log.say(f"refused: {error.reason}")  # no names: who may read logs may not read archives
            return answer(error.answer, error.status)
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered in our words too
            self._log.say(f"error: {error!r}")
            refused = RefusedError(Reason.INTERNAL_ERROR, f"The session failed: {error!r}.")
            return answer(refused.answer, refused.status)
