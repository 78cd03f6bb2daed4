"""The facade's key pair: one for all replicas, in a Secret of its own that it fills once, and may read, and no other.

It signs what the pods of sessions are asked; what encrypts the page's cookies and signs its forms is derived from it.

Made here and not by the chart: a manifest that is applied from a file, or rendered anew at each sync, would have a key
that everybody knows, or another one each time.
"""

import asyncio
import base64
import logging
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Conflict
from borg_core.registry import ResourceType

logger = logging.getLogger(__name__)

SECRETS = ResourceType("Secret", "", "v1", "secrets")
PRIVATE, PUBLIC = "private.pem", "public.pem"
"""Keys of the Secret's data. The operator sees the second one alone, as a mounted file."""
_RETRY_SECONDS = 5.0


class Keys:
    """`secret`: (namespace, name) of the Secret; None: of a facade that needs none."""

    def __init__(self, own: ApiServer, secret: tuple[str, str] | None) -> None:
        self._own = own
        self._secret = secret
        self._task: asyncio.Task[None] | None = None
        self.private: Ed25519PrivateKey | None = None
        """None until it is known."""

    def start(self) -> None:
        if self._secret:
            self._task = asyncio.create_task(self._find(*self._secret))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def renew(self) -> None:
        """Read the key once more: somebody may have put another one there. Raises ApiError."""
        if self._secret:
            self.private = await self._load(*self._secret) or self.private

    async def _find(self, namespace: str, name: str) -> None:
        while self.private is None:
            try:
                self.private = await self._load(namespace, name)
            except Conflict:
                continue  # another replica was faster: its key is the one
            except ApiError as error:
                logger.warning("the facade's key is not there yet: %s", error or type(error).__name__)
            if self.private is None:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _load(self, namespace: str, name: str) -> Ed25519PrivateKey | None:
        """Return the key of the Secret; one is put there first where there is none. None: it cannot be used."""
        secret = await self._own.get(SECRETS, namespace, name)
        if secret is None:
            logger.warning("there is no Secret %s/%s for the facade's key", namespace, name)
            return None
        data: dict[str, str] = secret.get("data") or {}
        if PRIVATE not in data:
            key = Ed25519PrivateKey.generate()
            await self._own.replace(SECRETS, {**secret, "data": {**data, **render_pair(key)}})
            logger.info("made the facade's key: Secret %s/%s", namespace, name)
            return key
        return _parse(namespace, name, data[PRIVATE])


def render_pair(key: Ed25519PrivateKey) -> dict[str, str]:
    """Return the Secret's data for the key: PEM files in base64."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {name: base64.b64encode(pem).decode() for name, pem in ((PRIVATE, private), (PUBLIC, public))}


def _parse(namespace: str, name: str, encoded: str) -> Ed25519PrivateKey | None:
    try:
        key: Any = serialization.load_pem_private_key(base64.b64decode(encoded), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        return key
    logger.warning("%s in Secret %s/%s is no Ed25519 key in PEM without a passphrase", PRIVATE, namespace, name)
    return None
