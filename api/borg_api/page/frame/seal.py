"""The key of the page: it encrypts the token in the cookie, and signs forms.

It is the text of a file, from a Secret that all replicas have, so that each can read what another one wrote. Of several
lines the first is used, and what the others made is still accepted: to change the key, put the new one in front, and
take the old one away a day later.
"""

import base64
import hmac
import secrets
import zlib
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SESSION_SECONDS = 12 * 3600
"""For so long one is logged in, unless the token ends before."""
LONGEST_COOKIE = 3800
"""A browser keeps 4,096 bytes of a cookie, its name and attributes with it."""
_SHORTEST_KEY = 32
_KEY_BYTES = 32
_MASK_BYTES = 16


class NoKeyError(Exception):
    """There is no key yet, or none that is long enough."""


class TooLongError(Exception):
    """The token does not fit into a cookie."""


class Seal:
    """`path`: of the file. It is looked at again whenever it changes: a Secret may be made after the pod has begun."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._stamp: tuple[int, int] | None = None
        self._boxes: MultiFernet | None = None
        self._signing: tuple[bytes, ...] = ()

    def close(self, token: str) -> str:
        """Return the token as the cookie has it. Raises NoKeyError, TooLongError."""
        # Squeezed first: base64 in base64 would make a token of 3 kB too long for a cookie.
        sealed = self._load().encrypt(zlib.compress(token.encode(), 9)).decode()
        if len(sealed) > LONGEST_COOKIE:
            raise TooLongError
        return sealed

    def open(self, sealed: str) -> str | None:
        """Return the token that the cookie has, None for one that is too old or none of ours. Raises NoKeyError."""
        boxes = self._load()
        try:
            return zlib.decompress(boxes.decrypt(sealed.encode(), SESSION_SECONDS)).decode()
        except (InvalidToken, UnicodeError, zlib.error):
            return None

    def sign(self, browser: str) -> str:
        """Return what a form of this browser has to send back; another text each time. Raises NoKeyError."""
        self._load()
        mask = secrets.token_urlsafe(_MASK_BYTES)
        return f"{mask}.{_sign(self._signing[0], mask, browser)}"

    def is_signed(self, sent: str, browser: str) -> bool:
        """Tell whether a form of this browser was given this. Raises NoKeyError."""
        self._load()
        mask, _, signature = sent.partition(".")
        if not browser:
            return False
        return any(hmac.compare_digest(_sign(key, mask, browser).encode(), signature.encode()) for key in self._signing)

    def _load(self) -> MultiFernet:
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp or self._boxes is None:
                keys = [line.strip() for line in self._path.read_bytes().splitlines() if line.strip()]
                if not keys or min(map(len, keys)) < _SHORTEST_KEY:
                    raise NoKeyError
                boxes = [Fernet(base64.urlsafe_b64encode(_derive(key, b"session"))) for key in keys]
                self._signing = tuple(_derive(key, b"forms") for key in keys)
                self._stamp, self._boxes = stamp, MultiFernet(boxes)
        except OSError as error:
            raise NoKeyError from error
        return self._boxes


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"borg page " + purpose).derive(key)


def _sign(key: bytes, mask: str, browser: str) -> str:
    return hmac.new(key, f"{mask}.{browser}".encode(), sha256).hexdigest()
