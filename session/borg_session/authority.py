"""Whose requests are obeyed: those that the facade has signed, for this session, just now, for just this, once.

The facade asks the API server who may look; this pod only asks whether the facade has asked. See ADR 0032.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from borg_contract.reasons import Reason
from borg_contract.session.request import ALGORITHM, ISSUER, LIFETIME_SECONDS, READ_CLAIM
from borg_session.refusal import RefusedError

CLOCK_SECONDS = 5
"""So far the clocks of two nodes may be apart."""

_JTI_LENGTH = 128
_CLAIMS = ("iss", "aud", "iat", "exp", "jti", READ_CLAIM)
_SCHEME = "bearer "


class Authority:
    """Lets a request in, or raises RefusedError."""

    def __init__(self, public_keys: Sequence[str], session_uid: str, clock: Callable[[], float] = time.time) -> None:
        """Take the keys as the plan has them. Raises ValueError for what is no key, and where there is none."""
        self._keys = [parse_public_key(key) for key in public_keys]
        if not self._keys:
            raise ValueError("the plan has no public key: nobody could ask anything")
        self._session_uid = session_uid
        self._clock = clock
        self._seen: dict[str, int] = {}
        """Each jti that was let in, and until when it would be good."""

    def admit(self, authorization: str | None, read: Mapping[str, str]) -> None:
        """Return if somebody who may has signed that just this is read. Raises RefusedError."""
        claims = self._verify(authorization or "")
        now = self._clock()
        issued, expires, jti = claims["iat"], claims["exp"], claims["jti"]
        if not all(type(value) is int for value in (issued, expires)) or not isinstance(jti, str):
            raise _not_obeyed("Its claims are none.")
        if not 0 < len(jti) <= _JTI_LENGTH:
            raise _not_obeyed("Its claims are none.")
        if not issued < expires <= issued + LIFETIME_SECONDS:
            raise _not_obeyed("It is good for too long.")
        if issued > now + CLOCK_SECONDS:
            raise _not_obeyed("It comes out of the future: do the clocks of the nodes agree?", Reason.NOT_IN_TIME)
        if expires <= now:
            raise _not_obeyed("It comes too late.", Reason.NOT_IN_TIME)
        self._forget(now)
        if jti in self._seen:
            raise _not_obeyed("It was seen before.")
        if claims[READ_CLAIM] != read:
            raise RefusedError(Reason.NOT_ALLOWED, "The request asks for something else than was signed.")
        self._seen[jti] = expires

    def _verify(self, authorization: str) -> dict[str, Any]:
        if not authorization.lower().startswith(_SCHEME):
            raise _not_obeyed("It has no signature.")
        token = authorization[len(_SCHEME) :].strip()
        for key in self._keys:
            try:
                return jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    audience=self._session_uid,
                    issuer=ISSUER,
                    # Times are looked at by our own clock, to the second, and without the library's leeway.
                    options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "strict_aud": True},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidAudienceError:
                raise _not_obeyed("It is meant for another session.") from None
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                break
        raise _not_obeyed("Nobody whom this session knows has signed it.")

    def _forget(self, now: float) -> None:
        """Forget what would be refused as late anyway; few are good at a time."""
        for jti in [jti for jti, expires in self._seen.items() if expires <= now]:
            del self._seen[jti]


def parse_public_key(text: str) -> Ed25519PublicKey:
    """Return the key that base64url, without padding, writes. Raises ValueError."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"a public key of the plan is none: {error}") from error


def _not_obeyed(why: str, reason: Reason = Reason.NOT_SIGNED) -> RefusedError:
    return RefusedError(reason, f"The request is not obeyed. {why}")
