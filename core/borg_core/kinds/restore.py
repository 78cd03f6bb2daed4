"""BorgRestore: one archive, or a part of it, brought back into a claim."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from borg_contract.restore.plan import Mode, Ownership
from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import GROUP, UNSEEN, VERSION, Metadata, Model, NameRef
from borg_core.kinds.parts.job import Job, JobOptions
from borg_core.kinds.restore_status import BorgRestoreStatus, RestorePhase
from borg_core.kinds.restoring import ArchivePaths, Latest, RestoreExclude, RestoreTarget
from borg_core.kinds.selectors.claim import ANY_CLAIM
from borg_core.labels import RESTORING
from borg_core.names import RESTORE_NAME_LIMIT
from borg_core.registry import Column, Definition, Kind, Reference


class Writers(StrEnum):
    """What is done about pods that mount the target's claim writable."""

    REFUSE = "Refuse"
    SCALE_DOWN = "ScaleDown"
    IGNORE = "Ignore"


_KEPT = ("repositoryRef", "archive", "latest", "source", "paths", "exclude", "target", "mode", "preview", "writers",
         "undo", "ownership", "verify", "job")  # fmt: skip


class BorgRestoreSpec(Model):
    repository_ref: Annotated[
        NameRef,
        Schema(
            "The repository that holds the archive.",
            below={"name": Schema("The name of a BorgRepository in the same namespace.", maxLength=63)},
        ),
    ]
    archive: Annotated[
        str | None,
        Schema(
            "The archive, by its name, for example `nightly-2026-11-24T03:00:02`. One that is not there is an error, "
            "whose message names those that come nearest.",
            minLength=1,
            maxLength=255,
        ),
    ] = None
    latest: Annotated[Latest | None, Schema("The newest archive of a schedule, or before a time.")] = None
    source: Annotated[
        str | None,
        Schema(
            "Which of the archive's sources, by its name in the schedule, for example `data`. Default: the only one "
            "that there is; of an archive that this operator has not made, all of it.",
            minLength=1,
            maxLength=63,
        ),
    ] = None
    paths: ArchivePaths = ()
    exclude: RestoreExclude = ()
    target: RestoreTarget
    mode: Annotated[
        Mode,
        Schema(
            "What becomes of what is in the target. `Merge` (default): files of the archive replace those of the same "
            "path, others stay. `OnlyMissing`: only what is not there is restored. `Mirror`: as Merge, and what the "
            "archive does not have is deleted; that needs `approve` where something is there."
        ),
    ] = Mode.MERGE
    preview: Annotated[
        bool,
        Schema(
            "Only say what would be done: `status.preview`, the list in the log of the run. Nothing is changed until "
            "`approve` is set. Default false."
        ),
    ] = False
    approve: Annotated[
        str,
        Schema(
            "`status.preview.digest`, to let happen what that preview shows, and nothing else: `kubectl patch brest "
            'NAME --type merge -p \'{"spec":{"approve":"DIGEST"}}\'`.',
            maxLength=64,
        ),
    ] = ""
    writers: Annotated[
        Writers,
        Schema(
            "What is done about pods that mount the target's claim and could write to it. `Refuse` (default): the "
            "restore waits and names them. `ScaleDown`: their Deployments and StatefulSets are scaled to 0 for the "
            "restore and back afterwards, however it ends. `Ignore`: they run on."
        ),
    ] = Writers.REFUSE
    undo: Annotated[
        bool,
        Schema(
            "Before something that is there is replaced or deleted, archive it in the same repository: "
            "`status.undoArchive`. Restoring that archive brings it back. Default true."
        ),
    ] = True
    ownership: Annotated[
        Ownership,
        Schema(
            "`Keep` (default): owners and groups as in the archive; the pod is root with a few capabilities, for which "
            "the namespace must admit the baseline Pod Security Standard. `RunAs`: all belongs to the pod's user "
            "(`job.runAsUser`), as the restricted standard wants it."
        ),
    ] = Ownership.KEEP
    verify: Annotated[
        bool,
        Schema(
            "Read back what was restored and compare it with the archive: content, size, mode, owner, times, links, "
            "extended attributes. Default true."
        ),
    ] = True
    cancel: Annotated[
        bool,
        Schema("Set it to true to stop the restore; what is written by then stays. Default false."),
    ] = False
    job: Job = JobOptions()


_ENDED = ", ".join(f"'{phase.value}'" for phase in RestorePhase if phase.finished)


def _stays_once_ended(field: str, nothing: str) -> Rule:
    """Return the rule by which the field does nothing any more where the restore has ended, so that nobody waits."""
    now, before = (f"(has({at}.spec.{field}) ? {at}.spec.{field} : {nothing})" for at in ("self", "oldSelf"))
    is_over = f"has(oldSelf.status) && has(oldSelf.status.phase) && oldSelf.status.phase in [{_ENDED}]"
    message = f"the restore has ended (status.phase), so {field} does nothing any more: make a new BorgRestore"
    return Rule(f"!({is_over}) || {now} == {before}", message, f".spec.{field}")


