"""Secrets as the runner takes them: what borg would read, and only what a person could type as well."""

import io
from pathlib import Path

import pytest

from borg_contract.plan import SecretFile
from borg_runner.fault import FaultError
from borg_runner.log import Log
from borg_runner.run.secrets import read_passphrase


def read(tmp_path: Path, value: bytes) -> str:
    path = tmp_path / "passphrase"
    path.write_bytes(value)
    return read_passphrase(SecretFile(str(path), "borg", "passphrase"), "team", Log(io.StringIO()))


@pytest.mark.parametrize("value", [b"word", b"word\n", b"word\r\n", b"word\r", b"word\n\r\n\n"])
def test_line_ends_after_it_are_no_part_of_a_passphrase(tmp_path: Path, value: bytes) -> None:
    assert read(tmp_path, value) == "word"


@pytest.mark.parametrize("value", ["two words", "schön", "密码", "a\u00a0b", "'\"$`\\"])
def test_whatever_can_be_typed_may_be_one(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, value.encode()) == value


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (b"", "SecretMissing", "is empty"),
        (b"\n", "SecretMissing", "is empty"),
        (b"\r\n", "SecretMissing", "is empty"),
        (b"\r\r\n\r", "SecretMissing", "is empty"),
        (b"\xef\xbb\xbfword", "PassphraseWrong", "byte order mark"),
        ("word".encode("utf-16"), "PassphraseWrong", "is not UTF-8"),
        ("word".encode("utf-16-le"), "PassphraseWrong", "control character"),
        (b"wo\x00rd", "PassphraseWrong", "control character"),
        (b"wo\trd", "PassphraseWrong", "control character"),
        (b"one\ntwo", "PassphraseWrong", "control character"),
        (b"one\r\ntwo\r\n", "PassphraseWrong", "control character"),
        (b" word", "PassphraseWrong", "blank"),
        (b"word \n", "PassphraseWrong", "blank"),
        (b"   ", "PassphraseWrong", "blank"),
        ("word\u3000".encode(), "PassphraseWrong", "blank"),
        (b"x" * 8193, "PassphraseWrong", "too long"),
    ],
)
def test_what_borg_would_take_for_another_one_or_nobody_could_type_is_refused(
    tmp_path: Path, value: bytes, reason: str, said: str
) -> None:
    with pytest.raises(FaultError) as refused:
        read(tmp_path, value)
    assert refused.value.fault.reason == reason
    assert said in refused.value.fault.text
    assert "word" not in refused.value.fault.text
