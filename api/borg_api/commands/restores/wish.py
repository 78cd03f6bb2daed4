"""A restore that is asked for, and the name that it gets."""

from dataclasses import dataclass
from typing import Any

from borg_api.commands.runs.start import derive_name
from borg_api.picture.restoring import RestoreRecord, derive_asked
from borg_core import labels
from borg_core.kinds.parts.base import OwnerReference
from borg_core.kinds.restore import BorgRestoreSpec
from borg_core.names import RESTORE_NAME_LIMIT


@dataclass(frozen=True)
class Wish:
    """`owner`: what a preview of it goes with: its archive, or the repository of one that the cluster does not know."""

    spec: BorgRestoreSpec
    owner: OwnerReference

    @property
    def asked(self) -> str:
        """A digest of it, by which others that ask for the same are found."""
        return derive_asked(self.spec)

    def render(self, *, preview: bool = False) -> dict[str, Any]:
        """Return the spec as it is written: what is as by default is left out."""
        spec = self.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {**spec, "preview": True} if preview else spec

    def name_after(self, before: list[RestoreRecord]) -> str:
        """Return a name that all choose who ask for the same at once, and nobody before or after.

        `before`: those that asked for it.
        """
        seed = " ".join([self.asked, *sorted(restore.uid for restore in before)])
        return derive_name(self.spec.repository_ref.name, seed, RESTORE_NAME_LIMIT)

    def mark(self, key: str | None = None) -> dict[str, str]:
        """Return its labels."""
        of_repository = {labels.REPOSITORY: self.spec.repository_ref.name}
        return {**of_repository, labels.IDEMPOTENCY_KEY: key} if key else of_repository
