"""The small parts of a session: how long it stays, what it answers, how a download is named."""

import re
from urllib.parse import unquote_to_bytes

import pytest

from borg_contract.codec import decode_answer, decode_session_plan, encode
from borg_contract.plan import RepositoryPlan
from borg_contract.pod import lock_holder, parse_lock_holder, parse_session_holder, session_lock_holder
from borg_contract.reasons import Reason
from borg_contract.session.answers import Change, DiffAnswer, Item, Pending, TreeAnswer
from borg_contract.session.plan import SessionPlan
from borg_runner.fault import Fault
from borg_runner.locks.holder import Holder
from borg_session.life import Life
from borg_session.refusal import refuse
from borg_session.web.content import name_download


def test_it_is_over_when_nobody_asks_or_after_its_time() -> None:
    now = [100.0]
    life = Life(10, 60, lambda: now[0])
    now[0] += 9.9
    assert life.why_over() == ""
    with life.working():
        now[0] += 30
        assert life.why_over() == "", "something is under way"
        with life.working():
            pass
        now[0] += 9
        assert life.why_over() == "", "one of two has ended"
    now[0] += 9.9
    assert life.why_over() == ""
    now[0] += 0.1
    assert "nobody has asked for 10 s" in life.why_over()
    with life.working():
        assert life.why_over() == ""
        now[0] += 2
        assert "open for 60 s" in life.why_over(), "whatever is under way"


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        (Reason.CONNECTION_LOST, 503, "ConnectionLost"),
        (Reason.INTERNAL_ERROR, 503, "InternalError"),
        (Reason.INVALID_ARGUMENT, 503, "BorgFailed"),
        (Reason.LOCKED, 409, "RepositoryLocked"),
        (Reason.PASSPHRASE_WRONG, 503, "PassphraseWrong"),
    ],
)
def test_a_fault_of_borgs_is_never_told_as_one_of_the_request(reason: Reason, status: int, told: str) -> None:
    refused = refuse(Fault(reason, "why"))
    assert (refused.status, refused.reason.value, refused.answer.message) == (status, told, "why")


def test_answers_come_through_with_names_of_any_bytes() -> None:
    item = Item(
        "x\udcff\n",
        "d/x\udcff\n",
        "symlink",
        7,
        "2026-01-01T00:00:00Z",
        "lrwxrwxrwx",
        "é",
        "g",
        "\udc80",
        3,
        healthy=False,
    )
    for value in (
        TreeAnswer((item,), "1x\udcff", 3, pending=True, entries=9),
        DiffAnswer((Change("x\udcff", "modified", item, None),), "1\udcff"),
        Pending(entries=5),
    ):
        text = encode(value)
        assert text.isascii()
        assert decode_answer(type(value), text) == value


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"items":[{"name":1}]}', '{"items":[],"total":"x"}', "{", '{"items":null}']
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words vary
        decode_answer(TreeAnswer, text)


def test_a_plan_comes_through() -> None:
    plan = SessionPlan("ns", "look", "uid", RepositoryPlan("main", "/r", "none"), ("k",), "c", 5, 6, 7, ("h",))
    assert decode_session_plan(encode(plan)) == plan


def test_a_session_is_told_from_a_run_by_its_lock() -> None:
    holder = session_lock_holder("team", "look", "uid-1", "abc")
    assert parse_lock_holder(holder) is None
    assert parse_session_holder(lock_holder("team", "db-1", "uid-1", "abc")) is None
    parsed = parse_session_holder(holder)
    assert parsed is not None
    assert (parsed.namespace, parsed.name, parsed.uid, parsed.place) == ("team", "look", "uid-1", "abc")
    assert Holder(holder, 1, 0, exclusive=False).describe() == 'session "look" in namespace "team"'
    assert parse_session_holder(session_lock_holder("team", "look", "uid-1")) == parsed._replace(place="")


NAMES = [
    "a.txt",
    'quo"te',
    "new\r\nSet-Cookie: x=1",
    "b\udcffd",
    "日本語.pdf",
    "\u202efdp.exe",
    "",
    "a" * 255,
    "%0d%0a",
    "..",
    "a;b=c",
]


@pytest.mark.parametrize("name", NAMES, ids=map(str, range(len(NAMES))))
def test_a_download_has_its_name_and_no_name_ends_the_header(name: str) -> None:
    header = name_download(name)["content-disposition"]
    found = re.fullmatch(r"attachment; filename=\"([A-Za-z0-9._-]+)\"; filename\*=UTF-8''([A-Za-z0-9._~%-]*)", header)
    assert found, header
    assert unquote_to_bytes(found[2]) == name.encode("utf-8", "surrogateescape")
