"""The private key as ssh accepts it."""

import os
from pathlib import Path


def normalize_private_key(key: bytes) -> bytes:
    """Return the key with Unix line ends and a newline at the end, which ssh requires."""
    return key.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def write_private_key(key: bytes, path: Path) -> None:
    """Write the key to `path` with mode 0600, without which ssh refuses it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(normalize_private_key(key))
