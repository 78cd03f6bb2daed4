"""A name for the user of the pod: ssh refuses to start under a uid without a passwd entry.

libnss_wrapper, where the image has it, gives ssh a passwd file of ours.
"""

import os
import pwd
from pathlib import Path

_WRAPPER_NAMES = ("libnss_wrapper.so", "libnss_wrapper.so.0")
_LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib")


def provide_user(folder: Path) -> dict[str, str]:
    """Return the environment that gives ssh a user, after writing its files into `folder`.

    Nothing is written, and the environment is empty, when the user has a name or there is no libnss_wrapper.
    Raises OSError.
    """
    uid, gid = os.getuid(), os.getgid()
    if _has_name(uid) or (wrapper := _find_wrapper()) is None:
        return {}
    passwd, group = folder / "passwd", folder / "group"
    passwd.write_text(render_passwd(uid=uid, gid=gid, home=folder))
    group.write_text(render_group(gid=gid))
    return make_user_environment(wrapper=wrapper, passwd=passwd, group=group)


def render_passwd(*, uid: int, gid: int, home: Path) -> str:
    """Return a passwd file with one user."""
    return f"borg:x:{uid}:{gid}:borg:{home}:/bin/sh\n"


def render_group(*, gid: int) -> str:
    """Return a group file with that user's group."""
    return f"borg:x:{gid}:\n"


def make_user_environment(*, wrapper: str, passwd: Path, group: Path) -> dict[str, str]:
    """Return what makes programs look into these files through the library `wrapper`."""
    return {"LD_PRELOAD": wrapper, "NSS_WRAPPER_PASSWD": str(passwd), "NSS_WRAPPER_GROUP": str(group)}


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _find_wrapper() -> str | None:
    for folder in _LIBRARY_FOLDERS:
        for name in _WRAPPER_NAMES:
            for path in (Path(folder) / name, *sorted(Path(folder).glob(f"*/{name}"))):
                if path.exists():
                    return str(path)
    return None
