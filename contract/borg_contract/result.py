"""The result: what a run leaves in its termination message, and what its BorgRun says afterwards."""

from dataclasses import dataclass
from typing import Annotated

from borg_contract.archives.result import ListingResult
from borg_contract.reasons import Reason
from borg_contract.restore.proof import CheckResult, DrillResult
from borg_contract.restore.result import RestoreResult
from borg_contract.run import Phase
from borg_contract.schema import Schema

REASON_PATTERN = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""What Kubernetes takes as the reason of a condition."""


def _count(description: str) -> Schema:
    return Schema(description, format="int64", minimum=0)


NO_ROOM = "repositories fit here"
"""In the message of a result that does not name all of its repositories."""

_SAID = 3
"""Of how many repositories `causes` tells; each has its own words beside it."""


@dataclass(frozen=True)
class PruneResult:
    kept: Annotated[int, _count("How many of the schedule's archives are left.")]
    deleted: Annotated[int, _count("How many of the schedule's archives were deleted.")]
    archives: Annotated[
        tuple[Annotated[str, Schema("One name.", maxLength=1024)], ...],
        Schema("Which these were; absent where they are too many for a result.", maxItems=128),
    ] = ()


@dataclass(frozen=True)
class CompactResult:
    freed_bytes: Annotated[int, _count("Bytes given back.")]
    append_only: Annotated[
        bool,
        Schema(
            "Nothing was compacted: the repository, or its server (`borg serve --append-only`), only ever adds. What "
            "was deleted still takes its space until somebody compacts it there."
        ),
    ] = False


@dataclass(frozen=True)
class RepositoryTotals:
    archives: Annotated[int, _count("How many archives are in it.")]
    original_size: Annotated[int, _count("Bytes of all archives together as if each were extracted.")]
    deduplicated_size: Annotated[int, _count("Bytes that they really take, compressed and deduplicated.")]
    newest: Annotated[
        str | None,
        Schema(
            "What tells the set of the newest archives, as many as `spec.archiveLimit` of the BorgRepository says, "
            "from any other.",
            maxLength=32,
        ),
    ] = None


@dataclass(frozen=True)
class PreviousArchive:
    """Both are empty where there was none."""

    name: Annotated[str, Schema("Its name; empty when there was none.", maxLength=1024)] = ""
    time: Annotated[str, Schema("When it was begun, RFC 3339 in UTC; empty when there was none.", maxLength=32)] = ""


@dataclass(frozen=True)
class RepositoryResult:
    """One repository's outcome; sizes in bytes."""

    name: Annotated[str, Schema("The BorgRepository's name.", minLength=1, maxLength=253)]
    phase: Annotated[
        Phase,
        Schema(
            "`Pending` (waits for its pod), `Running`, then one of `Completed`, `CompletedWithWarnings` (an archive "
            "was made; some files could not be read, or it is not what earlier ones were), `Failed`, `Cancelled`, "
            "`Skipped` (its turn did not come: `reason` says why)."
        ),
    ]
    archive: Annotated[str | None, Schema("The archive that was made.", maxLength=1024)] = None
    unjudged: Annotated[
        bool,
        Schema(
            "The run ended before it had looked whether all that is to be in the archive is in it, or could not mark "
            "one that lacks something. The next run that prunes marks it, and it takes no good one's place then."
        ),
    ] = False
    archive_id: Annotated[str | None, Schema("Borg's own id of that archive.", maxLength=64)] = None
    comment: Annotated[str | None, Schema("The comment of that archive.", maxLength=1024)] = None
    original_size: Annotated[int | None, _count("Bytes of the files in the archive.")] = None
    compressed_size: Annotated[int | None, _count("Bytes of the same after compression.")] = None
    deduplicated_size: Annotated[
        int | None, _count("Bytes that this archive added to the repository, compressed and deduplicated.")
    ] = None
    files: Annotated[int | None, _count("How many files are in the archive.")] = None
    repository_id: Annotated[
        str | None, Schema("Borg's own id of the repository, whatever path leads to it.", maxLength=64)
    ] = None
    place: Annotated[
        str | None,
        Schema(
            "A digest of the place, of `local` or `ssh`, that the run's pod was given; the BorgRepository may name "
            "another one since.",
            maxLength=32,
        ),
    ] = None
    previous: Annotated[
        PreviousArchive | None,
        Schema("The newest archive of this schedule that was there before this one; absent where nobody looked."),
    ] = None
    archive_time: Annotated[
        str | None,
        Schema("When the archive was begun, by the clock of its node: RFC 3339 in UTC.", maxLength=32),
    ] = None
    unused_excludes: Annotated[
        tuple[Annotated[str, Schema("One pattern.", maxLength=1024)], ...],
        Schema(
            "Patterns of `exclude` that left nothing out of this archive: what they are for was not there, or they "
            "are misspelled.",
            maxItems=256,
        ),
    ] = ()
    seconds: Annotated[float | None, Schema("How long this repository took.", minimum=0)] = None
    lock_wait_seconds: Annotated[
        float | None,
        Schema(
            "How much of that went by waiting for somebody else's lock on the repository; absent when it was "
            "free, or was so within ten seconds.",
            minimum=0,
        ),
    ] = None
    prune: Annotated[PruneResult | None, Schema("What prune did, when it was asked for.")] = None
    compact: Annotated[CompactResult | None, Schema("What compact did, when it was asked for and came to its end.")] = (
        None
    )
    restore: Annotated[
        RestoreResult | None, Schema("What was restored, or would be, for the operations Preview and Restore.")
    ] = None
    listing: Annotated[ListingResult | None, Schema("What a `List` of this repository alone told of its archives.")] = (
        None
    )
    check: Annotated[CheckResult | None, Schema("How far a check went, when it found nothing wrong.")] = None
    drill: Annotated[DrillResult | None, Schema("What a drill restored.")] = None
    totals: Annotated[
        RepositoryTotals | None, Schema("The whole repository after the run, with the archives of all schedules.")
    ] = None
    warnings: Annotated[
        tuple[Annotated[str, Schema("One warning.", maxLength=4096)], ...],
        Schema("The first few warnings in borg's words, for example which file could not be read.", maxItems=128),
    ] = ()
    warning_count: Annotated[int, _count("How many warnings there were in all.")] = 0
    reason: Annotated[
        str | None,
        Schema(
            "Why, in one CamelCase word for programs, for example `PassphraseWrong`; of an archive with warnings only "
            "where a person should look at its sources: `SourceEmpty` or `SourceShrank`.",
            maxLength=1024,
            pattern=REASON_PATTERN,
        ),
    ] = None
    error: Annotated[
        str | None, Schema("What went wrong and what to do, in a sentence for people.", maxLength=32768)
    ] = None
    locked_by: Annotated[
        str | None, Schema("Who held the repository's lock, when that is why the run could not go on.", maxLength=1024)
    ] = None
    """`lock_holder()` for a pod of ours."""


