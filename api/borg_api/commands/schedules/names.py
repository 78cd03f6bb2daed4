"""Names: of a schedule's resource, from what people call the schedule, and of copies."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import count

from borg_core.kinds.parts.names import TITLE_LIMIT
from borg_core.names import CRON_JOB_NAME_LIMIT

NOT_NAMES = ("cron-presets", "upcoming-jobs")
"""What has a place of its own among the schedules over REST, so that none of that name could be read there."""
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")


def derive_resource_names(title: str) -> Iterator[str]:
    """Yield the names to try for a schedule of that title, in order: of the title alone, then with numbers.

    Two creations of one title therefore meet at the API server, where exactly one wins.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = _NOT_ALLOWED.sub("-", plain).strip("-")
    if base not in NOT_NAMES:
        yield base[:CRON_JOB_NAME_LIMIT].strip("-") or "schedule"
    for number in count(2):
        suffix = f"-{number}"
        yield (base or "schedule")[: CRON_JOB_NAME_LIMIT - len(suffix)].strip("-") + suffix


def derive_copy_titles(title: str) -> Iterator[str]:
    """Yield `Copy of X`, `Copy of X (2)`, and so on, none longer than a title may be."""
    for number in count(1):
        suffix = f" ({number})" if number > 1 else ""
        yield f"Copy of {title}"[: TITLE_LIMIT - len(suffix)].rstrip() + suffix
