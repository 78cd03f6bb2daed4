"""What the operator tells the runner, and what the runner answers: the only module both sides share.

The plan travels as one JSON text in an environment value of the pod, so a Job carries all that it will do and a
later edit of the schedule cannot change a run half-way. The result comes back as the container's termination
message. Keys are camelCase, as in the custom resources; absent values are left out. Standard library only.
"""

import dataclasses
import json
import re
import types
import typing
from dataclasses import dataclass, field
from enum import StrEnum

PLAN_ENV = "BORG_RUN_PLAN"
"""Environment value with the plan's JSON."""

JOB_UID_ENV = "BORG_JOB_UID"
"""Environment value with the uid of the pod's Job (downward API); part of the name under which locks are taken."""

JOB_NAME_ENV = "BORG_JOB_NAME"
"""Environment value with the name of the pod's Job, which is the BorgRun's name (downward API)."""

SOURCES_DIR = "/sources"
"""Source `name` is mounted read-only at `/sources/<name>`."""

REPOSITORIES_DIR = "/repositories"
"""Local repository `name` has its volume mounted at `/repositories/<name>`."""

SECRETS_DIR = "/run/borg/secrets"
"""Secrets are mounted below, one folder per Secret."""

CACHE_DIR = "/var/cache/borg"
"""BORG_BASE_DIR; repository `name` uses the sub-folder `<name>`, where its cache volume is mounted."""

SCRATCH_DIR = "/tmp"  # noqa: S108 - an emptyDir of this pod alone
"""Writable, private to the pod: hook scripts, copies of SSH keys with the mode that ssh insists on."""

TERMINATION_LOG = "/dev/termination-log"
"""Where the runner leaves its result."""

GRACE_SECONDS = 120
"""The pod's terminationGracePeriodSeconds: borg's checkpoint and the post-backup script must fit into it."""

RESULT_LIMIT_BYTES = 4096
"""What the kubelet keeps of a termination message."""

PLAN_LIMIT_BYTES = 120 * 1024
"""Linux refuses an environment value over 128 KiB."""

LOCK_HOLDER_PREFIX = "borgoperator.io"


class Operation(StrEnum):
    """What a run does."""

    BACKUP = "Backup"
    PRUNE = "Prune"
    COMPACT = "Compact"
    CHECK = "Check"
    BREAK_LOCK = "BreakLock"


class Phase(StrEnum):
    """Where a run, or one repository of it, stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    COMPLETED_WITH_WARNINGS = "CompletedWithWarnings"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"

    @property
    def finished(self) -> bool:
        return self not in (Phase.PENDING, Phase.RUNNING)


@dataclass(frozen=True)
class SecretFile:
    """One key of a Secret, mounted (as optional) at `path`; `name` and `key` are for the message when it is absent."""

    path: str
    name: str
    key: str


@dataclass(frozen=True)
class HookPlan:
    """A BorgScript with its parameters resolved; secret ones by file, so that no value is in the plan."""

    script: str
    content: str
    timeout_seconds: int
    parameters: dict[str, str] = field(default_factory=dict)
    secret_parameters: dict[str, SecretFile] = field(default_factory=dict)


@dataclass(frozen=True)
class HooksPlan:
    pre_backup: HookPlan | None = None
    post_backup: HookPlan | None = None


@dataclass(frozen=True)
class SourcePlan:
    """A volume at `/sources/<name>` and the paths below its root that are backed up."""

    name: str
    paths: tuple[str, ...] = (".",)


@dataclass(frozen=True)
class SshPlan:
    private_key: SecretFile
    known_hosts: SecretFile


@dataclass(frozen=True)
class RetentionPlan:
    """What `borg prune` keeps; 0 and "" mean: no such rule."""

    keep_within: str = ""
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_quarterly: int = 0
    keep_yearly: int = 0


@dataclass(frozen=True)
class RepositoryPlan:
    """One repository of the run. `location` is what borg is given: an absolute path or an ssh:// URL."""

    name: str
    location: str
    encryption: str
    sources: tuple[SourcePlan, ...]
    passphrase: SecretFile | None = None
    ssh: SshPlan | None = None
    remote_path: str = ""
    initialize: bool = True
    exclude: tuple[str, ...] = ()
    compression: str = ""
    upload_rate_limit_kib: int = 0
    hooks: HooksPlan | None = None


@dataclass(frozen=True)
class RunPlan:
    """All that one run needs to know, in the order in which it is done."""

    namespace: str
    schedule: str
    operation: Operation
    repositories: tuple[RepositoryPlan, ...]
    archive_name_template: str = "{job_name}-{now}"
    hooks: HooksPlan | None = None
    prune: RetentionPlan | None = None
    compact_threshold: int | None = None
    """Percent of a segment that must be unused for `borg compact` to rewrite it; None: no compact."""
    lock_wait_seconds: int = 1800
    dead_job_uids: tuple[str, ...] = ()
    """Jobs proven to have no pod left: their locks may be broken."""


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
    """CamelCase word for machines when the phase is Failed or Skipped: see borg_runner.reasons."""
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


def lock_holder(namespace: str, job_name: str, job_uid: str) -> str:
    """Return the BORG_HOST_ID of a Job's pods: who holds a lock, readable and never the same for two Jobs."""
    return f"{LOCK_HOLDER_PREFIX}_{namespace}_{job_name}_{job_uid}"


def parse_lock_holder(holder: str) -> tuple[str, str, str] | None:
    """Return (namespace, Job's name, Job's uid) of a lock that a pod of ours took, None for any other holder."""
    match holder.split("_"):
        case [prefix, namespace, job_name, job_uid] if prefix == LOCK_HOLDER_PREFIX:
            return namespace, job_name, job_uid
        case _:
            return None


def encode(value: RunPlan | RunResult | RepositoryResult) -> str:
    """Return compact JSON in ASCII without a `$`, which the kubelet would expand in an environment value."""
    text = json.dumps(_encoded(value), separators=(",", ":"), ensure_ascii=True)
    return text.replace("$", "\\u0024")


def decode_plan(text: str) -> RunPlan:
    """Return the plan in `text`. Raises ValueError (json.JSONDecodeError included), KeyError or TypeError."""
    plan: RunPlan = _decoded(RunPlan, json.loads(text))
    return plan


def decode_result(text: str) -> RunResult:
    """Return the result in `text`. Raises ValueError (json.JSONDecodeError included), KeyError or TypeError."""
    result: RunResult = _decoded(RunResult, json.loads(text))
    return result


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _encoded(value: typing.Any) -> typing.Any:
    if dataclasses.is_dataclass(value):
        fields = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {_camel(f.name): _encoded(item) for f, item in fields if item not in (f.default, {})}
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    return value


def _decoded(kind: typing.Any, value: typing.Any) -> typing.Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _decoded(arguments[0], value)
    if origin is tuple:
        return tuple(_decoded(arguments[0], item) for item in value)
    if origin is dict:
        return {key: _decoded(arguments[1], item) for key, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [f.name for f in dataclasses.fields(kind)]
        return kind(**{name: _decoded(hints[name], value[_camel(name)]) for name in names if _camel(name) in value})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value
