"""Access control lists: borg keeps them as texts, Linux as an attribute of its own form."""

import struct

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_VERSION = 2
_TAGS = {b"user": (0x01, 0x02), b"group": (0x04, 0x08), b"mask": (0x10, 0x10), b"other": (0x20, 0x20)}
"""Of an entry without a name, and of one with."""
_IN_THE_MODE = {0x01, 0x04, 0x20}
_NOBODY = 0xFFFFFFFF
_BITS = {b"r": 4, b"w": 2, b"x": 1}
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")


def parse_text(text: bytes) -> frozenset[tuple[int, int, int]]:
    """Return tag, permissions and number of each entry in borg's text, such as `user:www-data:r--:33`.

    Raises ValueError for one whose owner has no number.
    """
    return frozenset(_parse_entry(line.strip()) for line in text.split(b"\n") if line.strip())


def _parse_entry(line: bytes) -> tuple[int, int, int]:
    kind, name, permissions, *number = line.split(b":")
    unnamed, named = _TAGS[kind]
    bits = sum(_BITS.get(bytes([character]), 0) for character in permissions)
    if not name:
        return unnamed, bits, _NOBODY
    return named, bits, int(number[0] if number else name)


def parse_attribute(value: bytes) -> frozenset[tuple[int, int, int]]:
    """Return the same of the attribute. Raises ValueError for what is none."""
    try:
        [version] = _HEAD.unpack_from(value)
        entries = frozenset(_ENTRY.iter_unpack(value[_HEAD.size :]))
    except struct.error as error:
        raise ValueError("not an access control list") from error
    if version != _VERSION:
        raise ValueError(f"version {version} of access control lists")
    return entries


def without_mode(entries: frozenset[tuple[int, int, int]]) -> frozenset[tuple[int, int, int]]:
    """Return the entries, none where they say only what the mode says: a folder has such a list beside a default one.

    Borg keeps both lists of a folder that has one of them.
    """
    return frozenset() if {tag for tag, _, _ in entries} <= _IN_THE_MODE else entries


def render_attribute(entries: frozenset[tuple[int, int, int]]) -> bytes:
    """Return the attribute that means these entries."""
    return _HEAD.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in sorted(entries, key=_order))


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    return entry[0], entry[2]
