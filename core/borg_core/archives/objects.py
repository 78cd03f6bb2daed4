"""BorgArchives as they are made: from a row of a listing, or from the result of the run that made the archive."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from borg_contract.archives.ids import ID, shorten_id
from borg_contract.archives.part import ArchiveRow, can_be_told
from borg_contract.ownership import ArchiveOwner, parse_comment, parse_content
from borg_core import labels
from borg_core.archives.told import Account
from borg_core.formats import format_size
from borg_core.kinds.archive import ARCHIVES, MOST_SOURCES
from borg_core.kinds.parts.base import API_VERSION
from borg_core.names import CRON_JOB_NAME_LIMIT
from borg_core.workload.owner import Owner, render_owner

_NAME_LIMIT = 63
_NAME = re.compile("[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class Naming:
    """Whose the BorgArchives are. `cluster`: which archives are this cluster's own, by what they say of themselves."""

    owner: Owner
    cluster: str


def archive_name(repository: str, id_: str) -> str:
    """Return the name of the BorgArchive."""
    return f"{repository}-{shorten_id(id_)}"


def row_of(account: Account) -> ArchiveRow | None:
    """Return the row of the archive that a run made, None where its result does not tell it whole."""
    _, result = account
    name, id_, time = result.archive or "", result.archive_id or "", result.archive_time or ""
    if not (can_be_told(name, time) and ID.fullmatch(id_)):
        return None
    return ArchiveRow(id_, name, time, result.comment or "")


def render_archive(row: ArchiveRow, naming: Naming, account: Account | None) -> dict[str, Any]:
    """Return the BorgArchive. `account`: of the run that made the archive, where it is known."""
    owner = naming.owner
    schedule, run = maker_of(row, naming, account)
    content = parse_content(row.comment)
    sources = {_short(name, _NAME_LIMIT) for name in (*content.files, *content.paths)}
    figures = _figures_of(account) if account else {}
    spec: dict[str, Any] = {
        "repositoryRef": {"name": owner.name},
        "archive": row.name,
        "id": row.id,
        "time": row.time,
        "scheduleRef": {"name": schedule} if schedule else None,
        "runRef": {"name": run} if run else None,
        "sources": sorted(sources - {""})[:MOST_SOURCES],
        **figures,
        "comment": row.comment or None,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": ARCHIVES.kind,
        "metadata": {
            "name": archive_name(owner.name, row.id),
            "namespace": owner.namespace,
            "labels": {
                labels.MANAGED_BY: labels.MANAGER,
                labels.REPOSITORY: owner.name,
                **({labels.SCHEDULE: schedule} if schedule else {}),
            },
            "ownerReferences": [render_owner(owner)],
        },
        "spec": {key: value for key, value in spec.items() if value not in (None, [])},
    }


def maker_of(row: ArchiveRow, naming: Naming, account: Account | None) -> tuple[str, str]:
    """Return schedule and run, empty where neither is of this namespace and cluster.

    Nor where they wrote through another BorgRepository of the same borg repository: what they prune, their results tell
    of that one alone.
    """
    if account:
        run = account[0]
        return (run.spec.schedule_ref.name if run.spec.schedule_ref else ""), run.metadata.name
    maker, owner = parse_comment(row.comment), naming.owner
    if maker is None or maker != ArchiveOwner(owner.namespace, maker.schedule, owner.name, naming.cluster):
        return "", ""
    run_name = row.comment.split()[2]
    return _short(maker.schedule, CRON_JOB_NAME_LIMIT), _short(run_name.strip("-"), _NAME_LIMIT)


def _short(name: str, limit: int) -> str:
    """Return a name that may be one of an object, else nothing: anybody can write a comment."""
    return name if len(name) <= limit and _NAME.fullmatch(name) else ""


def _figures_of(account: Account) -> Mapping[str, Any]:
    result = account[1]
    return {
        "originalSize": result.original_size,
        "deduplicatedSize": result.deduplicated_size,
        "size": None if result.original_size is None else format_size(result.original_size),
        "files": result.files,
    }
