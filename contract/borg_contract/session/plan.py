"""The plan of a session: which repository it is to look into, whom it obeys, and how long it stays."""

from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan

SESSION_PLAN_ENV = "BORG_SESSION_PLAN"
"""Environment value with the plan's JSON, `borg_contract.codec.encode`."""

SESSION_CONTAINER_NAME = "session"

SESSION_COMMAND = ("borg-session",)

SESSION_PORT = 8080
"""Plain HTTP, the only surface of the pod; the port is named `http`."""

READY_PATH = "/readyz"
"""200 to anybody, without a word, as soon as the pod answers at all."""

SESSION_GRACE_SECONDS = 30
"""The pod's terminationGracePeriodSeconds: borg ends in order, and gives its locks back."""


@dataclass(frozen=True)
class SessionPlan:
    """One session. Its pod reads: the repository's `initialize`, `sources` and hooks mean nothing here."""

    namespace: str
    name: str
    uid: str
    """Of the BorgSession: requests have to be meant for it, and locks are taken under it."""
    repository: RepositoryPlan
    public_keys: tuple[str, ...]
    """Ed25519, raw, in base64url without padding: whoever holds the private half of one of them is obeyed."""
    cluster: str = ""
    """Which cluster this is; empty where the operator does not know."""
    idle_seconds: int = 600
    """After so long without a signed request it ends."""
    max_seconds: int = 14400
    scratch_bytes: int = 4 * 1024**3
    """What it may write below /tmp: of the emptyDir's sizeLimit. Five million files take about two GiB."""
    dead_holders: tuple[str, ...] = ()
    """Holders of locks that are proven dead: their locks may be broken."""
