"""Names: of resources, from what people call a schedule; and of copies."""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from itertools import count

TITLE_LIMIT = 253
_LIMIT = 52  # the CronJob has the same name
_RUN_LIMIT = 63
_DIGEST_LENGTH = 10
_LABEL_LIMIT = 40
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")


def derive_resource_names(title: str) -> Iterator[str]:
    """Yield the names to try for a schedule of that title, in order: of the title alone, then with numbers.

    Two creations of one title therefore meet at the API server, where exactly one wins.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = _NOT_ALLOWED.sub("-", plain).strip("-")
    yield base[:_LIMIT].strip("-") or "schedule"
    for number in count(2):
        suffix = f"-{number}"
        yield (base or "schedule")[: _LIMIT - len(suffix)].strip("-") + suffix


def derive_copy_titles(title: str) -> Iterator[str]:
    """Yield `Copy of X`, `Copy of X (2)`, and so on, none longer than a title may be."""
    for number in count(1):
        suffix = f" ({number})" if number > 1 else ""
        yield f"Copy of {title}"[: TITLE_LIMIT - len(suffix)].rstrip() + suffix


def derive_run_name(schedule: str, seed: str) -> str:
    """Return the name of a run by hand: the same for the same `seed`, so that asking twice makes one."""
    return f"{schedule[: _RUN_LIMIT - _DIGEST_LENGTH - 1]}-{derive_digest(seed)[:_DIGEST_LENGTH]}"


def derive_digest(text: str) -> str:
    """Return what fits into a label and tells texts apart."""
    return sha256(text.encode()).hexdigest()[:_LABEL_LIMIT]
