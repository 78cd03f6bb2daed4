"""The result: what a run leaves in its termination message."""

from dataclasses import dataclass

from borg_contract.phases import Phase


@dataclass(frozen=True)
class PruneResult:
    kept: int
    deleted: int


@dataclass(frozen=True)
class CompactResult:
    freed_bytes: int


@dataclass(frozen=True)
class RepositoryTotals:
    """The whole repository after the run: number of archives, bytes before and after deduplication and compression."""

    archives: int
    original_size: int
    deduplicated_size: int


@dataclass(frozen=True)
class RepositoryResult:
    """One repository's outcome; sizes in bytes. `error` says what happened and what to do."""

    name: str
    phase: Phase
    archive: str | None = None
    original_size: int | None = None
    compressed_size: int | None = None
    deduplicated_size: int | None = None
    files: int | None = None
    seconds: float | None = None
    lock_wait_seconds: float | None = None
    """How many of them went by in attempts that did not get the lock; None: the first did."""
    prune: PruneResult | None = None
    compact: CompactResult | None = None
    totals: RepositoryTotals | None = None
    warnings: tuple[str, ...] = ()
    warning_count: int = 0
    """All of them; `warnings` holds the first few."""
    reason: str | None = None
    """CamelCase word for machines when the phase is Failed or Skipped: see borg_contract.reasons."""
    error: str | None = None
    locked_by: str | None = None
    """Who holds the lock that could not be had, as far as the lock tells: `lock_holder()` for a pod of ours."""


@dataclass(frozen=True)
class RunResult:
    """The termination message. `message` is one sentence for people, empty when all went well."""

    phase: Phase
    repositories: tuple[RepositoryResult, ...] = ()
    reason: str | None = None
    message: str = ""
