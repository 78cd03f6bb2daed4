"""The environment that borg and scripts have in common. Nothing of the pod's own environment reaches them but PATH."""

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
