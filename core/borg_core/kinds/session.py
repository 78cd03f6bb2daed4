"""BorgSession: a pod that shows what is in a repository's archives, for as long as somebody looks."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import (
    GROUP,
    UNSEEN,
    VERSION,
    Conditions,
    Metadata,
    Model,
    NameRef,
    ObservedGeneration,
    Time,
)
from borg_core.names import SESSION_NAME_LIMIT
from borg_core.registry import Column, Definition, Kind, Reference


class SessionPhase(StrEnum):
    """Where a session stands."""

    STARTING = "Starting"
    READY = "Ready"
    ENDED = "Ended"
    FAILED = "Failed"

    @property
    def finished(self) -> bool:
        """Whether it stays in this phase."""
        return self in (SessionPhase.ENDED, SessionPhase.FAILED)


class BorgSessionSpec(Model):
    repository_ref: Annotated[
        NameRef,
        Schema(
            "The repository whose archives are to be looked into.",
            below={"name": Schema("The name of a BorgRepository in the same namespace.", maxLength=63)},
        ),
    ]
    idle_seconds: Annotated[
        int,
        Schema(
            "It ends when nobody has asked for anything for so long. Default 600.",
            format="int32",
            minimum=30,
            maximum=86400,
        ),
    ] = 600
    max_seconds: Annotated[
        int,
        Schema("It ends after so long in any case. Default 14400.", format="int32", minimum=60, maximum=86400),
    ] = 14400


class BorgSessionStatus(Model):
    """Times are RFC 3339 texts in UTC; absent until known."""

    conditions: Annotated[
        Conditions,
        Schema("One, `Ready`: True while archives can be looked into; otherwise its message says why not."),
    ] = ()
    observed_generation: ObservedGeneration = None
    phase: Annotated[
        SessionPhase | None,
        Schema(
            "`Starting`, `Ready` (archives can be looked into, over REST), then `Ended` (nobody looked any more, or "
            "its time was over) or `Failed` (`message` says why)."
        ),
    ] = None
    pod_name: Annotated[str | None, Schema("Its pod, while there is one.", maxLength=253)] = None
    address: Annotated[
        str | None,
        Schema("The pod's IP address. It answers nobody but the facade.", maxLength=45),
    ] = None
    start_time: Annotated[Time | None, Schema("When its pod began.")] = None
    expires_at: Annotated[Time | None, Schema("When it ends at the latest.")] = None
    end_time: Annotated[
        Time | None, Schema("When it ended, however it ended. Some time later the operator deletes this object.")
    ] = None
    reason: Annotated[
        str | None,
        Schema("Why it is in this phase, in one CamelCase word for programs.", maxLength=1024),
    ] = None
    message: Annotated[str, Schema("What happened and what to do, in a sentence for people.", maxLength=32768)] = ""


class BorgSession(Model):
    kind: Literal["BorgSession"] = "BorgSession"
    metadata: Metadata
    spec: Annotated[
        BorgSessionSpec,
        Schema(
            "Which repository, and for how long. It cannot be changed.",
            Rule(
                "self == oldSelf",
                "a session cannot be changed: delete it, and make a new BorgSession",
            ),
            Rule(
                "self.idleSeconds <= self.maxSeconds",
                "it ends after maxSeconds in any case: give an idleSeconds of at most that",
                ".idleSeconds",
            ),
        ),
    ]
    status: Annotated[BorgSessionStatus, Schema("How it goes; written by the operator alone.", default=UNSEEN)] = (
        BorgSessionStatus()
    )

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished

    @property
    def live(self) -> bool:
        """Whether it can be looked through, now or in a moment."""
        return not self.finished and self.metadata.deletion_timestamp is None


def references_of_session(session: BorgSession) -> Iterator[Reference]:
    yield Reference("BorgRepository", session.metadata.namespace, session.spec.repository_ref.name)


SESSIONS = Kind(
    "BorgSession",
    GROUP,
    VERSION,
    "borgsessions",
    BorgSession.model_validate,
    references_of_session,
    definition=Definition(
        model=BorgSession,
        short_name="bsess",
        schema=Schema(
            "Lets people look into the archives of a repository over REST: a pod lists them and hands out files for as "
            "long as somebody asks. Whoever may create one may read all that is backed up there. Deleting it ends it.",
            Rule(
                f"self.metadata.name.size() <= {SESSION_NAME_LIMIT}",
                "the session's pod bears its name in a label, which Kubernetes limits: give a name of at most "
                f"{SESSION_NAME_LIMIT} characters",
                ".metadata.name",
            ),
        ),
        columns=(
            Column("Repository", ".spec.repositoryRef.name"),
            Column("Phase", ".status.phase"),
            Column("Expires", ".status.expiresAt", description="When it ends at the latest."),
            Column("Reason", ".status.reason", description="Why it is not simply Ready."),
            Column("Age", ".metadata.creationTimestamp", type="date"),
            Column("Pod", ".status.podName", wide=True),
            Column("Message", ".status.message", wide=True),
        ),
        selectable=(".spec.repositoryRef.name", ".status.phase"),
    ),
)
