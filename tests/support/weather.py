"""Faults by chance, from a seed: what an API server, and what is before it, may do on a bad day."""

from collections.abc import Callable
from random import Random

from support.proxy import Answer, Call, Delay, Fault, HangUp, Say, Stream

_OF_ALL = 0.25
"""How many of the requests go wrong."""
_PAGE = (("Content-Type", "text/html"),)
_OF_SOMEBODY_ELSE = (
    Say(b"<h1>Log in</h1>", headers=_PAGE),
    Say(b"", 302, (("Location", "/login"),)),
    Say(b'{"kind": "Status", "status": "Success"}'),
    Say(b'{"kind": "JobList", "items": [{'),
    Say(b'{"kind": "JobList", "metadata": {"resourceVersion": "1"}, "items": ["x"]}'),
    Say(b"\xff\xfe", 503),
    Say(b"", 429, (("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"),)),
)


def bad_day(random: Random, *, nasty: bool = False) -> Callable[[Call], Fault | None]:
    """Return what is done to each call. `nasty`: watches also repeat and exchange events, as none should."""

    def of_watch() -> Fault | None:
        if random.random() < 0.1:
            return random.choice((Answer(410), Answer(429, retry_after=1), Answer(503), HangUp(), *_OF_SOMEBODY_ELSE))
        how: tuple[str | int, ...] = ("ended", "cut", "halved", 410, 500, 504)
        mixed = {"twice": 0.2, "swapped": 0.2} if nasty else {}
        return Stream(random.randint(0, 12), random.choice(how), lag=random.choice((0.0, 0.2, 1.0)), **mixed)

    def of_request(call: Call) -> Fault | None:
        if random.random() > _OF_ALL:
            return None
        faults: list[Fault] = [
            HangUp(),
            HangUp(after=True),
            Delay(random.uniform(0, 2)),
            Delay(random.uniform(0, 2), after=True),
            Answer(429, retry_after=1),
            Answer(500),
            Answer(503),
            Answer(504, after=True),
        ]
        if call.writes:
            faults += [Answer(409), Answer(409, after=True)]
        else:
            faults += _OF_SOMEBODY_ELSE
        return random.choice(faults)

    return lambda call: of_watch() if call.watches else of_request(call)
