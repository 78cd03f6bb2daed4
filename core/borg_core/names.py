"""How long names may be, and how a longer one is cut: with a digest, so that two long names never become one."""

from hashlib import sha256

JOB_NAME_LIMIT = 63
"""Of a Job, and so of a BorgRun, whose Job has its name: the Job's pods bear it in a label."""

CRON_JOB_NAME_LIMIT = 52
"""Of a CronJob, and so of a schedule, whose CronJob has its name: Kubernetes appends eleven characters for the Jobs."""

RESTORE_NAME_LIMIT = 50
"""Of a BorgRestore: its runs have its name and a word for the step, `-restore-2` for one."""

FOLDER_NAME_LIMIT = 63
"""Of a source, which is a folder and part of a volume's name."""
SESSION_NAME_LIMIT = 63
"""Of a BorgSession: its Job and pod bear it in a label."""

_DIGEST_LENGTH = 8


def shorten(name: str, suffix: str, limit: int) -> str:
    """Return `name` and `suffix` in at most `limit` characters, a digest of the whole name in place of what is cut."""
    if len(name) + len(suffix) <= limit:
        return name + suffix
    digest = sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: limit - len(suffix) - _DIGEST_LENGTH - 1].rstrip('-.')}-{digest}{suffix}"


def derive_folder_name(name: str) -> str:
    """Return `name` as a folder and a volume can be called: without dots, and not too long; else with a digest."""
    if len(name) <= FOLDER_NAME_LIMIT and "." not in name:
        return name
    digest = sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name.replace('.', '-')[: FOLDER_NAME_LIMIT - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"
