"""Storages of kopf's that keep nothing: its handlers of changes are not used, so there is nothing to remember.

kopf prepares for such handlers at every event all the same, and copies the whole object several times to do so, which
was a quarter of the operator's work.
"""

from typing import Any

import kopf


class NoProgress(kopf.ProgressStorage):
    """No handler is ever half-way."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: Any) -> Any:
        return essence


class NoDiffBase(kopf.DiffBaseStorage):
    """No object is compared with what it was."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass
