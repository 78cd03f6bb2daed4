"""Claims as they are backed up, or not: Borg UI knows no such thing, so the words are Kubernetes' own."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.paging import Paged
from borg_api.picture.records import derive_id
from borg_api.picture.restoring import ArchiveRecord
from borg_core.claims.coverage import Cover, Coverage
from borg_core.kinds.schedule import SCHEDULES

Last = Mapping[tuple[str, str], str]
"""By schedule and source, when the newest archive that holds it was begun; by schedule and "", of one of which is not
known what else is in it."""


@answer
class CoveringSchedule(TypedDict):
    id: int
    name: str
    title: str
    source: Annotated[str, Field(description="What the claim is called in this schedule's archives.")]
    ready: bool
    suspended: bool


@answer
class Claim(TypedDict):
    name: str
    phase: str
    created_at: str
    protected: Annotated[bool, Field(description="Whether a schedule that is Ready and not suspended backs it up.")]
    ignored: Annotated[bool, Field(description='Whether it bears `borgoperator.io/ignore: "true"`.')]
    repository: Annotated[str | None, Field(description="The BorgRepository that is on it, or has its cache there.")]
    schedules: list[CoveringSchedule]
    last_backup: Annotated[
        str | None, Field(description="When the newest archive was begun that these schedules made of it, if known.")
    ]
    uncovered_since: Annotated[
        str | None,
        Field(
            description="Null for one that is protected. When its schedules ceased to be Ready or were suspended; "
            "where there are none, when it was made."
        ),
    ]


@answer
class Claims(Paged):
    success: bool
    claims: list[Claim]


def collect_last(archives: Iterable[ArchiveRecord]) -> Last:
    """Return when what was backed up last, as far as the archives tell."""
    last: dict[tuple[str, str], str] = {}
    for archive in archives:
        names = (*archive.sources, *(("",) if archive.is_cut else ()))
        for key in ((archive.schedule or "", name) for name in names):
            last[key] = max(last.get(key, ""), archive.time)
    return last


def render_claim(coverage: Coverage, last: Last) -> Claim:
    claim = coverage.claim
    return {
        "name": claim.name,
        "phase": claim.phase or "Pending",
        "created_at": claim.created,
        "protected": coverage.protected,
        "ignored": claim.ignored,
        "repository": coverage.keeps,
        "schedules": [_render_cover(cover) for cover in coverage.covers],
        "last_backup": max((_last_of(cover, claim.created, last) for cover in coverage.covers), default="") or None,
        "uncovered_since": None if coverage.protected else _uncovered_since(coverage),
    }


def _render_cover(cover: Cover) -> CoveringSchedule:
    metadata = cover.schedule.metadata
    return {
        "id": derive_id(SCHEDULES.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "title": cover.schedule.title,
        "source": cover.source,
        "ready": cover.ready,
        "suspended": cover.suspended,
    }


def _last_of(cover: Cover, created: str, last: Last) -> str:
    """Return when the schedule last backed it up, empty where that is not known.

    An archive of more sources than can be told counts for a claim that was there when it was begun.
    """
    name = cover.schedule.metadata.name
    cut = last.get((name, ""), "")
    return max(last.get((name, cover.source), ""), cut if cut >= created else "")


def _uncovered_since(coverage: Coverage) -> str:
    """Return since when: the last of its schedules may have held on for longer than the others."""
    return max(coverage.claim.created, *(cover.failing_since for cover in coverage.covers), "")
