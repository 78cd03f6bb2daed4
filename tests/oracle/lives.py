"""Random lives of CronJobs, and what `Clock` says becomes of them: see `tests/oracle/controller`."""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from borg_core.clock import Clock, CronSchedule
from oracle.cases import ZONES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400
PADDING = timedelta(milliseconds=100)
"""So much after a tick the controller looks, lest its clock is ahead of others'."""


@dataclass(frozen=True)
class Happening:
    """`do`: die, revive (the controller), suspend, resume, edit. Times are milliseconds since 1970."""

    at: int
    do: str
    schedule: str = ""
    tz: str = ""
    forget: bool = False


@dataclass(frozen=True)
class Life:
    """A CronJob from `created` to `end`; `lag`: how late the controller looks; `work`: how long Jobs take, in turn."""

    schedule: str
    tz: str
    deadline: int | None
    created: int
    end: int
    lag: int
    work: tuple[int, ...]
    events: tuple[Happening, ...] = ()

    @property
    def question(self) -> dict[str, Any]:
        return asdict(self)


Made = tuple[int, int]
"""When a Job was made, and its tick."""


@dataclass
class Replay:
    """What the model says: Jobs are made when the controller looks, and it looks when the model says so."""

    life: Life
    clock: Clock = field(init=False)
    wakes: list[datetime] = field(default_factory=list)
    busy_until: datetime | None = None
    made: list[Made] = field(default_factory=list)

    def run(self) -> list[Made]:
        life = self.life
        deadline = None if life.deadline is None else timedelta(seconds=life.deadline)
        self.clock = Clock(CronSchedule.parse(life.schedule, life.tz), _instant(life.created), deadline)
        self.wakes = [_instant(life.created)]
        events, alive, suspended = list(life.events), True, False
        lag = timedelta(milliseconds=life.lag)
        while True:
            look = min(self.wakes) + lag if self.wakes and alive else None
            moments = [_instant(life.end), *([_instant(events[0].at)] if events else []), *([look] if look else [])]
            now = min([*moments, *([self.busy_until] if self.busy_until else [])])
            if now == _instant(life.end):
                return self.made
            if events and now == _instant(events[0].at):
                event = events.pop(0)
                alive = event.do != "die" and (alive or event.do == "revive")
                suspended = event.do == "suspend" or (suspended and event.do != "resume")
                times = CronSchedule.parse(event.schedule, event.tz) if event.do == "edit" else self.clock.times
                since = now.replace(microsecond=0) if event.forget else self.clock.since
                self.clock = Clock(times, since, deadline)
                self.wakes = [*self.wakes, now] if alive else []
            elif self.busy_until == now:
                self.busy_until = None
                self.wakes += [now] if alive else []
            else:
                self.wakes = [wake for wake in self.wakes if wake > now]
                if not suspended:
                    self._look(now)

    def _look(self, now: datetime) -> None:
        due = None if self.busy_until else self.clock.due_at(now)
        if due:
            self.busy_until = now + timedelta(milliseconds=self.life.work[len(self.made) % len(self.life.work)])
            self.made.append((_millis(now), _millis(due)))
            self.clock = Clock(self.clock.times, due, self.clock.deadline)
        following = self.clock.next_after(now)
        if following:
            self.wakes.append(following + PADDING)


def make_lives(seed: int, count: int) -> list[Life]:
    source = random.Random(seed)
    return [_life(source) for _ in range(count)]


def _life(source: random.Random) -> Life:
    schedule, tz = _schedule(source), source.choice(ZONES)
    start = source.randint(_millis(datetime(2025, 1, 1, tzinfo=UTC)), _millis(datetime(2027, 6, 1, tzinfo=UTC)))
    created = start // 1000 * 1000
    length = source.choice((3, 7, 21, 60)) * DAY
    if _pace(schedule, tz, created) < 10 * MINUTE:
        length = source.choice((1, 2, 4)) * DAY
    deadline = source.choice((None, 10, 10, 60, 600, HOUR, HOUR, 6 * HOUR, DAY, 7 * DAY, 400 * DAY))
    if deadline and schedule.startswith("@every") and source.random() < 0.7:
        deadline += int(CronSchedule.parse(schedule).every.total_seconds())
    work = tuple(
        1000 * source.choice((1, 20, 5 * MINUTE, HOUR, source.randint(1, 2 * DAY))) + source.randint(0, 999)
        for _ in range(source.randint(1, 4))
    )
    if source.random() < 0.3:
        work = (5_000,)
    lag = source.choice((0, 0, 0, source.randint(1, 9_000)))
    end = created + 1000 * length
    return Life(schedule, tz, deadline, created, end, lag, work, tuple(_events(source, created, end)))


def _events(source: random.Random, created: int, end: int) -> Iterator[Happening]:
    """Yield what happens, in order: stretches that do not overlap, in which somebody is away."""
    now = created
    while True:
        now += 1000 * source.choice((HOUR, DAY, source.randint(60, 20 * DAY))) + source.randint(0, 999)
        until = now + 1000 * source.choice((source.randint(5, 300), HOUR, source.randint(60, 2 * DAY), 14 * DAY))
        if until >= end or source.random() < 0.1:
            return
        kind = source.choice(("dead", "dead", "suspended", "edited"))
        if kind == "dead":
            yield Happening(now, "die")
            yield Happening(until, "revive")
        elif kind == "suspended":
            yield Happening(now, "suspend", forget=True)
            yield Happening(until, "resume", forget=True)
        else:
            yield Happening(until, "edit", _schedule(source, dense=False), source.choice(ZONES), forget=True)
        now = until


def _pace(schedule: str, tz: str, created: int) -> float:
    ticks = CronSchedule.parse(schedule, tz).next_runs(_instant(created), 40)
    return (ticks[-1] - ticks[0]).total_seconds() / len(ticks) if len(ticks) > 1 else DAY


def _schedule(source: random.Random, *, dense: bool = True) -> str:
    kinds = [_regular, _irregular, _irregular, _weekly, _every, _macro]
    return source.choice([*kinds, _dense] if dense else kinds)(source)


def _dense(source: random.Random) -> str:
    return source.choice(
        ("* * * * *", "*/2 * * * *", "*/5 8-18 * * *", "0-10,50-59 */3 * * *", "@every 1m30s", "@every 3m")
    )


def _regular(source: random.Random) -> str:
    return f"{source.randint(0, 59)} {source.choice(('*', '*/2', '*/6', source.randint(0, 23)))} * * *"


def _irregular(source: random.Random) -> str:
    minutes = sorted(source.sample(range(60), source.randint(1, 4)))
    hours = sorted(source.sample(range(24), source.randint(1, 4)))
    days = source.choice(("*", "*", f"{source.randint(1, 28)}", f"*/{source.randint(2, 9)}"))
    return f"{_list(minutes)} {_list(hours)} {days} * {source.choice(('*', '*', '1-5', '0', '6,0'))}"


def _weekly(source: random.Random) -> str:
    return f"{source.randint(0, 59)},{source.randint(0, 59)} {source.randint(0, 23)} * * {source.randint(0, 6)}"


def _every(source: random.Random) -> str:
    return "@every " + source.choice(("10m", "90m", "7h13m", "24h", "26h30m", "168h", "1h0m1s"))


def _macro(source: random.Random) -> str:
    return source.choice(("@hourly", "@daily", "@weekly", "@monthly", "@midnight"))


def _list(values: list[int]) -> str:
    return ",".join(map(str, values))


def _instant(millis: int) -> datetime:
    return EPOCH + timedelta(milliseconds=millis)


def _millis(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)
