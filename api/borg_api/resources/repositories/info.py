"""One repository as `borg info` tells of it, in Borg UI's shape, as far as its status knows."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_core.kinds.repository import BorgRepository
from borg_core.workload.plan import derive_location


@answer
class RepositoryOfInfo(TypedDict):
    id: Annotated[str | None, Field(description="Borg's own id.")]
    location: str
    last_modified: str | None


@answer
class Encryption(TypedDict):
    mode: str


@answer
class CacheStats(TypedDict):
    """What borg calls the statistics of its cache, in bytes; what only a cache knows is null."""

    total_size: int | None
    total_csize: int | None
    unique_size: int | None
    unique_csize: int | None
    total_chunks: int | None
    total_unique_chunks: int | None


@answer
class Cache(TypedDict):
    stats: Annotated[CacheStats | None, Field(description="null while no run has told the sizes.")]


@answer
class SummaryStats(TypedDict):
    """Of all archives together, in bytes, as the newest run found them."""

    original_size: int | None
    compressed_size: Annotated[int | None, Field(description="null: runs count what is left after deduplication.")]
    deduplicated_size: int | None
    total_files: Annotated[int | None, Field(description="null: nobody counts the files of all archives.")]


@answer
class RepositoryDetails(TypedDict):
    repository: RepositoryOfInfo
    encryption: Encryption
    cache: Cache
    summary_stats: Annotated[SummaryStats | None, Field(description="null while no run has told the sizes.")]


@answer
class RepositoryInfo(TypedDict):
    success: bool
    info: RepositoryDetails


def render_details(repository: BorgRepository) -> RepositoryDetails:
    original, deduplicated = repository.status.original_size, repository.status.deduplicated_size
    summary = _summarize(original, deduplicated)
    return {
        "repository": render_identity(repository),
        "encryption": {"mode": repository.spec.encryption.mode.value},
        # Borg UI's client takes a null of the cache for 0 bytes, and looks there when there is no summary.
        "cache": {"stats": _render_cache(original, deduplicated) if summary else None},
        "summary_stats": summary,
    }


def render_identity(repository: BorgRepository) -> RepositoryOfInfo:
    identity = repository.status.identity
    return {
        "id": (identity.id or None) if identity else None,
        "location": derive_location(repository),
        "last_modified": repository.status.last_backup_time,
    }


def _render_cache(original: int | None, deduplicated: int | None) -> CacheStats:
    return {
        "total_size": original,
        "total_csize": None,
        "unique_size": None,
        "unique_csize": deduplicated,
        "total_chunks": None,
        "total_unique_chunks": None,
    }


def _summarize(original: int | None, deduplicated: int | None) -> SummaryStats | None:
    if original is None and deduplicated is None:
        return None
    return {
        "original_size": original,
        "compressed_size": None,
        "deduplicated_size": deduplicated,
        "total_files": None,
    }
