"""What a BorgRestore says about itself."""

from enum import StrEnum
from typing import Annotated

from borg_contract.restore.result import ResolvedArchive, RestorePreview, Verified
from borg_contract.schema import Schema
from borg_core.kinds.parts.base import Conditions, Model, ObservedGeneration, Time

MOST_SCALED = 64
"""So many workloads are scaled down for one restore; it waits for all others."""


class RestorePhase(StrEnum):
    """Where a restore stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    PREVIEWED = "Previewed"
    COMPLETED = "Completed"
    COMPLETED_WITH_WARNINGS = "CompletedWithWarnings"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def finished(self) -> bool:
        """Whether it stays in this phase; a preview may be approved."""
        return self not in (RestorePhase.PENDING, RestorePhase.RUNNING, RestorePhase.PREVIEWED)


class ScaledWorkload(Model):
    """A workload that was scaled down for the restore."""

    kind: Annotated[str, Schema("`Deployment` or `StatefulSet`.", maxLength=63)]
    name: Annotated[str, Schema("Its name.", maxLength=253)]
    uid: Annotated[str, Schema("Its uid, so that another one of that name is left alone.", maxLength=64)]
    replicas: Annotated[int, Schema("How many it had.", format="int32", minimum=0)]
    restored: Annotated[bool, Schema("Whether it has them back.")] = False


class BorgRestoreStatus(Model):
    """Times are RFC 3339 texts in UTC; absent until known."""

    conditions: Annotated[
        Conditions,
        Schema(
            "One, `Succeeded`: Unknown until the restore has ended, True when it is Completed or "
            "CompletedWithWarnings, False when it is Failed or Cancelled. `kubectl wait --for=condition=Succeeded` "
            "works.",
        ),
    ] = ()
    observed_generation: ObservedGeneration = None
    phase: Annotated[
        RestorePhase | None,
        Schema(
            "`Pending` (waits: `reason` says for what), `Running`, `Previewed` (nothing was changed, and nothing will "
            "be before `spec.approve`), then one of `Completed`, `CompletedWithWarnings`, `Failed`, `Cancelled`."
        ),
    ] = None
    resolved: Annotated[ResolvedArchive | None, Schema("The archive that was meant, once and for all.")] = None
    size: Annotated[
        int | None,
        Schema("Bytes of all that is to be restored, as if the target were empty.", format="int64", minimum=0),
    ] = None
    preview: Annotated[RestorePreview | None, Schema("What would be done, or was to be done.")] = None
    files: Annotated[
        int | None,
        Schema("How many files, folders and links were written, by all attempts together.", format="int64", minimum=0),
    ] = None
    bytes: Annotated[int | None, Schema("How many bytes were written, by all attempts.", format="int64", minimum=0)] = (
        None
    )
    deleted: Annotated[int | None, Schema("How many were deleted, by all attempts.", format="int64", minimum=0)] = None
    verified: Annotated[Verified | None, Schema("Reading back all of it, whichever attempt brought it.")] = None
    undo_archive: Annotated[
        str | None,
        Schema("The archive with what was replaced or deleted, in the same repository.", maxLength=1024),
    ] = None
    claim_name: Annotated[str | None, Schema("The claim that is restored into.", maxLength=253)] = None
    held_since: Annotated[
        Time | None, Schema("Since when schedules that back the claim up wait for it; absent while they do not.")
    ] = None
    approved: Annotated[str | None, Schema("The digest of what it was allowed to do when it began.", maxLength=64)] = (
        None
    )
    scaled: Annotated[
        tuple[Annotated[ScaledWorkload, Schema("One workload.")], ...],
        Schema("What was scaled down for the restore.", maxItems=MOST_SCALED),
    ] = ()
    run_name: Annotated[str | None, Schema("The newest BorgRun of it; its log tells each file.", maxLength=253)] = None
    attempts: Annotated[
        int | None, Schema("How many runs have tried to restore; the cluster may have killed some.", minimum=0)
    ] = None
    warnings: Annotated[
        tuple[Annotated[str, Schema("One warning.", maxLength=4096)], ...],
        Schema("The first few warnings, with paths.", maxItems=32),
    ] = ()
    reason: Annotated[
        str | None,
        Schema("Why it is in this phase, in one CamelCase word for programs.", maxLength=1024),
    ] = None
    message: Annotated[
        str,
        Schema("What happened and what to do, in a sentence for people; empty when all went well.", maxLength=32768),
    ] = ""
    start_time: Annotated[Time | None, Schema("When the first run of it began.")] = None
    completion_time: Annotated[Time | None, Schema("When it ended, however it ended.")] = None
