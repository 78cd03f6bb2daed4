"""The name under which a pod of ours takes borg's locks: whoever reads a lock can tell which Job left it."""

LOCK_HOLDER_PREFIX = "borgoperator.io"


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
