"""Which borg repository a run has to find in its place: that which runs before found, or one that a person accepts."""

import json
from hashlib import sha256

from borg_contract.archives.ids import ID
from borg_contract.plan import ACCEPTED_ID_ANNOTATION, LOST_ID_ANNOTATION
from borg_core.kinds.parts.targets import derive_place
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.status import ConditionType, is_true

_MARK_LENGTH = 12


def derive_known_ids(repository: BorgRepository) -> tuple[str, ...]:
    """Return borg's ids of which it has to have one; empty where none is known, or that of before is said to be lost.

    Annotations count before the operator has written down what follows from them, so that a run that is asked for in
    the next moment goes by them.
    """
    known = repository.status.identity
    if known is None or not known.id or known.place != derive_own_place(repository) or is_said_lost(repository):
        return ()
    accepted = repository.metadata.annotations.get(ACCEPTED_ID_ANNOTATION, "")
    # A person writes it, and anything else of any length might be there.
    return tuple(dict.fromkeys((known.id, accepted) if ID.fullmatch(accepted) else (known.id,)))


def is_said_lost(repository: BorgRepository) -> bool:
    """Tell whether a person says that the known repository is lost, and that has not been heeded yet.

    It is heeded once: if the repository is found after all, and is lost a year later, that is to be said anew.
    """
    known = repository.status.identity
    said = repository.metadata.annotations.get(LOST_ID_ANNOTATION)
    return known is not None and bool(known.id) and said == known.id != known.lost


def is_doubted(repository: BorgRepository) -> bool:
    """Tell whether the newest run there found another repository, and a backup would write into that before it knows.

    Only over SSH, where to ask first costs a login; on a volume each run looks first.
    """
    return repository.spec.ssh is not None and is_true(ConditionType.REPLACED, repository.status.conditions)


def derive_own_place(repository: BorgRepository) -> str:
    """Return where it is by its spec, also where no other BorgRepository can be in the same place."""
    local, ssh = repository.spec.local, repository.spec.ssh
    place = derive_place(local, ssh)
    if place is None and local is not None:
        volume = json.dumps([local.volume.model_dump(mode="json", exclude_none=True), local.path], sort_keys=True)
        place = f"volume {sha256(volume.encode()).hexdigest()[:16]}"
    return place or ""


def derive_place_mark(repository: BorgRepository) -> str:
    """Return what tells its place from others, and is short: a plan and a result have little room."""
    return sha256(derive_own_place(repository).encode()).hexdigest()[:_MARK_LENGTH]
