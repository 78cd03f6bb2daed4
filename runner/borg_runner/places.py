"""Where things are in the pod. Tests move all of it below a folder of theirs with one environment value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from borg_contract import pod
from borg_contract.restore.plan import TARGET_DIR

ROOT_ENV = "BORG_RUNNER_ROOT"
"""A folder below which all of these places lie; unset in pods."""

LOST_AND_FOUND = "lost+found"
"""At the root of ext4, made with the volume, for root alone: a volume with nothing else is empty."""


@dataclass(frozen=True)
class Places:
    root: Path = Path("/")

    @property
    def sources(self) -> Path:
        return self._below(pod.SOURCES_DIR)

    @property
    def target(self) -> Path:
        """The volume that is restored into."""
        return self._below(TARGET_DIR)

    @property
    def restored(self) -> Path:
        """What a drill leaves for an application."""
        return self._below(pod.RESTORED_DIR)

    @property
    def cache(self) -> Path:
        return self._below(pod.CACHE_DIR)

    @property
    def scratch(self) -> Path:
        return self._below(pod.SCRATCH_DIR)

    @property
    def streams(self) -> Path:
        """Holds a folder for each container beside ours that has a command."""
        return self._below(pod.STREAMS_DIR)

    @property
    def notice(self) -> Path:
        return self._below(pod.NOTICE_FILE)

    @property
    def termination_log(self) -> Path:
        return self._below(pod.TERMINATION_LOG)

    def _below(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def derive_places(environment: Mapping[str, str]) -> Places:
    """Return the places that the process's environment gives."""
    return Places(Path(environment.get(ROOT_ENV, "/")))
