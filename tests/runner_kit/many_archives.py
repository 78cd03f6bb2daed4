"""Fills a borg repository with empty archives, as somebody does in years: run by the Python that borg runs on.

`many_archives.py REPOSITORY COUNT PREFIX`: one archive for each hour before now. Archives are written as `borg create`
writes them, and committed all at once.
"""

import sys
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any


def main(location: str, count: int, prefix: str) -> None:
    borg: dict[str, Any] = {
        name: _load(f"borg.{name}") for name in ("archive", "cache", "helpers", "logger", "repository")
    }
    borg["logger"].setup_logging()
    manifests = borg["helpers"].Manifest
    now = datetime.utcnow().replace(microsecond=0)  # noqa: DTZ003 - what borg 1.4 expects
    with borg["repository"].Repository(location, exclusive=True, lock_wait=5) as repository:
        manifest, key = manifests.load(repository, manifests.NO_OPERATION_CHECK)
        with borg["cache"].Cache(repository, key, manifest, lock_wait=5) as cache:
            write, commit = manifest.write, repository.commit
            manifest.write = repository.commit = cache.commit = lambda *_, **__: None
            for number in range(count):
                at = now - timedelta(hours=count - number)
                archive = borg["archive"].Archive(
                    repository, key, manifest, f"{prefix}-{at:%Y-%m-%dT%H:%M:%S}", cache=cache, create=True
                )
                archive.save(timestamp=at)
            write()
            commit(compact=False)


def _load(name: str) -> ModuleType:
    __import__(name)
    return sys.modules[name]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
