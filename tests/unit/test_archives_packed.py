"""How archives travel in a pod's result: as compact as can be, whole, and decoded as if an enemy had written it."""

import base64
import hashlib
import json
import random
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest

from borg_contract.archives import part as part_module
from borg_contract.archives.ids import digest_newest, pack_ids, select_newest, unpack_ids
from borg_contract.archives.part import ArchiveRow, Part, can_be_told, fit_part, pack_part, unpack_part
from borg_contract.archives.plan import LITTLE_ROOM, ROOM
from borg_contract.archives.result import ListingResult
from borg_contract.codec import decode_result
from borg_contract.pod import BRIEF_LIMIT_BYTES, RESULT_LIMIT_BYTES
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Phase
from borg_runner.run.report import encode_result


def row(number: int, **more: str) -> ArchiveRow:
    at = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T03:00:{number % 60:02}"
    comment = (
        f"borgoperator.io team/nightly nightly-{29924645 + 1440 * number} repository=main "
        f"cluster=0f4e5c4e-1111-4c1f-8a2e-aa33bb44cc55 files=data:{41302 + number * 7 % 900}"
    )
    found = ArchiveRow(hashlib.sha256(str(number).encode()).hexdigest(), f"nightly-{at}", f"{at}Z", comment)
    return replace(found, **more)


ROWS = [row(number) for number in range(400)]
HOSTILE = ["", " ", "\n\0\x1b[31m", "é💾", "x" * 1024, '"\\$', "日" * 300, "a::b"]


def packed(rows: int, ids: bytes, plain: bytes, gone: int = 0, tail: bytes = b"") -> str:
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS, zdict=part_module._WORDS)
    data = struct.pack(">HH", rows, gone) + ids + compressor.compress(plain) + compressor.flush() + tail
    return "1" + base64.b85encode(data).translate(part_module._SAFE).decode()


def test_what_is_packed_comes_out_as_it_went_in() -> None:
    part = Part(tuple(ROWS[:60]), ("0123456789ab", "ffffffffffff"))
    assert unpack_part(pack_part(part)) == part
    assert unpack_part(pack_part(Part())) == Part()


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6].encode("unicode_escape").decode() or "nothing")
def test_any_name_and_comment_that_borg_takes_travels(text: str) -> None:
    part = Part((row(1, comment=text), row(2, name=text or "x")))
    found = pack_part(part)
    assert unpack_part(found) == part
    assert found.isascii()
    assert "$" not in found, "it would be escaped, and take six times the room"


def test_a_comment_is_cut_and_what_is_no_text_is_replaced() -> None:
    [found] = unpack_part(pack_part(Part((row(1, comment="c" * 5000),)))).rows
    assert found.comment == "c" * 1024
    [found] = unpack_part(pack_part(Part((row(1, comment="a\udcffb"),)))).rows
    assert found.comment == "a?b"


TIME = "2026-03-01T02:00:00Z"
UNTELLABLE = [
    ("a\udcffb", TIME),
    ("", TIME),
    ("n" * 1025, TIME),
    ("a", "1969-12-31T23:59:59Z"),
    ("a", "969-01-01T00:00:00Z"),
    ("a", ""),
]


@pytest.mark.parametrize(("name", "time"), UNTELLABLE)
def test_what_cannot_be_told_is_known_before_it_is_packed(name: str, time: str) -> None:
    assert not can_be_told(name, time)


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", TIME, "9999-12-31T23:59:59Z"])
def test_what_can_be_told_is_packed_whole(time: str) -> None:
    assert can_be_told("a", time)
    part = Part((row(1, time=time),))
    assert unpack_part(pack_part(part)) == part


def test_long_comments_that_are_all_alike_do_not_become_more_than_is_unpacked() -> None:
    part = fit_part([row(number, comment="日" * 1024) for number in range(100)], (), 10**6)
    assert 60 < len(part.rows) < 100
    assert unpack_part(pack_part(part)) == part


def test_fifty_of_our_archives_and_sixty_of_others_fit_into_one_result() -> None:
    assert len(fit_part(ROWS, (), ROOM).rows) >= 50
    bare = [replace(item, comment="") for item in ROWS]
    assert len(fit_part(bare, (), ROOM).rows) >= 60
    assert len(fit_part(ROWS, (), LITTLE_ROOM).rows) >= 4


@pytest.mark.parametrize(("room", "limit"), [(ROOM, RESULT_LIMIT_BYTES), (LITTLE_ROOM, BRIEF_LIMIT_BYTES)])
@pytest.mark.parametrize("gone", [0, 5, 3000])
def test_the_result_around_a_part_fits_whatever_the_names_are(room: int, limit: int, gone: int) -> None:
    part = fit_part(ROWS, [f"{number:012x}" for number in range(gone)], room)
    assert part.rows
    assert len(part.gone) == min(gone, len(part.gone) or gone)
    found = RepositoryResult(
        name="m" * (63 if limit == RESULT_LIMIT_BYTES else 20),
        phase=Phase.COMPLETED,
        repository_id="ab" * 32,
        place="0123456789ab",
        seconds=12345.6,
        lock_wait_seconds=123.4,
        listing=ListingResult(10**6, "0" * 16, found=len(part.rows), gone=len(part.gone), left=10**6),
    )
    result = RunResult(Phase.COMPLETED, (found,), part=pack_part(part))
    text = encode_result(result)
    assert len(text) <= limit
    assert decode_result(text) == result
    with_words = replace(found, warnings=("w" * 300,) * 20, warning_count=20)
    assert decode_result(encode_result(replace(result, repositories=(with_words,)))).part == result.part


