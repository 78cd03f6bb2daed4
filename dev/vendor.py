"""dev/vendor.py write|check|axe: what the page has from npm, and what its tests have.

`write` puts the page's scripts into the package, where they are committed; `check` says whether they are what npm gave.
`axe` prints the path of axe-core, which is for tests alone and stays in the cache. Packages come by `npm pack`, as this
machine is set up for it, and are what the digests below say (npm's own `dist.integrity`), or are not taken.
"""

import base64
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from hashlib import sha256, sha512
from pathlib import Path

PAGE = Path(__file__).parents[1] / "api" / "borg_api" / "page" / "static"
CACHE = Path(os.environ.get("BORG_DEV_CACHE", Path.home() / ".cache" / "borg-operator")) / "npm"


@dataclass(frozen=True)
class Package:
    """`files`: of the package, by the name that they get here, each with its sha256."""

    name: str
    version: str
    integrity: str
    files: dict[str, tuple[str, str]]


HTMX = Package(
    "htmx.org",
    "4.0.1",
    "sha512-oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
    {
        "htmx.js": ("package/dist/htmx.min.js", "5c57d9ce9972c4c0685c16d92310ad7d42c96a55cae6ce0b9012eda48248a8fe"),
        "hx-sse.js": (
            "package/dist/ext/hx-sse.min.js",
            "3d57e7b714d98610476704c43b4b93b782c3eb5c3994d31761d6e70cb3b5e38a",
        ),
        "hx-csp.js": (
            "package/dist/ext/hx-csp.min.js",
            "c987fbf58134551dde8b9a71627258f04b1e064bc1eaaf297ef3413dbb1d38c8",
        ),
        "htmx-LICENSE": ("package/LICENSE", "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38"),
    },
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.js": ("package/axe.min.js", "188dc50c7c68617d089b37fcb2d6376ce35488958baa977cd7c35cc1391e592e")},
)


def fetch(package: Package, folder: Path) -> None:
    """Put the package's files into the folder. Exits where one is not what it should be."""
    with tempfile.TemporaryDirectory() as work:
        command = ["npm", "pack", "--silent", "--pack-destination", work, f"{package.name}@{package.version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (tarball,) = Path(work).glob("*.tgz")
        digest = base64.b64encode(sha512(tarball.read_bytes()).digest()).decode()
        if digest != package.integrity.removeprefix("sha512-"):
            sys.exit(f"{package.name} {package.version}: npm gave something else than was reviewed")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(tarball) as archive:
            for name, (path, _) in package.files.items():
                found = archive.extractfile(path)
                assert found
                # Without the link to a source map, which is not served.
                kept = [line for line in found.read().splitlines() if not line.startswith(b"//# sourceMappingURL=")]
                (folder / name).write_bytes(b"\n".join(kept) + b"\n")


def find_stale(package: Package, folder: Path) -> list[str]:
    """Return the files in the folder that are not those of the package."""
    return [
        name
        for name, (_, digest) in package.files.items()
        if not (folder / name).exists() or sha256((folder / name).read_bytes()).hexdigest() != digest
    ]


def main(task: str) -> None:
    if task == "write":
        fetch(HTMX, PAGE)
    if task == "axe":
        if find_stale(AXE, CACHE):
            fetch(AXE, CACHE)
        print(CACHE / "axe.js")
    stale = find_stale(AXE, CACHE) if task == "axe" else find_stale(HTMX, PAGE)
    if stale:
        sys.exit(f"not what dev/vendor.py says: {', '.join(stale)}")


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"], ["axe"]):
        sys.exit("usage: dev/vendor.py write|check|axe")
    main(sys.argv[1])
