"""One thing that needs somebody: how bad it is, what is wrong, and what to do."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is: data in danger, no new backups, something to look at, something to decide."""

    DANGER = 0
    FAILING = 1
    LOOK = 2
    DECIDE = 3


WORDS = {
    Level.DANGER: "Data in danger",
    Level.FAILING: "No new backup",
    Level.LOOK: "Look at it",
    Level.DECIDE: "Waits for you",
}


@dataclass(frozen=True, slots=True)
class Matter:
    """`what` and `name`: the kind of page to look at, and of what. `detail`: what is wrong; `advice`: what to do."""

    level: Level
    what: str
    name: str
    title: str
    headline: str
    detail: str
    advice: str
    since: str | None = None

    @property
    def order(self) -> tuple[int, str, str]:
        return self.level, self.title.casefold(), self.name
