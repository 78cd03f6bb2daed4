"""Hostile specs of every kind, from the seed: valid ones of which a thing or two was bent."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from faults.hostile import PIECES
from faults.seed import SEED
from faults.valid import NAMES, VALID, Object

Path = tuple[str | int, ...]

_TIMES = (
    "*", "?", "0", "1", "5", "7", "12", "23", "24", "31", "59", "60", "-1", "00", "+5", "9" * 25, "H", "H(0-29)",
    "H/15", "H(1-5)/2", "H(5-1)", "H(0-99)", "h", "MON", "mon", "Jan", "SUN-SAT", "L", "15W", "1#2", "R", "@", "1-5",
    "5-1", "*/2", "*/0", "1/", "1,2,3", ",", "1,,2", "*/99999999999999999999", "\uff11", "\u0661", "thurs",
)  # fmt: skip
_WHOLE_TIMES = (
    "@daily", "@every 90m", "@every 0.5h", "@every -1h", "@every 1d", "@every 1µs", "@every 9999999h", "@reboot",
    "@every 1h 30m", " @daily", "@Daily", "CRON_TZ=UTC 0 2 * * *", "TZ=UTC 0 2 * * *", "* * * * * *", "0 2 30 2 *",
    "\t0\t2\t*\t*\t*", "0 2 * * *\n", "0\xa02 * * *", "0\u20032 * * *", "0\x1f2 * * *", "0\x852 * * *", "0 2 * * *\0",
)  # fmt: skip
_TEMPLATE = (
    "{job_name}", "{repo_name}", "{now}", "{date}", "{time}", "{timestamp}", "a", "-", "{", "}", "{{", "}}",
    "{now:%Y}", "{now!r}", "{}", "{0}", "/", "::", ".checkpoint", " ", "\x85", "\x9f", "\u2028", "\xa0", "\x1f", "ü",
    "💾", "{now!", "]",
)  # fmt: skip
_ZONES = (
    "Europe/Berlin", "europe/berlin", "UTC", "Local", "Etc/GMT+5", "GMT+5", "../etc/passwd", "Europe/", "EST5EDT",
    "America/Argentina/Buenos_Aires", "Etc/UTC ", "Europe/Berlin\n", "Factory", "posix/Europe/Berlin", "localtime",
)  # fmt: skip
_QUANTITIES = (
    "0", "1", "-1", "1.5Gi", "1e3", "1E3", "1e", "1Ei", "500m", "1k", "1K", "1 Gi", ".5", "5.", "+1", "NaN", "1e999",
    "9" * 40, "1.123456789123456789n", "1u", "0x10", "\uff11", "", "1e1000", "1e-3", "infinity", "1Mi ",
)  # fmt: skip
_PATHS = (
    "a", ".", "..", "a/../b", "/a", "a//b", "./a", "a/", "~", "$(HOME)", ":", "a:b", "::", "{now}", "é", "e\u0301",
)  # fmt: skip
_WITHIN = (
    "7d", "0d", "12H", "1y", "d", "7", "7D", "-1d", "99999999d", "9999999y", "\u0667d", "7d\n", "1m", "1.5d",
)  # fmt: skip
_COMPRESSION = (
    "none", "lz4", "zstd,22", "zstd,23", "zlib,9", "lzma,10", "auto,lz4", "auto,auto,lz4", "obfuscate,1,none",
    "obfuscate,250,zstd", "auto,obfuscate,1,none", "zstd,3\n", "ZSTD", "zstd,", "auto,none",
)  # fmt: skip
_URLS = (
    "ssh://u@h/a", "ssh://u@h/./a#1", "ssh://u@h/a?b", "ssh://u@[::1]:22/a", "ssh://u@h:0/a", "ssh://u@h:65536/a",
    "ssh://u:p@h/a", "ssh://-oProxyCommand=x@h/a", "ssh://u@-h/a", "ssh://u@h/a b", "ssh://u@h:022/a",
    "ssh://u@[:::]/a", "ssh://u@h/~/a", "ssh://u@h/../a", "ssh://u@h//", "ssh://u@h/a\u2028b", "ssh://u@[1.2.3.4]/a",
    "ssh://u@h:22:22/a",
)  # fmt: skip
_IMAGES = (
    "runner", "runner:1.0", "a/b@sha256:" + "0" * 64, "UPPER/case", "a//b", "a:b:c", "a@b", "https://a", "a" * 512,
)  # fmt: skip
_NAMES = (
    "a", "a.b", "A", "a_b", "a..b", "-a", "a-", "a/b", "..", "../../etc", "a" * 63, "a" * 64, "a" * 253, "a" * 254,
    "é",
)  # fmt: skip
_KEYS = (
    "a", "example.com/a", "a/b/c", "A_b.c", "-a/b", "a..b/c", "a.-b/c", "a" * 64, "a" * 254 + "/b", "a/", "/b", "",
    "a" * 63, f"{'a' * 64}.com/b", "borgoperator.io/x", "kubernetes.io/hostname", "a.b-/c", "hugepages-2Mi", "cpu",
    "é",
)  # fmt: skip
_VALUES = (
    "", "a", "-a", "a_b.c", "a" * 63, "a" * 64, "a b", "é", "true", "10000000000m", "A",
)  # fmt: skip

GRAMMAR: dict[str, tuple[str, ...]] = {
    "archiveNameTemplate": _TEMPLATE,
    "timeZone": _ZONES,
    "cpu": _QUANTITIES,
    "memory": _QUANTITIES,
    "path": _PATHS,
    "paths": _PATHS,
    "keepWithin": _WITHIN,
    "compression": _COMPRESSION,
    "url": _URLS,
    "image": _IMAGES,
    "name": _NAMES,
    "claimName": _NAMES,
    "driver": _NAMES,
    "server": _NAMES,
    "priorityClassName": _NAMES,
    "key": _KEYS,
    "value": _VALUES,
}
"""By field: what is valid there, what is not, and what may be either."""
_MAPS = ("labels", "annotations", "nodeSelector", "limits", "requests", "volumeAttributes", "affinity")
_NUMBERS = (
    -(2**63), -(2**31) - 1, -1, 0, 1, 9, 59, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 1.5, 1e300,
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (None, True, 0, -1.5, "", "x", [], {}, [None], {"": ""}, [[[[]]]])


@dataclass(frozen=True)
class Case:
    """`bent`: the paths below the manifest that are not as in a valid one."""

    kind: str
    manifest: Object
    bent: tuple[Path, ...]

    @property
    def value(self) -> Any:
        """What stands at the first of these paths."""
        return _at(self.manifest, self.bent[0])

    @property
    def what(self) -> str:
        """For people."""
        bent = "; ".join(f"{'.'.join(map(str, path))} = {_at(self.manifest, path)!r:.200}" for path in self.bent)
        return f"{self.kind} with {bent}"


def make_cases(count: int) -> Iterator[Case]:
    """Yield as many cases, all kinds in turn."""
    chance = Random(f"{SEED} specs")
    kinds = ("BorgSchedule", "BorgRepository", "BorgSchedule", "BorgRepository", "BorgScript", "BorgRun")
    for number in range(count):
        kind = kinds[number % len(kinds)]
        spec = json.loads(json.dumps(chance.choice(VALID[kind])))  # in which nothing is shared
        manifest = {
            "apiVersion": "borgoperator.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": NAMES[kind]},
            "spec": spec,
        }
        bent: list[Path] = []
        for _ in range(chance.choice((1, 1, 1, 2))):
            name_is_bent = chance.random() < 0.03
            path = ("metadata", "name") if name_is_bent else chance.choice(list(_paths(manifest["spec"], ("spec",))))
            if any(_overlap(path, other) for other in bent):
                continue
            _put(manifest, path, _bend(path, _at(manifest, path), chance))
            bent.append(path)
        yield Case(kind, manifest, tuple(bent))


def _overlap(one: Path, other: Path) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """Yield where a value stands, leaves more often than what holds them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        if not isinstance(item, dict | list):
            yield from ((*path, key),) * (4 if key in GRAMMAR or key == "schedule" else 1)
        yield from _paths(item, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _put(value: Any, path: Path, item: Any) -> None:
    _at(value, path[:-1])[path[-1]] = item


def _bend(path: Path, value: Any, chance: Random) -> Any:  # noqa: PLR0911 - an arm for each type
    if chance.random() < 0.04:
        return copy.deepcopy(chance.choice(_OTHERS))
    if isinstance(value, str):
        return _bend_text(str(path[-1] if isinstance(path[-1], str) else path[-2]), value, chance)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice(_NUMBERS)
    if isinstance(value, list):
        return chance.choice(([], value * 2, value * 300, [*value, None], value[:1]))
    if path[-1] in _MAPS:
        key = chance.choice(_KEYS) if chance.random() < 0.7 else _bend_text("key", "example.com/a", chance)
        return {**value, key: chance.choice((*_VALUES, *_QUANTITIES, 1, {}))}
    drop = chance.choice(list(value)) if value else ""
    return chance.choice(({}, {**value, "unknown": 1}, {key: item for key, item in value.items() if key != drop}))


def _bend_text(field: str, value: str, chance: Random) -> str:  # noqa: PLR0911 - an arm for each way
    if field == "schedule" and chance.random() < 0.7:
        if chance.random() < 0.2:
            return chance.choice(_WHOLE_TIMES)
        fields = value.split()
        for _ in range(chance.choice((1, 1, 2))):
            fields[chance.randrange(5)] = chance.choice(_TIMES) + chance.choice(("", "", f",{chance.choice(_TIMES)}"))
        return chance.choice((" ", " ", " ", "  ", "\t")).join(fields)
    if field == "archiveNameTemplate" and chance.random() < 0.6:
        return value + chance.choice(_TEMPLATE) + chance.choice(_TEMPLATE)
    words = GRAMMAR.get(field)
    if words and chance.random() < 0.6:
        return "".join(chance.choice(words) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    match chance.randrange(6):
        case 0:
            return "".join(chance.choice(PIECES) for _ in range(chance.choice((1, 2, 3))))
        case 1:
            return value * chance.choice((2, 10, 100, 3000))
        case 2:
            return chance.choice((value.upper(), f" {value}", f"{value} ", f"{value}\n", value.translate(_WIDE), ""))
        case _:
            at = chance.randrange(len(value) + 1)
            return value[:at] + chance.choice(PIECES) + value[at + chance.randrange(2) :]


_WIDE = {ord(letter): ord(letter) + 0xFEE0 for letter in map(chr, range(0x21, 0x7F))}
