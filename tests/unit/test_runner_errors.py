"""What the system refuses: one word for each kind of it, whoever was refused."""

import errno
import os

import pytest

from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import explain_exit
from borg_runner.fault import explain_error

KINDS = {
    errno.ESTALE: Reason.VOLUME_FAILED,
    errno.EIO: Reason.VOLUME_FAILED,
    errno.ENOTCONN: Reason.VOLUME_FAILED,
    errno.ETIMEDOUT: Reason.VOLUME_FAILED,
    errno.EHOSTUNREACH: Reason.VOLUME_FAILED,
    errno.EKEYEXPIRED: Reason.VOLUME_FAILED,
    errno.EFBIG: Reason.VOLUME_FAILED,
    errno.ENOSPC: Reason.DISK_FULL,
    errno.EDQUOT: Reason.DISK_FULL,
    errno.EROFS: Reason.READ_ONLY,
    errno.EACCES: Reason.PERMISSION_DENIED,
    errno.EPERM: Reason.PERMISSION_DENIED,
    errno.EAGAIN: Reason.NODE_EXHAUSTED,
    errno.EMFILE: Reason.NODE_EXHAUSTED,
    errno.ENOMEM: Reason.NODE_EXHAUSTED,
}


@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
def test_the_runner_and_borg_have_one_word_for_what_the_system_refuses(number: int) -> None:
    error = OSError(number, os.strerror(number), "/repositories/main/config")
    assert explain_error(error).reason is KINDS[number]
    assert explain_exit(2, f"{type(error).__name__}: {error}")[0] is KINDS[number]


def test_what_is_not_known_is_not_called_a_matter_of_rights() -> None:
    error = OSError(errno.ELOOP, os.strerror(errno.ELOOP), "/repositories/main")
    assert explain_error(error).reason is Reason.VOLUME_FAILED
    assert "/repositories/main" in explain_error(error).text
    assert explain_error(FileNotFoundError(errno.ENOENT, "No such file", "borg")).reason is Reason.BORG_MISSING
    assert explain_error(ValueError("of ours")).reason is Reason.INTERNAL_ERROR


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOEXEC], ids=errno.errorcode.get)
def test_an_image_whose_borg_cannot_be_started_is_no_matter_of_volumes(number: int) -> None:
    assert explain_error(OSError(number, os.strerror(number), "borg")).reason is Reason.BORG_MISSING
    assert explain_error(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "borg")).reason is Reason.NODE_EXHAUSTED


def test_a_runner_without_memory_is_no_fault_of_the_runner() -> None:
    fault = explain_error(MemoryError())
    assert fault.reason is Reason.NODE_EXHAUSTED
    assert "job.resources.limits.memory" in fault.text
