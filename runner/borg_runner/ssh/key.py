"""The private key as ssh accepts it, and why it would not accept one."""

import base64
import binascii
import os
import re
from pathlib import Path

_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*)-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"
_UNENCRYPTED = b"\0\0\0\x04none"
_PUBLIC = re.compile(rb"(ssh-|ecdsa-|sk-)\S+ AAAA|---- BEGIN SSH2 PUBLIC|-----BEGIN (RSA )?PUBLIC")


def find_key_fault(key: bytes) -> str | None:
    """Return what keeps ssh from using this as a private key without asking anybody; None when that is not known.

    ssh itself does not say it: it tries without a key, and the server refuses that.
    """
    text = key.strip()
    if _PUBLIC.match(text):
        return "is the public half of a key: give it the private one, and the server the public one."
    if text.startswith(b"PuTTY-User-Key-File"):
        return "is a key in the format of PuTTY: convert it with `puttygen KEY -O private-openssh -o id_ed25519`."
    if _is_encrypted(text):
        return (
            "is a key with a passphrase, and nobody is there to type it: make a copy without one "
            '(`ssh-keygen -p -N "" -f COPY`), or a key pair for the backups alone.'
        )
    return None


def normalize_private_key(key: bytes) -> bytes:
    """Return the key with Unix line ends and a newline at the end, which ssh requires."""
    return key.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def write_private_key(key: bytes, path: Path) -> None:
    """Write the key to `path` with mode 0600, without which ssh refuses it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(normalize_private_key(key))


def _is_encrypted(text: bytes) -> bool:
    if b"BEGIN ENCRYPTED PRIVATE KEY" in text or b"Proc-Type: 4,ENCRYPTED" in text:
        return True
    if (found := _OPENSSH.search(text)) is None:
        return False
    try:
        content = base64.b64decode(b"".join(found[1].split()))
    except binascii.Error:
        return False
    return content.startswith(_MAGIC) and not content.startswith(_MAGIC + _UNENCRYPTED)
