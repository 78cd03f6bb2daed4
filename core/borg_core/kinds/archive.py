"""BorgArchive: one archive that there is in a repository, as the cluster knows it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import GROUP, VERSION, Metadata, Model, NameRef, Time
from borg_core.registry import Body, Column, Definition, Kind, Reference

MOST_SOURCES = 32
"""So many are named, at the most."""
MOST_UNRECORDED = 1024
"""Schedules."""


class BorgArchiveSpec(Model):
    repository_ref: Annotated[
        NameRef,
        Schema(
            "The repository that holds it.",
            below={"name": Schema("The name of a BorgRepository in the same namespace.", maxLength=63)},
        ),
    ]
    archive: Annotated[str, Schema("Its name in the repository.", minLength=1, maxLength=1024)]
    id: Annotated[str, Schema("Borg's own id of it.", minLength=1, maxLength=64)]
    time: Annotated[Time, Schema("When it was begun, in UTC.")]
    schedule_ref: Annotated[
        NameRef | None,
        Schema(
            "The BorgSchedule of this namespace that made it, by what the archive says of itself; absent for others.",
            below={"name": Schema("The schedule's name.", maxLength=63)},
        ),
    ] = None
    run_ref: Annotated[
        NameRef | None,
        Schema("The BorgRun that made it, which may be gone.", below={"name": Schema("The run's name.", maxLength=63)}),
    ] = None
    sources: Annotated[
        tuple[Annotated[str, Schema("A source's name.", maxLength=63)], ...],
        Schema("Which sources are in it, where that is known; of many the first.", maxItems=MOST_SOURCES),
    ] = ()
    original_size: Annotated[
        int | None, Schema("Bytes of its files, where that is known.", format="int64", minimum=0)
    ] = None
    deduplicated_size: Annotated[
        int | None,
        Schema("Bytes that it added to the repository, where that is known.", format="int64", minimum=0),
    ] = None
    size: Annotated[str | None, Schema("originalSize rounded for people, for example `1.2Gi`.", maxLength=32)] = None
    files: Annotated[
        int | None, Schema("How many files are in it, where that is known.", format="int64", minimum=0)
    ] = None
    comment: Annotated[str | None, Schema("Its comment, cut to 1,024 characters.", maxLength=1024)] = None


class BorgArchive(Model):
    kind: Literal["BorgArchive"] = "BorgArchive"
    metadata: Metadata
    spec: Annotated[
        BorgArchiveSpec,
        Schema(
            "What is known of the archive. It never changes: of an archive that is deleted, the object goes.",
            Rule("self == oldSelf", "an archive does not change: the operator makes and deletes these objects"),
        ),
    ]


ArchiveLimit = Annotated[
    int,
    Schema(
        "How many of its archives, the newest, the cluster is to know: each is a BorgArchive. Default 200; 0: none.",
        format="int32",
        minimum=0,
        maximum=2000,
    ),
]


class VanishedArchives(Model):
    """Archives that were made for this namespace and are gone, though nothing here deleted them."""

    run_name: Annotated[str, Schema("The BorgRun that found the last of them gone.", maxLength=253)]
    run_uid: Annotated[str, Schema("Its uid, which tells it from a later one of its name.", maxLength=64)] = ""
    count: Annotated[int, Schema("How many they are.", format="int64", minimum=1)]
    archives: Annotated[
        tuple[Annotated[str, Schema("One name.", maxLength=1024)], ...],
        Schema("The first of them.", maxItems=8),
    ] = ()


class UnrecordedRuns(Model):
    """Runs of a schedule that went by while nobody looked, and of which there is no record."""

    schedule: Annotated[str, Schema("The schedule's name.", maxLength=63)]
    time: Annotated[Time, Schema("When the run ended, or the `List` began, by which that shows.")]


class RepositoryListing(Model):
    """How far the cluster knows the archives of a repository."""

    repository_id: Annotated[str, Schema("Borg's id of the repository whose archives they are.", maxLength=64)] = ""
    newest: Annotated[
        str,
        Schema("What tells the set of the newest archives, as the newest run found it, from any other.", maxLength=32),
    ] = ""
    time: Annotated[Time | None, Schema("When that run ended.")] = None
    since: Annotated[
        Time | None,
        Schema("When the newest `List` began: of archives of earlier runs, it alone tells whether they are there."),
    ] = None
    whole: Annotated[Time | None, Schema("When the newest `List` began that left nothing to be told.")] = None
    unrecorded: Annotated[
        tuple[Annotated[UnrecordedRuns, Schema("One of them.")], ...],
        Schema(
            "Schedules of which runs went by without a record, so that nobody knows what they pruned; each until a "
            "`List` that began later left nothing to be told.",
            maxItems=MOST_UNRECORDED,
            listMapKeys=["schedule"],
        ),
    ] = ()
    vanished: Annotated[
        VanishedArchives | None,
        Schema("What is gone though nothing here deleted it; delete the BorgRun that found it when that is settled."),
    ] = None


@dataclass(frozen=True, slots=True)
class KnownArchive:
    """A BorgArchive as far as anybody plans with it: there may be many thousands."""

    namespace: str
    name: str
    uid: str
    owner_uid: str
    """Of the BorgRepository that controls it, empty where none does."""
    repository: str
    archive: str
    id: str
    time: str
    schedule: str
    """Empty for one that no schedule of its namespace made."""


def parse_archive(body: Body) -> KnownArchive:
    found = BorgArchive.model_validate(body)
    metadata, spec = found.metadata, found.spec
    owner = next((owner.uid for owner in metadata.owner_references if owner.controller), "")
    return KnownArchive(
        namespace=sys.intern(metadata.namespace),
        name=metadata.name,
        uid=metadata.uid,
        owner_uid=sys.intern(owner),
        repository=sys.intern(spec.repository_ref.name),
        archive=spec.archive,
        id=spec.id,
        time=spec.time,
        schedule=sys.intern(spec.schedule_ref.name) if spec.schedule_ref else "",
    )


def references_of_archive(archive: KnownArchive) -> Iterator[Reference]:
    yield _refer_to_repository(archive.namespace, archive.repository)


@lru_cache(maxsize=4096)
def _refer_to_repository(namespace: str, name: str) -> Reference:
    """Return the reference, one for all archives of a repository."""
    return Reference("BorgRepository", namespace, name)


ARCHIVES = Kind(
    "BorgArchive",
    GROUP,
    VERSION,
    "borgarchives",
    parse_archive,
    references_of_archive,
    definition=Definition(
        model=BorgArchive,
        short_name="barch",
        schema=Schema(
            "One archive in a BorgRepository. The operator makes it and keeps it true: one that is deleted by hand "
            "comes back, and deleting it deletes no archive. To bring one back, name it in a BorgRestore."
        ),
        columns=(
            Column("Archive", ".spec.archive"),
            Column("Repository", ".spec.repositoryRef.name"),
            Column("Schedule", ".spec.scheduleRef.name"),
            Column("Size", ".spec.size", description="Bytes of its files."),
            Column("Files", ".spec.files", type="integer", description="How many files are in it."),
            Column("Time", ".spec.time", description="When it was begun."),
            Column("Run", ".spec.runRef.name", wide=True),
            Column("Id", ".spec.id", wide=True),
            Column("Comment", ".spec.comment", wide=True),
        ),
        selectable=(".spec.repositoryRef.name", ".spec.scheduleRef.name"),
    ),
)
