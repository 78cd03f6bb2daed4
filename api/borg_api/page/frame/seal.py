"""The page's seal: it encrypts the token in the cookie, and signs forms.

It is derived from the facade's key, which all replicas have, so that each can read what another one wrote.
"""

import base64
import hmac
import secrets
import zlib
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from borg_api.keys import Keys

SESSION_SECONDS = 12 * 3600
"""For so long one is logged in, unless the token ends before."""
LONGEST_COOKIE = 3800
"""A browser keeps 4,096 bytes of a cookie, its name and attributes with it."""
_KEY_BYTES = 32
_MASK_BYTES = 16


class NoKeyError(Exception):
    """The facade has no key yet."""


class TooLongError(Exception):
    """The token does not fit into a cookie."""


class Seal:
    """What it makes is worth nothing any more once the facade's key is another one."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._derived: tuple[Ed25519PrivateKey, Fernet, bytes] | None = None

    def close(self, token: str) -> str:
        """Return the token as the cookie has it. Raises NoKeyError, TooLongError."""
        # Squeezed first: base64 in base64 would make a token of 3 kB too long for a cookie.
        sealed = self._load()[0].encrypt(zlib.compress(token.encode(), 9)).decode()
        if len(sealed) > LONGEST_COOKIE:
            raise TooLongError
        return sealed

    def open(self, sealed: str) -> str | None:
        """Return the token that the cookie has, None for one that is too old or none of ours. Raises NoKeyError."""
        box, _ = self._load()
        try:
            return zlib.decompress(box.decrypt(sealed.encode(), SESSION_SECONDS)).decode()
        except (InvalidToken, UnicodeError, zlib.error):
            return None

    def sign(self, browser: str) -> str:
        """Return what a form of this browser has to send back; another text each time. Raises NoKeyError."""
        _, key = self._load()
        mask = secrets.token_urlsafe(_MASK_BYTES)
        return f"{mask}.{_sign(key, mask, browser)}"

    def is_signed(self, sent: str, browser: str) -> bool:
        """Tell whether a form of this browser was given this. Raises NoKeyError."""
        _, key = self._load()
        mask, _, signature = sent.partition(".")
        return bool(browser) and hmac.compare_digest(_sign(key, mask, browser).encode(), signature.encode())

    def _load(self) -> tuple[Fernet, bytes]:
        """Return what encrypts, and the key that signs."""
        private = self._keys.private
        if private is None:
            raise NoKeyError
        if self._derived is None or self._derived[0] is not private:
            known = private.private_bytes_raw()
            box = Fernet(base64.urlsafe_b64encode(_derive(known, b"session")))
            self._derived = private, box, _derive(known, b"forms")
        return self._derived[1:]


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"borg page " + purpose).derive(key)


def _sign(key: bytes, mask: str, browser: str) -> str:
    return hmac.new(key, f"{mask}.{browser}".encode(), sha256).hexdigest()
