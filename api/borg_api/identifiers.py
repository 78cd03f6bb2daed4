"""The integer ids of the REST contract: a pure function of what a resource is called.

So every replica, every kubectl user and a restored cluster agree on them, and nothing counts.
"""

from hashlib import sha256

_BITS = 53  # what every JSON reader keeps exactly


def derive_id(kind: str, namespace: str, name: str) -> int:
    """Return the id, 1 to 2**53 - 1, of a resource."""
    digest = sha256(f"{kind}/{namespace}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _BITS) or 1
