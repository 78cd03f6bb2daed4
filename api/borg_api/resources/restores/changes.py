"""What a client sent becomes a restore to ask for; what cannot be taken is refused."""

import re

from borg_api.commands.restores.wish import Wish
from borg_api.edge.errors import FieldError, InvalidShapeError, InvalidValueError, quote
from borg_api.picture.picture import View
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.archives.route import find_archive
from borg_api.resources.repositories.route import find_repositories_at, find_repository
from borg_api.resources.restores.paths import ROOT, count_stripped, normalize, split_paths
from borg_api.resources.restores.request import RestoreFields
from borg_contract.ownership import UndoOf, parse_undo_comment
from borg_core.claims.selection import selects
from borg_core.kinds.archive import ARCHIVES
from borg_core.kinds.parts.base import API_VERSION, OwnerReference
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.restore import BorgRestoreSpec

_CLAIM_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def derive_wish(fields: RestoreFields, view: View) -> Wish:
    """Return what is to be restored, and where.

    Raises NoSuchObjectError for a repository that does not exist, InvalidShapeError for what is missing,
    InvalidValueError for a value that cannot be taken. An archive may be one that the cluster does not know.
    """
    repository = _find_repository(fields, view)
    if fields.archive is None:
        raise _missing("archive", "Say which archive is to be restored.")
    archive = find_archive(view, repository.metadata.name, fields.archive)
    source, paths = split_paths(fields.paths, fields.source, archive)
    _check_layout(fields, source, paths)
    spec = {
        "repositoryRef": {"name": repository.metadata.name},
        "archive": archive.archive if archive else fields.archive,
        "source": source,
        "paths": paths,
        "exclude": tuple(dict.fromkeys(fields.exclude)),
        "target": _derive_target(fields, view, repository, archive, source),
        "mode": fields.mode,
        "writers": fields.writers,
        "ownership": fields.ownership,
        "undo": fields.undo,
        "verify": fields.verify,
    }
    return Wish(BorgRestoreSpec.model_validate(spec), _owner_of(repository, archive))


def _find_repository(fields: RestoreFields, view: View) -> BorgRepository:
    if fields.repository_id is None and fields.repository is None:
        raise _missing("repository_id", "Say which repository the archive is in.")
    by_id = None if fields.repository_id is None else find_repository(view, str(fields.repository_id))
    at_place = [] if fields.repository is None else find_repositories_at(view, fields.repository)
    if by_id and at_place and by_id not in at_place:
        raise InvalidValueError(
            f"repository_id is {by_id.metadata.name}, repository is {at_place[0].metadata.name}: send one of them.",
            "/repository_id",
        )
    return by_id or at_place[0]


def _check_layout(fields: RestoreFields, source: str | None, paths: tuple[str, ...]) -> None:
    """Refuse `contents_only` where it would leave folders away: a BorgRestore keeps the paths below the source."""
    if fields.restore_layout != "contents_only" or not paths:
        return
    sent = {normalize(item.path, "/path_metadata"): item.type for item in fields.path_metadata}
    types = {path: sent.get(path) or sent.get(f"{ROOT}/{source}/{path}", "file") for path in paths}
    if count_stripped(types):
        raise InvalidValueError(
            "Paths are kept below the destination: restore_layout contents_only would take folders away from them. "
            "Send preserve_path.",
            "/restore_layout",
        )


def _derive_target(
    fields: RestoreFields,
    view: View,
    repository: BorgRepository,
    archive: ArchiveRecord | None,
    source: str | None,
) -> dict[str, object]:
    name, _, folder = normalize(fields.destination, "/destination").partition("/")
    if fields.destination_type == "new_claim":
        _check_claim(name)
        if folder:
            raise InvalidValueError("A claim that is made has no folder yet: send its name alone.", "/destination")
        return {"newClaim": {"name": name}}
    if name:
        _check_claim(name)
        return {"claim": {"claimName": name, "path": folder}}
    origin = _find_origin(view, repository, archive, source) if archive else None
    if origin is None:
        raise InvalidValueError(
            "Where this came from is not known, or is no claim: send the name of a claim as destination.",
            "/destination",
        )
    return {"claim": origin}


def _check_claim(name: str) -> None:
    if not _CLAIM_NAME.fullmatch(name):
        raise InvalidValueError(
            f"{quote(name)} cannot be the name of a claim: send a claim, perhaps with a folder, app-data/restored.",
            "/destination",
        )


def _find_origin(
    view: View, repository: BorgRepository, archive: ArchiveRecord, source: str | None
) -> dict[str, object] | None:
    """Return the claim that the archive is of: the one that its schedule gives today for the source of that name.

    What an undo archive is of is where its restore went. None where the archive does not say all of that, or its
    schedule or restore is gone: another claim would be overwritten by what never was in it.
    """
    if undo := parse_undo_comment(archive.comment or ""):
        return _find_undone(view, archive, undo)
    schedule = view.schedules.get(archive.schedule) if archive.schedule else None
    if source is None and len(archive.sources) == 1 and not archive.is_cut:
        (source,) = archive.sources
    if schedule is None or source is None:
        return None
    sources = schedule.resource.spec.sources or repository.spec.sources
    volumes = {item.name: item.volume for item in sources if not item.claim_selector}
    if source not in volumes:  # a claim that was chosen by its labels is called like its source
        return {"claimName": source} if selects(sources) else None
    volume = volumes[source]
    return {"claimName": volume.claim_name} if volume and volume.claim_name else None


def _find_undone(view: View, archive: ArchiveRecord, undo: UndoOf) -> dict[str, object] | None:
    restore = view.restores.get(undo.restore) if undo.namespace == view.namespace else None
    # One that is younger is another one of its name.
    if restore is None or restore.resource.metadata.creation_timestamp > archive.time:
        return None
    claim = restore.resource.spec.target.claim
    return {"claimName": restore.resource.claim_name, "path": claim.path if claim else ""}


def _owner_of(repository: BorgRepository, archive: ArchiveRecord | None) -> OwnerReference:
    if archive:
        return OwnerReference(api_version=API_VERSION, kind=ARCHIVES.kind, name=archive.name, uid=archive.uid)
    metadata = repository.metadata
    return OwnerReference(api_version=API_VERSION, kind=REPOSITORIES.kind, name=metadata.name, uid=metadata.uid)


def _missing(field: str, words: str) -> InvalidShapeError:
    return InvalidShapeError(words, [FieldError(f"/{field}", words)])
