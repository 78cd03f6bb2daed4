"""Whose an archive is: written in its comment when it is made, and looked at before anything is pruned.

A name proves nothing: another cluster, namespace or BorgRepository may write into the same borg repository.
"""

import re
from dataclasses import dataclass

_COMMENT = re.compile(
    r"borgoperator\.io (?P<namespace>[^/\s]+)/(?P<schedule>\S+) \S+ repository=(?P<repository>\S+)"
    r"(?: cluster=(?P<cluster>\S+))?"
)


@dataclass(frozen=True)
class ArchiveOwner:
    """What an archive belongs to. `cluster` is empty where the operator does not know its own."""

    namespace: str
    schedule: str
    repository: str
    """The BorgRepository."""
    cluster: str = ""

    def __str__(self) -> str:
        place = f' of cluster "{self.cluster}"' if self.cluster else ""
        whose = f'BorgSchedule "{self.schedule}" in namespace "{self.namespace}"{place}'
        return f'{whose} (BorgRepository "{self.repository}")'


def render_comment(owner: ArchiveOwner, run_name: str) -> str:
    """Return the comment of an archive that the run makes."""
    cluster = f" cluster={owner.cluster}" if owner.cluster else ""
    return f"borgoperator.io {owner.namespace}/{owner.schedule} {run_name} repository={owner.repository}{cluster}"


def parse_comment(comment: str) -> ArchiveOwner | None:
    """Return whose archive it is; None where the comment does not say it, whole and in this form."""
    found = _COMMENT.fullmatch(comment)
    return ArchiveOwner(**found.groupdict(default="")) if found else None