class BorgRestore(Model):
    kind: Literal["BorgRestore"] = "BorgRestore"
    metadata: Metadata
    spec: Annotated[
        BorgRestoreSpec,
        Schema(
            "What to bring back, and where. A restore is asked for once; only `approve` and `cancel` can be changed "
            "afterwards.",
            Rule(
                "has(self.archive) != has(self.latest)",
                "give exactly one of archive (its name) and latest (the newest of a schedule)",
            ),
            Rule(
                " && ".join(
                    f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
                    for name in _KEPT
                ),
                "a restore is asked for once, and only approve and cancel can be changed: make a new BorgRestore",
            ),
            Rule(
                "!has(self.target.stream) || (self.mode == 'Merge' && self.writers == 'Refuse')",
                "mode and writers are about files in a claim: leave them out with target.stream, whose command alone "
                "knows what it changes",
            ),
            Rule(
                "!oldSelf.cancel || self.cancel",
                "a cancelled restore cannot be resumed: make a new BorgRestore",
                ".cancel",
            ),
        ),
    ]
    status: Annotated[BorgRestoreStatus, Schema("How it goes; written by the operator alone.", default=UNSEEN)] = (
        BorgRestoreStatus()
    )

    @property
    def claim_name(self) -> str:
        """The claim that is restored into, which need not exist yet; empty for a command."""
        target = self.spec.target
        return target.claim.claim_name if target.claim else target.new_claim.name if target.new_claim else ""

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished

    @property
    def holds(self) -> bool:
        """Whether others have to wait: it writes to the claim, or is about to, or has stopped what uses it."""
        return self.status.phase is RestorePhase.RUNNING or RESTORING in self.metadata.finalizers


def references_of_restore(restore: BorgRestore) -> Iterator[Reference]:
    namespace = restore.metadata.namespace
    yield Reference("BorgRepository", namespace, restore.spec.repository_ref.name)
    yield from affected_by_restore(restore)
    if (latest := restore.spec.latest) and latest.schedule_ref:
        yield Reference("BorgSchedule", namespace, latest.schedule_ref.name)


def affected_by_restore(restore: BorgRestore) -> Iterator[Reference]:
    """Yield the claim that it restores into: what reads it waits, also where it was chosen by its labels."""
    for claim in (restore.claim_name, ANY_CLAIM) if restore.claim_name else ():
        yield Reference("PersistentVolumeClaim", restore.metadata.namespace, claim)


RESTORES = Kind(
    "BorgRestore",
    GROUP,
    VERSION,
    "borgrestores",
    BorgRestore.model_validate,
    references_of_restore,
    affects=affected_by_restore,
    shown=lambda restore: restore.holds,
    definition=Definition(
        model=BorgRestore,
        short_name="brest",
        schema=Schema(
            "Brings an archive, or a part of it, back into a claim: previewed, undoable, verified. Deleting it stops "
            "it, and takes nothing back.",
            Rule(
                f"self.metadata.name.size() <= {RESTORE_NAME_LIMIT}",
                "the restore's runs have its name and a word more, which Kubernetes limits: give a name of at most "
                f"{RESTORE_NAME_LIMIT} characters",
                ".metadata.name",
            ),
            _stays_once_ended("approve", "''"),
            _stays_once_ended("cancel", "false"),
        ),
        columns=(
            Column("Repository", ".spec.repositoryRef.name", wide=True),
            Column("Archive", ".status.resolved.archive", description="The archive that was meant."),
            Column("Claim", ".status.claimName", description="Into which claim."),
            Column("Image", ".spec.target.stream.image", description="Or into a command of which image.", wide=True),
            Column("Mode", ".spec.mode", wide=True),
            Column("Phase", ".status.phase"),
            Column("Create", ".status.preview.create", type="integer", description="What is not in the target yet."),
            Column("Overwrite", ".status.preview.overwrite", type="integer", description="What is replaced there."),
            Column("Delete", ".status.preview.delete", type="integer", description="What is deleted there."),
            Column("Verified", ".status.verified.files", type="integer", description="Files read back and compared."),
            Column("Reason", ".status.reason", description="Why it is not simply Completed."),
            Column("Digest", ".status.preview.digest", description="What spec.approve takes.", wide=True),
            Column("Undo", ".status.undoArchive", description="The archive that takes it back.", wide=True),
            Column("Age", ".metadata.creationTimestamp", type="date"),
            Column("Message", ".status.message", wide=True),
        ),
        selectable=(".spec.repositoryRef.name", ".status.phase"),
    ),
)
