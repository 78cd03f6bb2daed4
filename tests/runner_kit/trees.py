"""Trees of files for tests of restores: random ones, random changes of them, and what there is in one, exactly."""

import os
import random
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

_NAMES = (
    b"plain", b"etc", b"uploads", b"a.tmp", b"b.tmp", b"-dash", b"#hash", b"+plus", b"!bang", b" lead", b"trail ",
    b"tab\t", b"new\nline", b"\nfirst", b"cr\r", b"\xff\xfe", b"caf\xc3\xa9", b"caf\xe9", b"star*", b"what?", b"[set]",
    b"{brace}", b"pf:x", b"re:.", b"R root", b"\\back", b"'quote\"", b"\xc2\xa0nbsp\xc2\xa0", b"x" * 200, b"%s",
    b"$HOME", b"..dots", b".hidden",
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One file, folder or link as it is. `links`: all paths of the same file; `changed`: when, and which file."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime: int
    content: bytes
    """Of a link what it leads to."""
    links: tuple[bytes, ...]
    xattrs: tuple[tuple[str, bytes], ...]

    def like(self, other: "Thing") -> bool:
        """Tell whether they agree in all but hard links to what is elsewhere."""
        return (self.kind, self.mode, self.owner, self.mtime, self.content, self.xattrs) == (
            other.kind, other.mode, other.owner, other.mtime, other.content, other.xattrs,
        )  # fmt: skip


def snapshot(root: Path) -> dict[bytes, Thing]:
    """Return all that is below the folder by its path there; the folder itself is the empty path."""
    stats = {os.fsencode(path.relative_to(root)): path.lstat() for path in _paths(root)} | {b"": root.lstat()}
    links: dict[tuple[int, int], list[bytes]] = {}
    for path in sorted(stats):
        links.setdefault((stats[path].st_dev, stats[path].st_ino), []).append(path)
    return {
        path: _look(root / os.fsdecode(path), found, links[found.st_dev, found.st_ino]) for path, found in stats.items()
    }


def _look(path: Path, found: os.stat_result, links: list[bytes]) -> Thing:
    content = b""
    if stat.S_ISLNK(found.st_mode):
        content = os.fsencode(path.readlink())
    elif stat.S_ISREG(found.st_mode):
        content = path.read_bytes()
    names = os.listxattr(path, follow_symlinks=False)
    return Thing(
        stat.S_IFMT(found.st_mode),
        stat.S_IMODE(found.st_mode),
        (found.st_uid, found.st_gid),
        found.st_mtime_ns,
        content,
        tuple(links),
        tuple(sorted((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)),
    )


def _paths(root: Path) -> list[Path]:
    return sorted(Path(folder, name) for folder, folders, files in os.walk(root) for name in (*folders, *files))


class Gardener:
    """Makes a tree and changes it, by the numbers of `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def plant(self, root: Path, count: int = 25) -> None:
        """Make so many things below the folder."""
        for _ in range(count):
            self.add(root)

    def change(self, root: Path, count: int = 12) -> None:
        """Change so many things below the folder."""
        for _ in range(count):
            self.rng.choice((self.add, self.remove, self.rewrite, self.touch, self.swap, self.forge))(root)

    def add(self, root: Path) -> None:
        folders = [path for path in _paths(root) if path.is_dir() and not path.is_symlink()]
        path = self.rng.choice([root, *folders]) / os.fsdecode(self.rng.choice(_NAMES))
        if os.path.lexists(path):
            return
        files = [other for other in _paths(root) if other.is_file() and not other.is_symlink()]
        kind = self.rng.choice(("file", "file", "file", "folder", "folder", "link", "hard", "fifo"))
        if kind == "hard" and files:
            os.link(self.rng.choice(files), path)
        elif kind == "folder":
            path.mkdir(mode=self.rng.choice((0o755, 0o700, 0o750)))
        elif kind == "link":
            path.symlink_to(self.rng.choice(("plain", "/etc/passwd", "../..", os.fsdecode(b"\xff"), "nowhere")))
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.write_bytes(self.rng.randbytes(self.rng.choice((0, 1, 100, 5000))))
            path.chmod(self.rng.choice((0o644, 0o600, 0o4755)))
            if self.rng.random() < 0.2:
                os.setxattr(path, "user.test", self.rng.randbytes(8))
        if not path.is_symlink():
            os.utime(path, ns=(0, self.rng.randrange(0, 2**31 - 200_000) * 10**9 + self.rng.randrange(10**9)))

    def remove(self, root: Path) -> None:
        if paths := _paths(root):
            path = self.rng.choice(paths)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def rewrite(self, root: Path) -> None:
        if files := [path for path in _paths(root) if path.is_file() and not path.is_symlink()]:
            self.rng.choice(files).write_bytes(self.rng.randbytes(100))

    def touch(self, root: Path) -> None:
        if paths := [path for path in _paths(root) if not path.is_symlink()]:
            self.rng.choice(paths).chmod(self.rng.choice((0o700, 0o755)))

    def swap(self, root: Path) -> None:
        """Put something of another kind in the place of something."""
        if paths := _paths(root):
            path = self.rng.choice(paths)
            was_folder = path.is_dir() and not path.is_symlink()
            if was_folder:
                shutil.rmtree(path)
            else:
                path.unlink()
            if was_folder or self.rng.random() < 0.3:
                self.rng.choice((lambda: path.write_bytes(b"in the way"), lambda: path.symlink_to("/etc")))()
            else:
                path.mkdir()
                (path / "inner").write_bytes(b"in the way")

    def forge(self, root: Path) -> None:
        """Change a file so that size and time are as before."""
        if files := [path for path in _paths(root) if path.is_file() and not path.is_symlink()]:
            path = self.rng.choice(files)
            before = path.stat()
            path.write_bytes(self.rng.randbytes(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