def test_a_row_that_alone_is_too_large_goes_without_its_comment() -> None:
    chance = random.Random(1)
    noise = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(1024))
    part = fit_part([row(1, comment=noise), row(2)], (), 1500)
    assert part.rows == (row(1, comment=""),)


ONE = bytes(32)
GOOD = [["a"], [-1772000000], [""]]
COLUMNS: dict[str, Any] = {
    "no list": {},
    "two columns": [["a"], [-1]],
    "a column is none": [["a"], -1, [""]],
    "another length": [["a", "b"], [-1], [""]],
    "a name is a number": [[1], [-1], [""]],
    "an empty name": [[""], [-1], [""]],
    "a name too long": [["n" * 1025], [-1], [""]],
    "half a character in a name": [["\ud800"], [-1], [""]],
    "half a character in a comment": [["a"], [-1], ["\ud800"]],
    "a comment too long": [["a"], [-1], ["c" * 1025]],
    "a comment that is none": [["a"], [-1], [None]],
    "a time that is a text": [["a"], ["-1"], [""]],
    "a time that is true": [["a"], [True], [""]],
    "a time with a fraction": [["a"], [-1.5], [""]],
    "a time before 1970": [["a"], [1], [""]],
    "a time after 9999": [["a"], [-(10**15)], [""]],
    "a time beyond all bounds": [["a"], [-(10**400)], [""]],
}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_columns_that_are_none_are_a_value_error(name: str) -> None:
    assert unpack_part(packed(1, ONE, json.dumps(GOOD).encode()))
    with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
        unpack_part(packed(1, ONE, json.dumps(COLUMNS[name]).encode()))


NO_PARTS = {
    "nothing": "",
    "another version": "2" + pack_part(Part())[1:],
    "no base 85": "1\x00\x01",
    "a half character": "1" + "~" * 5,
    "not ascii": "1é",
    "a dollar": "1$$$$$",
    "cut": pack_part(Part(tuple(ROWS[:5])))[:-9],
    "fewer ids than rows": packed(9, ONE, b"[]"),
    "too many rows": packed(513, ONE * 513, b"[]"),
    "too many gone": packed(0, b"\0" * 6 * 2049, b"[[],[],[]]", gone=2049),
    "an id twice": packed(2, ONE * 2, json.dumps([["a", "b"], [-9, 1], ["", ""]]).encode()),
    "no JSON": packed(1, ONE, b"["),
    "no UTF-8": packed(1, ONE, b'[["\xff"],[-1],[""]]'),
    "nested deeply": packed(1, ONE, b"[" * 100_000),
    "a bomb": packed(1, ONE, b" " * 50_000_000),
    "followed by something": packed(1, ONE, json.dumps(GOOD).encode(), tail=b"more"),
}


@pytest.mark.parametrize("name", sorted(NO_PARTS))
def test_what_is_no_part_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
        unpack_part(NO_PARTS[name])


def test_a_part_that_is_damaged_anywhere_is_a_part_or_a_value_error() -> None:
    chance = random.Random(4)
    text = pack_part(Part(tuple(ROWS[:12]), ("0" * 12,)))
    for _ in range(3000):
        at = chance.randrange(1, len(text))
        damaged = text[:at] + chance.choice("0Az~.{") + text[at + chance.randrange(3) :]
        try:
            found = unpack_part(damaged)
        except ValueError:
            continue
        assert unpack_part(pack_part(found)) == found


def test_ids_are_told_in_eight_characters_and_what_are_none_is_a_value_error() -> None:
    ids = [item.id for item in ROWS]
    text = pack_ids(ids)
    assert len(text) == 8 * len(ids)
    assert unpack_ids(text) == [id_[:12] for id_ in ids]
    assert unpack_ids("") == []
    for wrong in ("!", "AAAA", "é"):
        with pytest.raises(ValueError):  # noqa: PT011 - the type is what is promised
            unpack_ids(wrong)


def test_the_digest_is_that_of_a_set_of_the_newest() -> None:
    dated = [(item.time, item.id) for item in ROWS[:20]]
    mixed = random.Random(2).sample(dated, len(dated))
    assert digest_newest(dated, 19) == digest_newest(select_newest(mixed, 19), 19) != digest_newest(dated[:19], 19)
    assert digest_newest(dated, 200) != digest_newest(dated, 20), "another limit is another question"
