"""States in a word, an icon and a tone: the colour says nothing that the other two do not."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markupsafe import Markup

from borg_api.resources.contents.response import UNSEEN
from borg_api.resources.cron.response import describe
from borg_contract.run import Operation, Phase
from borg_core.kinds.parts.volumes import Source
from borg_core.kinds.restore_status import RestorePhase

Tone = Literal["good", "warn", "bad", "busy", "idle"]

_PATHS = {
    "good": "M3 8.5 6.5 12 13 4.5",
    "warn": "M8 2 15 14H1ZM8 6.5v3.5M8 12v.4",
    "bad": "M4 4l8 8M12 4l-8 8",
    "busy": "M8 1.8A6.2 6.2 0 1 1 1.8 8M8 4.5V8l2.5 1.6",
    "idle": "M4 8h8",
}
ICONS = {
    tone: Markup('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>').format(path)
    for tone, path in _PATHS.items()
}


def tell_seen(name: str) -> str:
    """Return a name of an archive so that nothing in it is hidden."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", name)


@dataclass(frozen=True, slots=True)
class State:
    word: str
    tone: Tone

    def __html__(self) -> str:
        return Markup('<span class="state {}">{}{}</span>').format(self.tone, ICONS[self.tone], self.word)


_OF_RUNS: dict[Phase, State] = {
    Phase.PENDING: State("Waiting", "idle"),
    Phase.RUNNING: State("Running", "busy"),
    Phase.COMPLETED: State("Completed", "good"),
    Phase.COMPLETED_WITH_WARNINGS: State("With warnings", "warn"),
    Phase.FAILED: State("Failed", "bad"),
    Phase.CANCELLED: State("Cancelled", "idle"),
    Phase.SKIPPED: State("Skipped", "idle"),
}
_OF_RESTORES: dict[RestorePhase, State] = {
    RestorePhase.PENDING: State("Waiting", "idle"),
    RestorePhase.RUNNING: State("Running", "busy"),
    RestorePhase.PREVIEWED: State("Waits for approval", "warn"),
    RestorePhase.COMPLETED: State("Completed", "good"),
    RestorePhase.COMPLETED_WITH_WARNINGS: State("With warnings", "warn"),
    RestorePhase.FAILED: State("Failed", "bad"),
    RestorePhase.CANCELLED: State("Cancelled", "idle"),
}


def tell_sources(sources: Iterable[Source]) -> str:
    """Return what is backed up: `claim app-data, what pg_dump writes`."""
    return ", ".join(_tell_source(source) for source in sources) or "nothing by itself"


def _tell_source(source: Source) -> str:
    if source.dump:
        return f"what {source.dump.command[0].rpartition('/')[2]} writes"
    if source.claim_selector is not None:
        return f"claims with {source.claim_selector.describe() or 'any labels'}"
    return f"claim {source.claim_name}" if source.claim_name else f"volume {source.name}"


READY = State("Ready", "good")
NOT_READY = State("Not ready", "bad")
NEVER = State("Not yet", "idle")

OPERATIONS = {
    Operation.BACKUP: "Backup",
    Operation.PRUNE: "Prune",
    Operation.COMPACT: "Compact",
    Operation.CHECK: "Check",
    Operation.DRILL: "Drill",
    Operation.LIST: "List archives",
    Operation.BREAK_LOCK: "Remove locks",
    Operation.PREVIEW: "Preview of a restore",
    Operation.RESTORE: "Restore",
}


tell_times = lru_cache(4096)(describe)
"""What an expression means, in English: it takes long to say, and many schedules have the same."""


def of_phase(phase: Phase | str | None) -> State:
    """Return how a run, or a part of one, stands; of none: not yet."""
    return _OF_RUNS[Phase(phase)] if phase else NEVER


def of_restore(phase: RestorePhase) -> State:
    return _OF_RESTORES[phase]
