"""What borg and scripts have in common: an environment, in which nothing is of the pod's own but PATH, and no core."""

import resource

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_base_environment(*, path: str, home: str) -> dict[str, str]:
    """Return a UTF-8 locale, UTC, and a home that is theirs alone."""
    return {
        "PATH": path or DEFAULT_PATH,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # For a uid that has no passwd entry.
        "LOGNAME": "borg",
        "USER": "borg",
    }


def leave_no_core() -> None:
    """Let nothing write the memory of this, or of what it starts, to a disk: it holds secrets."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # 1 and not 0: by the kernel's rules that keeps it also from a program to which the node gives cores.
    limit = 1 if most == resource.RLIM_INFINITY else min(1, most)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
