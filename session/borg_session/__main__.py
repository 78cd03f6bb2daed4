"""`borg-session`: looks into the repository of the plan in BORG_SESSION_PLAN, and answers who may ask.

Exit codes: 0 when nobody asks any more, or it was open for as long as it may be; 1 when the repository cannot be
opened; 2 when the plan cannot be used. Of the latter two, `reason` and `message` are in the termination message.
"""

import asyncio
import io
import os
import signal
import sys
from pathlib import Path

import uvicorn

from borg_contract.codec import decode_session_plan, encode
from borg_contract.pod import RESULT_LIMIT_BYTES
from borg_contract.reasons import Reason
from borg_contract.session.answers import Refusal
from borg_contract.session.plan import SESSION_PLAN_ENV, SESSION_PORT, SessionPlan
from borg_runner.environment import leave_no_core
from borg_runner.fault import FaultError, explain_error
from borg_runner.log import Log, make_printable
from borg_runner.places import Places, derive_places
from borg_runner.scratch import scratch_folder
from borg_session.authority import Authority
from borg_session.opening import Opened, prepare
from borg_session.refusal import RefusedError, refuse
from borg_session.session import run_session

EXIT_ENDED = 0
EXIT_FAILED = 1
EXIT_UNUSABLE_PLAN = 2

PORT_ENV = "BORG_SESSION_PORT"
"""Another port than the contract's, for tests."""

_MESSAGE_CHARACTERS = RESULT_LIMIT_BYTES // 4


def main() -> int:
    """Run, write why it failed if it did, return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    leave_no_core()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn ends in order, and then raises the signal once more
    log, places = Log(), derive_places(os.environ)
    try:
        plan = _read_plan()
        authority = Authority(plan.public_keys, plan.uid)
    except ValueError as error:
        text = f"The plan in {SESSION_PLAN_ENV} cannot be used: {error}. Do operator and runner image have one version?"
        return _fail(RefusedError(Reason.INVALID_PLAN, text), EXIT_UNUSABLE_PLAN, log, places)
    try:
        with scratch_folder(places.scratch) as scratch:
            asyncio.run(_run(plan, authority, _open(plan, places, scratch, log), scratch, log))
    except RefusedError as error:
        return _fail(error, EXIT_FAILED, log, places)
    return EXIT_ENDED


def _open(plan: SessionPlan, places: Places, scratch: Path, log: Log) -> Opened:
    try:
        return prepare(plan, places, scratch, log, os.environ)
    except FaultError as error:
        raise refuse(error.fault) from error
    except OSError as error:
        raise refuse(explain_error(error)) from error


async def _run(plan: SessionPlan, authority: Authority, opened: Opened, scratch: Path, log: Log) -> None:
    log.say(f'session "{plan.name}" looks into "{plan.repository.name}" at {plan.repository.location}')
    port = int(os.environ.get(PORT_ENV, SESSION_PORT))
    await run_session(
        plan, authority, opened, scratch, log, make_server=lambda app: uvicorn.Server(make_settings(app, port))
    )


def make_settings(app: object, port: int) -> uvicorn.Config:
    """Return how the application is served: HTTP/1.1 in plain, to the facade alone."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=None,  # type: ignore[arg-type]  # every address of the pod, IPv4 and IPv6
        port=port,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="critical",  # what goes wrong is said by us
        h11_max_incomplete_event_size=128 * 1024,  # a path of 8 KiB, percent-encoded, in the query and in the signature
        timeout_graceful_shutdown=2,
    )


def _read_plan() -> SessionPlan:
    text = os.environ.get(SESSION_PLAN_ENV)
    if text is None:
        raise ValueError("it is not set")
    return decode_session_plan(text)


def _fail(error: RefusedError, code: int, log: Log, places: Places) -> int:
    message = make_printable(log.conceal(error.message))[:_MESSAGE_CHARACTERS]
    log.say(f"error: {message}")
    try:
        places.termination_log.write_text(encode(Refusal(error.reason.value, message)))
    except OSError as failed:
        log.say(f"the termination message cannot be written: {failed}")
    return code


if __name__ == "__main__":
    sys.exit(main())
