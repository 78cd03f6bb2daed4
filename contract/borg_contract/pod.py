"""The pod in which a run happens, as both sides see it: container, user, environment values, folders, limits."""

from hashlib import sha256
from typing import NamedTuple

CONTAINER_NAME = "borg"
"""The container whose end is the run's end, whatever else was injected into the pod."""

APP_NAME = "app"
"""The container that tries what a drill restored: it begins when `borg`, an init container in such a pod, has ended."""

RESTORED_DIR = "/restored"
"""Where a drill leaves what it restored for that container: `<schedule>/<path in the archive>`."""

RUNNER_UID = 10001
"""The image's own user and group, under whom pods run by default; repositories on volumes belong to this number."""

PLAN_ENV = "BORG_RUN_PLAN"
"""Environment value with the plan's JSON."""

JOB_UID_ENV = "BORG_JOB_UID"
"""Environment value with the uid of the pod's Job (downward API); part of the name under which locks are taken."""

JOB_NAME_ENV = "BORG_JOB_NAME"
"""Environment value with the name of the pod's Job, which is the BorgRun's name (downward API)."""

NODE_ENV = "BORG_NODE"
"""Environment value with the name of the pod's node (downward API); see `digest_node`."""

SOURCES_DIR = "/sources"
"""Source `name` is mounted read-only at `/sources/<name>`."""

REPOSITORIES_DIR = "/repositories"
"""Local repository `name` has its volume mounted at `/repositories/<name>`."""

STREAMS_DIR = "/run/borg/streams"
"""Of each command that writes or reads what goes through borg there is a folder below, shared with its container."""

STREAM_DIR = "/run/borg/stream"
"""Where its own container has that folder."""

STREAM_SOCKET = "socket"
"""In it: here the runner listens, and the container's helper says that it is there."""

HELPER_DIR = "/run/borg/helper"
"""Holds the program that runs such a command: its image has it not, and need not even have a shell."""

HELPER = "borg-stream"
"""That program's name there."""

HELPER_IN_IMAGE = f"/usr/local/lib/borg-runner/{HELPER}"
"""Where the runner's image has it. It is static: it runs in every image."""

STREAM_CONTAINER_PREFIX = "stream-"
"""How the names of these containers begin; the rest is the source's name."""

STREAM_CONTAINER_LIMIT = 8
"""So many a pod may have at most: all containers of a pod share what the kubelet keeps of termination messages."""

SECRETS_DIR = "/run/borg/secrets"
"""Secrets are mounted below, one folder per Secret."""

CACHE_DIR = "/var/cache/borg"
"""BORG_BASE_DIR; repository `name` uses the sub-folder `<name>`, where its cache volume is mounted."""

SCRATCH_DIR = "/tmp"  # noqa: S108 - an emptyDir of this pod alone
"""Writable, private to the pod: hook scripts, copies of SSH keys with the mode that ssh requires."""

NOTICE_FILE = f"{SCRATCH_DIR}/borg-waits"
"""What a run waits for, in words, as long as it waits. The readiness probe fails with them: so the kubelet tells."""

NOTICE_OF_LOCK = "Locked by"
"""How these words begin when it is a lock; they name its holder."""

NOTICE_OF_SERVER = "The SSH server has not answered borg"
"""How they begin when it is a server that does not answer."""

NOTICE_OF_VOLUME = "No answer from a volume"
"""How they begin when reading the sources does not go on."""

NOTICE_OF_CONTAINER = "Waits for container"
"""How they begin when it is a container beside the runner's that has not come up."""

NOTICE_OF_COMMAND = "The command"
"""How they begin when it is a command of a restore that takes nothing any more; they name it."""

TERMINATION_LOG = "/dev/termination-log"
"""Where the runner leaves its result."""

GRACE_SECONDS = 120
"""The pod's terminationGracePeriodSeconds: borg's checkpoint and the post-backup script must fit into it."""

RESULT_LIMIT_BYTES = 4096
"""What the kubelet keeps of a termination message, of a pod with at most three containers."""

BRIEF_LIMIT_BYTES = 1024
"""What it keeps in any case: 12,288 bytes are for all containers of a pod, init and injected ones too: up to twelve."""

PLAN_LIMIT_BYTES = 120 * 1024
"""Linux refuses an environment value over 128 KiB."""

LOCK_HOLDER_PREFIX = "borgoperator.io"

SESSION_HOLDER_PREFIX = f"{LOCK_HOLDER_PREFIX}-session"
"""Of the pods of sessions, which have no Job: what proves a Job's pod dead does not prove them dead."""


_PLACE_LENGTH = 12


class LockHolder(NamedTuple):
    """A pod of ours that holds a lock. `place` is empty where its node is not known."""

    namespace: str
    job_name: str
    job_uid: str
    place: str


def digest_node(cluster: str, node: str) -> str:
    """Return what tells a node of one cluster from all nodes of all clusters, and is short: no name could be."""
    return sha256(f"{cluster}/{node}".encode()).hexdigest()[:_PLACE_LENGTH] if node else ""


def lock_holder(namespace: str, job_name: str, job_uid: str, place: str = "") -> str:
    """Return the BORG_HOST_ID of a Job's pods in one place: who holds a lock, readable and never the same for two."""
    return "_".join((LOCK_HOLDER_PREFIX, namespace, job_name, job_uid, *([place] if place else [])))


def session_lock_holder(namespace: str, name: str, uid: str, place: str = "") -> str:
    """Return the BORG_HOST_ID of a BorgSession's pods in one place."""
    return "_".join((SESSION_HOLDER_PREFIX, namespace, name, uid, *([place] if place else [])))


class SessionHolder(NamedTuple):
    """A session's pod that holds a lock. `place` is empty where its node is not known."""

    namespace: str
    name: str
    uid: str
    place: str


def parse_session_holder(holder: str) -> SessionHolder | None:
    """Return which session took a lock, None for any other holder."""
    match holder.split("_"):
        case [prefix, namespace, name, uid] if prefix == SESSION_HOLDER_PREFIX:
            return SessionHolder(namespace, name, uid, "")
        case [prefix, namespace, name, uid, place] if prefix == SESSION_HOLDER_PREFIX:
            return SessionHolder(namespace, name, uid, place)
        case _:
            return None


def parse_lock_holder(holder: str) -> LockHolder | None:
    """Return which pod took a lock, None for a holder that is none of ours."""
    match holder.split("_"):
        case [prefix, namespace, job_name, job_uid] if prefix == LOCK_HOLDER_PREFIX:
            return LockHolder(namespace, job_name, job_uid, "")
        case [prefix, namespace, job_name, job_uid, place] if prefix == LOCK_HOLDER_PREFIX:
            return LockHolder(namespace, job_name, job_uid, place)
        case _:
            return None
