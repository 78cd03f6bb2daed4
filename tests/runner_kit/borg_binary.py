"""The borg of the runner's image for the tests, from nothing.

Looked for in this order: the file that the environment value BORG names; `borg` on the PATH when it is that version; a
private venv in ${XDG_CACHE_HOME:-~/.cache}/borg-operator/borg-1.4, which is made once with pip. PyPI has borg as source
only, so that needs a C compiler and the headers of openssl, acl, lz4, zstd and xxhash (Debian: gcc pkg-config
libssl-dev libacl1-dev liblz4-dev libzstd-dev libxxhash-dev), and about a minute.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

_LOCK = tomllib.loads((Path(__file__).parents[2] / "uv.lock").read_text())
BORG_VERSION: str = next(item["version"] for item in _LOCK["package"] if item["name"] == "borgbackup")
"""That of the runner's image."""

_WANTED = f"borg {BORG_VERSION}"


def find_borg() -> Path:
    """Return the path of that borg, after making one when there is none. Raises CalledProcessError when pip fails."""
    named = os.environ.get("BORG")
    for candidate in (named, shutil.which("borg")):
        if candidate and _is_wanted(candidate):
            return Path(candidate)
    return _find_in_cache()


def _is_wanted(path: str) -> bool:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == _WANTED


def _find_in_cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "borg-operator"
    cache.mkdir(parents=True, exist_ok=True)
    venv = cache / "borg-1.4"
    borg = venv / "bin" / "borg"
    with (cache / "borg-1.4.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side make it once
        if not _is_wanted(str(borg)):
            shutil.rmtree(venv, ignore_errors=True)
            _make_venv(venv)
    return borg


def _make_venv(venv: Path) -> None:
    sys.stderr.write(f"making a private borg {BORG_VERSION} in {venv}: about a minute, once\n")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", f"borgbackup=={BORG_VERSION}"], check=True)
