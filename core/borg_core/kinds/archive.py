"""BorgArchive: one archive that there is in a repository, as the cluster knows it."""

from collections.abc import Iterator
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import GROUP, VERSION, Metadata, Model, NameRef, Time
from borg_core.registry import Column, Definition, Kind, Reference


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
        Schema("Which sources are in it, where that is known.", maxItems=32),
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


def references_of_archive(archive: BorgArchive) -> Iterator[Reference]:
    yield Reference("BorgRepository", archive.metadata.namespace, archive.spec.repository_ref.name)


ARCHIVES = Kind(
    "BorgArchive",
    GROUP,
    VERSION,
    "borgarchives",
    BorgArchive.model_validate,
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
