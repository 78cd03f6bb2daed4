"""ssh for borg: one key, pinned host keys, no configuration of anyone, no prompt, no endless silence."""

import os
import pwd
import shlex
import signal
from pathlib import Path

from borg_runner.process import StopStep

STOP_STEPS = (StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 1.0))

_CONNECT_SECONDS = 30
_ALIVE_SECONDS = 10
_ALIVE_COUNT = 30

_WRAPPER_NAMES = ("libnss_wrapper.so", "libnss_wrapper.so.0")
_LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib")


def make_rsh(*, key_path: str, known_hosts_path: str) -> str:
    """Return BORG_RSH, which borg splits as a shell would."""
    options = {
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{known_hosts_path}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT_SECONDS),
        "ServerAliveInterval": str(_ALIVE_SECONDS),
        "ServerAliveCountMax": str(_ALIVE_COUNT),
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return shlex.join(["ssh", "-F", "/dev/null", "-i", key_path, *flags])


def write_private_key(key: bytes, path: Path) -> None:
    """Write a copy of the key as ssh insists on it: mode 0600, Unix line ends, a newline at the end."""
    text = key.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def make_user_environment(scratch: Path) -> dict[str, str]:
    """Return what lets ssh run under a uid without a passwd entry, where it refuses to start; else nothing."""
    uid, gid = os.getuid(), os.getgid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        wrapper = _find_wrapper()
        if wrapper is None:
            return {}
    else:
        return {}
    passwd, group = scratch / "passwd", scratch / "group"
    passwd.write_text(f"borg:x:{uid}:{gid}:borg:{scratch}:/bin/sh\n")
    group.write_text(f"borg:x:{gid}:\n")
    return {"LD_PRELOAD": wrapper, "NSS_WRAPPER_PASSWD": str(passwd), "NSS_WRAPPER_GROUP": str(group)}


def _find_wrapper() -> str | None:
    for folder in _LIBRARY_FOLDERS:
        for name in _WRAPPER_NAMES:
            for path in (Path(folder) / name, *sorted(Path(folder).glob(f"*/{name}"))):
                if path.exists():
                    return str(path)
    return None
