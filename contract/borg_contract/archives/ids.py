"""Borg's ids: how those of archives are told in little room, and what tells one set of them from another."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence

ID = re.compile("[0-9a-f]{64}")
"""As borg writes it: a repository's is random, an archive's a MAC or a hash of what describes it."""

SHORT_DIGITS = 12
"""So many digits of it tell an archive from all others of its repository; they are in its BorgArchive's name."""

DEFAULT_LIMIT = 200
"""Of how many archives of a repository, the newest, the cluster knows unless its BorgRepository says otherwise."""

Dated = tuple[str, str]
"""(when it was begun: RFC 3339 in UTC to the second, its id): sorts by age, and never ties."""

_DIGEST_DIGITS = 16
_SHORT_BYTES = SHORT_DIGITS // 2


def shorten_id(id_: str) -> str:
    return id_[:SHORT_DIGITS]


def select_newest(archives: Iterable[Dated], limit: int) -> list[Dated]:
    """Return the newest `limit` of the archives, the newest first."""
    return sorted(archives, reverse=True)[:limit]


def digest_newest(archives: Iterable[Dated], limit: int) -> str:
    """Return what tells the set of the newest `limit` archives from any other, and from one of another limit."""
    ids = sorted(id_ for _, id_ in select_newest(archives, limit))
    return hashlib.sha256("\n".join([str(limit), *ids]).encode()).hexdigest()[:_DIGEST_DIGITS]


def pack_ids(ids: Iterable[str]) -> str:
    """Return short ids as one text."""
    return base64.b64encode(bytes.fromhex("".join(map(shorten_id, ids)))).decode()


def unpack_ids(text: str) -> Sequence[str]:
    """Return the short ids in `text`. Raises ValueError."""
    try:
        digits = base64.b64decode(text, validate=True).hex()
    except binascii.Error as error:
        raise ValueError(f"no short ids: {error}") from error
    if len(digits) % SHORT_DIGITS:
        raise ValueError(f"{len(digits) // 2} bytes are no short ids of {_SHORT_BYTES} each")
    return [digits[at : at + SHORT_DIGITS] for at in range(0, len(digits), SHORT_DIGITS)]
