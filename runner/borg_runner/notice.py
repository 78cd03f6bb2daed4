"""What the run waits for, where the pod's readiness probe finds it: so it gets into the BorgRun's status.

Pods hold no API token. The probe fails with these words, and the kubelet passes them on.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from borg_runner.log import Log, make_printable


@dataclass(frozen=True)
class Notice:
    """Words in a file at `path`, as long as the run waits. A file that cannot be written must not end the run."""

    path: Path
    log: Log

    def post(self, words: str) -> None:
        """Let `words` be known."""
        draft = self.path.with_name(f"{self.path.name}.new")
        with contextlib.suppress(OSError):
            draft.write_text(make_printable(self.log.conceal(words)))
            draft.rename(self.path)  # at once: the probe may read at any moment

    def clear(self) -> None:
        """Say nothing any more."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
