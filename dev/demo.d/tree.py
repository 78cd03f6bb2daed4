"""Fills a folder with what makes backups hard: links, holes, odd names, extended attributes, many owners and modes.

Deterministic: the same bytes, names, owners and times at each run. Needs root (CHOWN, FOWNER, DAC_OVERRIDE, SETFCAP).
Usage: tree.py FOLDER [edit]. With `edit`, it changes a few files of the tree as a user would.
"""

import os
import random
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

MEBIBYTE = 1 << 20
OWNERS = ((1000, 1000), (1001, 1001), (1002, 100), (33, 33), (65534, 65534), (0, 0), (200000, 200000))
FILE_MODES = (0o644, 0o600, 0o640, 0o444, 0o755, 0o4755, 0o2755, 0o000)
FOLDER_MODES = (0o755, 0o700, 0o1777, 0o2775)
FIRST_MOMENT, STEP, PERIOD = 1_600_000_000_123_456_789, 86_399_123_456_789, 150_000_000_000_000_000
"""Nanoseconds: the first time, from file to file, and until the times begin anew."""
WORDS = ("backup", "restore", "archive", "chunk", "lock", "volume", "schedule", "prune", "retention", "repository")
ODD_NAMES = (
    b"name with blanks",
    b"name\nwith a newline",
    b"-rf",
    b"--help",
    b"*",
    b"$(reboot) `x` 'y' \"z\" \\",
    b"trailing blank ",
    b"..hidden..",
    b"{now}",
    b"a::b",
    "Grüße, 世界, 🗄".encode(),
    "e\u0301 decomposed".encode(),
    b"latin-1 \xfcml\xe4ut",
    b"\x01\x7f control",
    b"n" * 255,
)
ACL = "system.posix_acl_access"
ACL_OF_NEW_FILES = "system.posix_acl_default"
ACL_OF_ONE_MORE_READER = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, uid)
    for tag, permissions, uid in (
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 4, 1001),
        (0x04, 4, 0xFFFFFFFF),
        (0x10, 4, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    )
)
"""user::rw-, user:1001:r--, group::r--, mask::r--, other::---"""
CAPABILITY = "security.capability"
CAPABILITY_TO_BIND = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
"""cap_net_bind_service=ep"""


