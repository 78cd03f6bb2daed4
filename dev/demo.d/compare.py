"""Compares two trees entry by entry: kind, content, owner, mode, time, links, holes, extended attributes.

Usage: compare.py SOURCE RESTORED. Says what it compared; exits with 1 and names what differs when anything does.
Or: compare.py TREE. Says what is in it, with a digest over all that would be compared.
"""

import hashlib
import os
import stat
import sys
from collections import Counter
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

SHOWN = 20
SET_ASIDE = ("lost+found",)


@dataclass(frozen=True)
class Entry:
    """All that a backup is to bring back of one path; two are equal when a user could not tell them apart."""

    kind: str
    mode: str
    uid: int
    gid: int
    mtime_ns: int
    size: int
    content: str
    target: str
    same_file_as: str
    holes: bool
    attributes: tuple[tuple[str, bytes], ...]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_entry(path: Path, first_name: str) -> Entry:
    """Return what is at `path`; `first_name` is the first path of the same inode, relative to the tree."""
    found = path.lstat()
    regular, link = stat.S_ISREG(found.st_mode), stat.S_ISLNK(found.st_mode)
    names = [] if link else sorted(os.listxattr(path))
    return Entry(
        kind=stat.filemode(found.st_mode)[0],
        mode="" if link else oct(stat.S_IMODE(found.st_mode)),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        size=found.st_size if regular else 0,
        content=digest(path) if regular else "",
        target=str(path.readlink()) if link else "",
        same_file_as=first_name,
        # Borg brings back holes of whole chunks (8 MiB at most); around the data some are lost.
        holes=regular and found.st_blocks * 512 < found.st_size * 3 // 4,
        attributes=tuple((name, os.getxattr(path, name)) for name in names),
    )


def read_tree(root: Path) -> dict[str, Entry]:
    """Return the entries of a tree by path below `root`, which itself is `.`."""
    paths = [root]
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in SET_ASIDE]
        paths += [Path(folder, name) for name in folders + files]
    first_names: dict[tuple[int, int], str] = {}
    entries = {}
    for path in sorted(paths):
        found, relative = path.lstat(), str(path.relative_to(root))
        first_name = first_names.setdefault((found.st_dev, found.st_ino), relative)
        entries[relative] = read_entry(path, first_name)
    return entries


def find_differences(source: dict[str, Entry], restored: dict[str, Entry]) -> list[str]:
    """Return one line for each path that is missing, too many, or not the same."""
    lines = [f"missing: {path!r}" for path in source.keys() - restored.keys()]
    lines += [f"not in the source: {path!r}" for path in restored.keys() - source.keys()]
    for path in source.keys() & restored.keys():
        for field in fields(Entry):
            before, after = getattr(source[path], field.name), getattr(restored[path], field.name)
            if before != after:
                lines.append(f"{field.name} of {path!r}: {before!r} became {after!r}")
    return sorted(lines)


def describe(tree: dict[str, Entry]) -> str:
    kinds = Counter(entry.kind for entry in tree.values())
    links = sum(path != entry.same_file_as for path, entry in tree.items())
    size = sum(entry.size for path, entry in tree.items() if path == entry.same_file_as)
    return (
        f"{len(tree)} entries ({kinds['-']} files, {kinds['d']} folders, {kinds['l']} symbolic links, {links} hard "
        f"links, {sum(entry.holes for entry in tree.values())} with holes, "
        f"{sum(len(entry.attributes) for entry in tree.values())} extended attributes, "
        f"{len({entry.uid for entry in tree.values()})} owners), {size / 1e6:.0f} MB"
    )


def main() -> int:
    if len(sys.argv) == len(("compare.py", "TREE")):
        tree = read_tree(Path(sys.argv[1]))
        print(f"{describe(tree)}, digest {hashlib.sha256(repr(sorted(tree.items())).encode()).hexdigest()[:16]}")
        return 0
    source, restored = (read_tree(Path(argument)) for argument in sys.argv[1:3])
    if differences := find_differences(source, restored):
        print(f"{len(differences)} differences:", *islice(differences, SHOWN), sep="\n  ")
        return 1
    print(f"identical: {describe(source)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
