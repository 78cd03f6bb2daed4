"""The facade's public key, which sessions' pods are told to obey: a mounted file, which may come late or be renewed."""

import base64
import binascii
import logging
import re
from pathlib import Path

logger = logging.getLogger(__name__)

_PEM = re.compile("-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", re.DOTALL)
_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""How every Ed25519 public key begins in DER (RFC 8410); the other 32 bytes are the key."""
_DER_BYTES = 44


class PublicKeys:
    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> tuple[str, ...]:
        """Return the keys of the PEM file, raw, in base64url without padding; () where there is no file, or none in it.

        Of two, while one takes the place of the other, pods obey both.
        """
        try:
            text = self._path.read_text(encoding="ascii")
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            logger.warning("the facade's public key cannot be read: %s", error)
            return ()
        return tuple(found for body in _PEM.findall(text) if (found := _derive_key(body)))


def _derive_key(body: str) -> str | None:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        der = b""
    if len(der) != _DER_BYTES or not der.startswith(_ED25519):
        logger.warning("the facade's public key is no Ed25519 key, and is passed over")
        return None
    return base64.urlsafe_b64encode(der[len(_ED25519) :]).decode().rstrip("=")