@dataclass(frozen=True)
class RunResult:
    """The termination message. `message` is one sentence for people, empty when all went well."""

    phase: Phase
    repositories: Annotated[tuple[RepositoryResult, ...], Schema(maxItems=16)] = ()
    reason: Annotated[str | None, Schema(maxLength=1024, pattern=REASON_PATTERN)] = None
    message: Annotated[str, Schema(maxLength=32768)] = ""
    part: Annotated[str, Schema(maxLength=4096)] = ""
    """The archives themselves of which `listing` of the one repository tells, see `archives.part`. It is for the
    operator alone, and in no status."""
    provisional: bool = False
    """Written after a repository, before the runner had come to its end: it stands where the runner was killed."""

    @property
    def causes(self) -> str:
        """Why the first of its repositories failed, each error once, with the name where there are several.

        What it was at when it was stopped comes first. It is not in the message, as the kubelet keeps little of what a
        runner tells; an error that is there all the same is left out.
        """
        ill = (item for item in self.repositories if item.phase is Phase.FAILED)
        failed = [item for item in ill if item.error and item.error not in self.message]
        failed.sort(key=lambda item: item.reason != Reason.INTERRUPTED)
        if len(self.repositories) == 1 and not self.provisional:  # else there may be others, of which it tells nothing
            return " ".join(item.error or "" for item in failed)
        first = {item.error: item.name for item in reversed(failed)}
        said = [f"{name}: {error}" for error, name in reversed(first.items())]
        return " ".join(said[:_SAID])
