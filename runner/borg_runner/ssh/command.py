"""The ssh command for borg: one key, pinned host keys, nobody's configuration, no prompt, no endless silence."""

import shlex

_CONNECT_SECONDS = 30
_ALIVE_SECONDS = 10
_ALIVE_COUNT = 30


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
