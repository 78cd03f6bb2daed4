"""Reads the sources in a thread of its own: a network volume that does not answer holds whoever asks it.

The main thread, which hears the signals, stays free: it says what the run waits for, and can end it.
"""

import datetime as dt
import queue
import threading
import time
from collections.abc import Callable

from borg_contract.pod import NOTICE_OF_VOLUME
from borg_runner.verbs.repository import Repository
from borg_runner.work.sources.survey import Survey

PATIENCE_SECONDS = 60.0
"""Without a sign of a next folder, or of a next path to ask about; to list a million files takes a second or two."""

_TICK_SECONDS = 0.2


def read_watched(
    repository: Repository,
    read: Callable[[Callable[[], None], Callable[[str], bool]], Survey],
    *,
    leaves_out: Callable[[str], bool] = lambda _: False,
    patience: float = PATIENCE_SECONDS,
) -> Survey:
    """Return what `read` returns. It is given what it has to call before each folder, and `leaves_out`.

    The latter is answered by the main thread, too: an expression may take years, and only a signal ends that.

    Raises what it raises, and FaultError when the pod is shutting down, also while it hangs.
    """
    reader = _Reader(repository, read)
    reader.start()
    told = False
    notice = repository.borg.notice
    try:
        while not reader.ended(_TICK_SECONDS, leaves_out):
            repository.raise_when_interrupted()
            hangs = time.monotonic() - reader.heard_at >= patience
            if hangs and not told:
                words = f"{NOTICE_OF_VOLUME}: reading the sources has not gone on since {reader.last_sign} UTC"
                repository.log.say(words)
                if notice is not None:
                    notice.post(words)
            elif told and not hangs and notice is not None:
                notice.clear()
            told = hangs
    finally:
        if told and notice is not None:
            notice.clear()
    return reader.result()


class _Reader:
    """A thread that ends with the process, as one that hangs cannot be ended."""

    def __init__(
        self, repository: Repository, read: Callable[[Callable[[], None], Callable[[str], bool]], Survey]
    ) -> None:
        self._repository, self._read = repository, read
        self._questions: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sources", daemon=True)
        self._survey: Survey | None = None
        self._error: BaseException | None = None
        self._note()

    def start(self) -> None:
        self._thread.start()

    def ended(self, seconds: float, leaves_out: Callable[[str], bool]) -> bool:
        """Answer a question, or wait for one at most so long; return whether it has ended."""
        try:
            path = self._questions.get(timeout=seconds)
        except queue.Empty:
            return False
        if path is None:
            self._thread.join()
            return True
        self._answers.put(leaves_out(path))
        return False

    def result(self) -> Survey:
        """Return what was read. Raises what kept it from being read."""
        if self._survey is None:
            raise self._error or RuntimeError("the sources were not read")
        return self._survey

    def _note(self) -> None:
        self.heard_at = time.monotonic()
        self.last_sign = f"{dt.datetime.now(dt.UTC):%H:%M}"

    def _run(self) -> None:
        try:
            self._survey = self._read(self._on_folder, self._ask)
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self._error = error
        finally:
            self._questions.put(None)

    def _ask(self, path: str) -> bool:
        self._note()  # of a folder with a million files, each may be asked about
        self._questions.put(path)
        return self._answers.get()

    def _on_folder(self) -> None:
        self._repository.raise_when_interrupted()
        self._note()