def random_bytes(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


def prose(size: int, seed: str) -> bytes:
    choice = random.Random(seed).choices
    text = " ".join(choice(WORDS, k=size // 6)).encode()
    return (text + b"\n" + text)[:size]


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_documents(root: Path) -> None:
    for number in range(4000):
        size = 500 + number * 37 % 8000
        write(root / "documents" / f"{number % 80:02}" / f"{number:04}.txt", prose(size, f"document {number}"))


def make_photos(root: Path) -> None:
    """Bytes that do not compress, and copies of them, which deduplication recognises."""
    for number in range(28):
        photo = random_bytes(4 * MEBIBYTE, f"photo {number}")
        write(root / "photos" / f"{number:02}.jpg", photo)
        if number % 3 == 0:
            write(root / "photos" / "copies" / f"copy of {number:02}.jpg", photo)


def make_logs(root: Path) -> None:
    for number in range(4):
        write(root / "logs" / f"app.log.{number}", prose(64 << 10, f"log {number}") * 128)


def make_links(root: Path) -> None:
    folder = root / "links"
    write(folder / "one", b"the same file under three names, in two folders\n")
    (folder / "two").hardlink_to(folder / "one")
    (root / "links elsewhere").mkdir()
    (root / "links elsewhere" / "three").hardlink_to(folder / "one")
    for number in range(100):
        (folder / f"hard-{number:03}").hardlink_to(root / "documents" / f"{number % 80:02}" / f"{number:04}.txt")
    (folder / "relative").symlink_to("../documents/00/0000.txt")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "to a folder").symlink_to("../photos")
    (folder / "round and round").symlink_to("round and round")


def make_sparse(root: Path) -> None:
    """Two files that are almost only holes."""
    for name, size in (("disk.img", 48 * MEBIBYTE), ("all hole.img", 8 * MEBIBYTE)):
        path = root / "images" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            for offset in () if name.startswith("all") else (0, 20 * MEBIBYTE + 1234, size - 4096):
                file.seek(offset)
                file.write(random_bytes(4096, f"{name} at {offset}"))
            file.truncate(size)


def make_odd_names(root: Path) -> None:
    folder = root / "odd names"
    for name in ODD_NAMES:
        write(folder / os.fsdecode(name), b"a file called " + name)
    (folder / os.fsdecode(b"folder \xff\xfe") / "/".join(["deep"] * 40)).mkdir(parents=True)
    (folder / os.fsdecode(b"link \xff")).symlink_to(os.fsdecode(b"target \xff"))
    os.mkfifo(folder / "fifo")
    (folder / "empty").touch()
    (folder / "empty folder").mkdir()


def make_attributes(root: Path) -> None:
    folder = root / "attributes"
    for number in range(50):
        write(folder / f"tagged-{number:02}", b"see my extended attributes\n")
        os.setxattr(folder / f"tagged-{number:02}", "user.tag", f"tag {number}".encode())
        os.setxattr(folder / f"tagged-{number:02}", "user.binary", bytes(range(number + 1)))
    os.setxattr(folder, "user.of.a.folder", b"\x00\xff")
    write(folder / "with an acl", b"user 1001 may read this too\n")
    os.setxattr(folder / "with an acl", ACL, ACL_OF_ONE_MORE_READER)
    write(folder / "with a capability", b"a server that binds a port below 1024\n")
    (folder / "with defaults").mkdir()
    os.setxattr(folder / "with defaults", ACL_OF_NEW_FILES, ACL_OF_ONE_MORE_READER)


def walk(root: Path) -> Iterator[Path]:
    """Yield every path below `root` and then `root`, children before their folder, in an order that never changes."""
    for folder, folders, files in os.walk(root, topdown=False):
        paths = [Path(folder, name) for name in sorted(folders + files)]
        yield from (path for path in paths if path.is_symlink() or not path.is_dir())
        yield Path(folder)


def give_owners_modes_and_times(root: Path) -> None:
    for number, path in enumerate(walk(root)):
        kind = path.lstat().st_mode
        has_acl = stat.S_ISREG(kind) and ACL in os.listxattr(path)
        os.chown(path, *OWNERS[number % len(OWNERS)], follow_symlinks=False)
        if stat.S_ISREG(kind) and not has_acl:
            path.chmod(FILE_MODES[number % len(FILE_MODES)])
        elif stat.S_ISDIR(kind):
            path.chmod(FOLDER_MODES[number % len(FOLDER_MODES)])
        if path.name == "with a capability":
            os.setxattr(path, CAPABILITY, CAPABILITY_TO_BIND)  # last of all: a change of owner takes it away
        moment = FIRST_MOMENT + number * STEP % PERIOD
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


def edit(root: Path) -> None:
    """Change what somebody could have changed since the last backup: a new file, a longer one, one that is gone."""
    write(root / "documents" / "new.txt", b"written after the first backup\n")
    with (root / "logs" / "app.log.0").open("ab") as file:
        file.write(prose(1 << 20, "one more megabyte of log"))
    (root / "photos" / "26.jpg").unlink()


PARTS: tuple[Callable[[Path], None], ...] = (
    make_documents,
    make_photos,
    make_logs,
    make_links,
    make_sparse,
    make_odd_names,
    make_attributes,
    give_owners_modes_and_times,
)


def main() -> None:
    root = Path(sys.argv[1])
    for part in (edit,) if sys.argv[2:] == ["edit"] else PARTS:
        part(root)
    found = {(entry.st_dev, entry.st_ino): entry for entry in (path.lstat() for path in walk(root))}.values()
    files = [entry for entry in found if stat.S_ISREG(entry.st_mode)]
    print(
        f"{len(files)} files of {len({entry.st_uid for entry in found})} owners, "
        f"{sum(entry.st_blocks for entry in files) * 512 // MEBIBYTE} MiB on disk"
    )


if __name__ == "__main__":
    main()
