"""What goes wrong, in words that help: each fault has a reason for machines and says what to do."""

import errno
import os
from dataclasses import replace

import pytest

from borg_contract.plan import RepositoryPlan, SecretFile, SourcePlan, SshPlan
from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import derive_exit_code
from borg_runner.borg.failure import explain_failure
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.ssh.words import knows_ssh_words
from borg_runner.verbs.check import explain_findings, sort_findings

LOCAL = RepositoryPlan(
    "main", "/repositories/main", "repokey", (SourcePlan("data"),), SecretFile("/p", "borg-main", "passphrase")
)
REMOTE = replace(LOCAL, ssh=SshPlan(SecretFile("/k", "borg-ssh", "id"), SecretFile("/h", "borg-ssh", "known_hosts")))


def failed(code: int, text: str = "", msgid: str = "", remote: tuple[str, ...] = ()) -> BorgOutcome:
    errors = (BorgMessage("log_message", "ERROR", text, msgid),) if text else ()
    return BorgOutcome(exit_code=code, errors=errors, remote=remote)


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        (failed(13, "no repository", "Repository.DoesNotExist"), Reason.REPOSITORY_MISSING, "initialize: true"),
        (failed(30, "Archive a already exists", "Archive.AlreadyExists"), Reason.ARCHIVE_EXISTS, "archiveNameTemplate"),
        (failed(50, "Cannot acquire a passphrase: x"), Reason.PASSPHRASE_WRONG, "passphraseSecretRef"),
        (failed(52, "incorrect"), Reason.PASSPHRASE_WRONG, 'Secret "borg-main", key "passphrase"'),
        (failed(60, "Cache initialization aborted"), Reason.ENCRYPTION_MISMATCH, "nothing was sent"),
        (failed(64, "Cache, or information …"), Reason.REPOSITORY_REPLACED, "before anything is written"),
        (failed(20, "The storage quota (1) has been exceeded (2)."), Reason.QUOTA_EXCEEDED, "Prune"),
        (failed(90, "Data integrity error: x"), Reason.REPOSITORY_DAMAGED, "operation Check"),
        (failed(-9), Reason.KILLED, "killed by signal 9. As a rule memory ran out: raise `job.resources.limits"),
        (failed(-11), Reason.KILLED, "borg was killed by signal 11. It crashed, or somebody ended it"),
        (failed(2, "Traceback\nOSError: No space left on device: x\n\nPlatform"), Reason.DISK_FULL, "Enlarge"),
        (failed(2, "T\nPermissionError: [Errno 13] Permission denied: 'r'"), Reason.PERMISSION_DENIED, "ReadAll"),
        (failed(2, "Traceback …\nOSError: [Errno 30] Read-only file system: '/r'"), Reason.READ_ONLY, "writable"),
        (failed(2, "Traceback\nOSError: No space left on device", "OSError"), Reason.DISK_FULL, "Enlarge"),
        (failed(2, "Local Exception\n\nTraceback\nMemoryError\n\nPlatform"), Reason.NODE_EXHAUSTED, "memory"),
        (failed(2), Reason.BORG_FAILED, "borg ended with exit code 2"),
        (replace(failed(2, "Got Ctrl-C / SIGINT."), interrupted=True), Reason.INTERRUPTED, "while borg worked"),
    ],
)  # fmt: skip
def test_a_failed_borg_is_explained(outcome: BorgOutcome, reason: Reason, words: str) -> None:
    fault = explain_failure(outcome, LOCAL)
    assert fault.reason is reason
    assert words in fault.text


FULL = "Traceback (most recent call last):\n\nOSError: [Errno 28] No space left on device\n"
NO_LOCK = "Failed to create/acquire the lock {}/lock.exclusive ([Errno 13] Permission denied: 'x')."
NO_SSH = "kex_exchange_identification: banner line contains invalid characters"
FULL_FOR_LOCK = "Failed to create/acquire the lock /srv/borg/lock.exclusive ([Errno 28] No space left on device: 'x')."


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (failed(2, FULL, "OSError"), "The server's disk is full"),
        (failed(14, "Insufficient free space to complete transaction", "InsufficientFreeSpace"), "The server's disk"),
        (failed(2, FULL, "Exception"), "of the repository or of the cache"),
        (failed(2, "Traceback (most recent call last):\nMemoryError\n", "MemoryError"), "The server has no processes"),
        (
            failed(2, "[Errno 28] No space left on device: '/scratch/.config'", "Error"),
            "of the repository or of the cache",
        ),
        (failed(72, NO_LOCK.format("/srv/borg"), "LockFailed"), "On the server, the ssh user must be able to write"),
        (failed(72, NO_LOCK.format("/var/cache/borg/main/.cache/borg/ab12"), "LockFailed"), "Let the pod's user"),
        (failed(72, FULL_FOR_LOCK, "LockFailed"), "The server's disk is full"),
    ],
    ids=[
        "server",
        "server foresaw it",
        "pod",
        "server's memory",
        "pod's own folder",
        "server's lock",
        "pod's lock",
        "full for a lock",
    ],
)
def test_whose_disk_it_is_is_told(outcome: BorgOutcome, words: str) -> None:
    assert words in explain_failure(outcome, REMOTE).text
    assert "server's disk" not in explain_failure(outcome, LOCAL).text


@pytest.mark.parametrize(
    ("number", "reason", "words"),
    [
        (errno.ENOSPC, Reason.DISK_FULL, "Enlarge"),
        (errno.EDQUOT, Reason.DISK_FULL, "quota"),
        (errno.EROFS, Reason.READ_ONLY, "writable"),
        (errno.ESTALE, Reason.VOLUME_FAILED, "does not answer"),
        (errno.EIO, Reason.VOLUME_FAILED, "does not answer"),
        (errno.EACCES, Reason.PERMISSION_DENIED, "job.fsGroup"),
        (errno.ENOENT, Reason.PERMISSION_DENIED, "must be able to write the repository"),
    ],
)
def test_why_the_lock_could_not_be_taken_is_told(number: int, reason: Reason, words: str) -> None:
    said = f"Failed to create/acquire the lock /r/lock.exclusive ([Errno {number}] {os.strerror(number)}: '/r/x.tmp')."
    fault = explain_failure(failed(72, said, "LockFailed"), LOCAL)
    assert (fault.reason, words in fault.text) == (reason, True)


def test_what_borg_asks_for_is_told_without_its_question() -> None:
    asked = 'Enter passphrase for key /r: {"type": "log_message", "message": "Cannot acquire a passphrase: x"}'
    fault = explain_failure(failed(50, asked), replace(LOCAL, encryption="none", passphrase=None))
    assert fault.text.startswith("This repository asks for a passphrase. The repository is encrypted but")


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", Reason.HOST_KEY_MISMATCH, 'key "known_hosts"'),
        ("Host key verification failed.", Reason.HOST_KEY_UNKNOWN, "ssh-keyscan"),
        ("u@h: Permission denied (publickey).", Reason.SSH_PERMISSION_DENIED, "authorized_keys"),
        ('Load key "/tmp/k": error in libcrypto', Reason.SSH_KEY_UNUSABLE, 'Secret "borg-ssh", key "id"'),
        ("ssh: Could not resolve hostname h: Name or service not known", Reason.HOST_UNRESOLVED, "DNS"),
        ("ssh: connect to host h port 22: Connection refused", Reason.HOST_UNREACHABLE, "No ssh server"),
        ("ssh: connect to host h port 22: Connection timed out", Reason.HOST_UNREACHABLE, "firewalls"),
        ("ssh: connect to host h port 22: No route to host", Reason.HOST_UNREACHABLE, "routes"),
        ("sh: 1: borg: not found", Reason.REMOTE_BORG_MISSING, "Install borg"),
        ("bash: line 1: borg: command not found", Reason.REMOTE_BORG_MISSING, "Install borg"),
        ("kex_exchange_identification: read: Connection reset by peer", Reason.SERVER_REFUSES_LOGINS, "fail2ban"),
        (NO_SSH, Reason.HOST_UNREACHABLE, "no ssh server"),
        ("kex_exchange_identification: Connection closed by remote host", Reason.SERVER_REFUSES_LOGINS, "is the port"),
        ("ssh: connect to host h port 22: Connection reset by peer", Reason.SERVER_REFUSES_LOGINS, "fail2ban"),
        ("banner exchange: Connection to h port 22: Broken pipe", Reason.SERVER_REFUSES_LOGINS, "fail2ban"),
        ("Connection reset by 10.0.0.1 port 22", Reason.SERVER_REFUSES_LOGINS, "fail2ban"),
        ("Timeout, server h not responding.", Reason.CONNECTION_LOST, "not even a sign of life"),
        ("client_loop: send disconnect: Broken pipe", Reason.CONNECTION_LOST, "The connection to the server broke: "),
        ("Connection closed by 10.0.0.1 port 22", Reason.CONNECTION_LOST, "next run"),
        ("bash: line 1: /opt/borg: Permission denied", Reason.REMOTE_BORG_MISSING, "executable"),
    ],
)
def test_a_failed_connection_is_told_apart_with_the_words_of_ssh(line: str, reason: Reason, words: str) -> None:
    closed = "Connection closed by remote host. Is borg working on the server?"
    outcome = failed(81, closed, "ConnectionClosedWithHint", (line,))
    refused = replace(
        outcome, refused=reason is Reason.REMOTE_BORG_MISSING
    )  # as the server says when it is asked again
    fault = explain_failure(refused, REMOTE)
    assert fault.reason is reason
    assert line in fault.text
    assert words in fault.text


def test_a_reset_after_the_server_had_answered_is_a_lost_connection() -> None:
    reset = "Connection reset by 10.0.0.1 port 22"
    fault = explain_failure(failed(80, "Connection closed by remote host", "ConnectionClosed", (reset,)), REMOTE)
    assert fault.reason is Reason.CONNECTION_LOST


NOISE = [
    "bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8): No such file or directory",
    "/home/b/.bashrc: line 3: neofetch: command not found",
    "/etc/profile.d/log.sh: line 2: /var/log/logins: Permission denied",
    "sh: 1: fortune: not found",
]
BREAKS = [
    "client_loop: send disconnect: Broken pipe",
    "Connection reset by 10.0.0.1 port 22",
    "Timeout, server 10.0.0.1 not responding.",
    "",
]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("broke", BREAKS)
@pytest.mark.parametrize("code", [80, 81, 87])
def test_what_a_login_script_says_is_no_word_on_a_borg_that_the_server_does_start(
    noise: str, broke: str, code: int
) -> None:
    closed = "Connection closed by remote host"
    fault = explain_failure(failed(code, closed, "ConnectionClosed", (noise, *filter(None, [broke]))), REMOTE)
    assert fault.reason is Reason.CONNECTION_LOST
    assert "Install borg" not in fault.text


@pytest.mark.parametrize("noise", NOISE)
def test_what_a_shell_says_is_no_reason_not_to_ask_the_server_again(noise: str) -> None:
    assert not knows_ssh_words(noise)


@pytest.mark.parametrize("broke", BREAKS[:3])
def test_what_ssh_itself_says_is(broke: str) -> None:
    assert knows_ssh_words(f"{NOISE[0]}\n{broke}")


@pytest.mark.parametrize(
    ("code", "msgid", "expected"),
    [
        (2, "InvalidRepository", 15),
        (2, "PathAlreadyExists", 19),
        (2, "OSError", 2),
        (2, "", 2),
        (52, "InvalidRepository", 52),
    ],
)
def test_a_remote_error_with_the_generic_code_gets_its_own(code: int, msgid: str, expected: int) -> None:
    assert derive_exit_code(code, [msgid]) == expected


@pytest.mark.parametrize("code", [0, 1, 100, 127])
def test_warnings_are_no_failures(code: int) -> None:
    assert BorgOutcome(exit_code=code).succeeded


@pytest.mark.parametrize("code", [2, 3, 99, 128, 143, -9])
def test_all_other_codes_are_failures(code: int) -> None:
    assert not BorgOutcome(exit_code=code).succeeded


@pytest.mark.parametrize("code", range(3, 100))
def test_no_advice_leads_to_a_repair_before_there_is_a_copy_nor_to_the_loss_of_borgs_counters(code: int) -> None:
    fault = explain_failure(failed(code, "x"), LOCAL)
    if "--repair" in fault.text:
        assert "before you have copied" in fault.text or "Do not run `borg check --repair`" in fault.text
    assert "give the BorgRepository a fresh cache" not in fault.text


UNSIGNED = (
    "Archive TAM authentication issue for archive two: Data integrity error: Archive authentication did not verify",
    "This archive would be *removed* / *deleted* when using --repair!",
    "2 orphaned objects found!",
    "Archive consistency check complete, problems found.",
)


LACKING = (
    "n:1: data/a: b: New missing file chunk detected (Byte 0-2000, Chunk 6a68). Replacing with all-zero chunk.",
    "n:1: data/a: b: New missing file chunk detected (Byte 2000-4000, Chunk 6a69). Replacing with all-zero chunk.",
    "n:1: data/c: New missing file chunk detected (Byte 0-2000, Chunk 6a68). Replacing with all-zero chunk.",
)


@pytest.mark.parametrize(
    ("lines", "reason", "words"),
    [
        (UNSIGNED, Reason.ARCHIVE_UNAUTHENTICATED, 'archive "two" does not fit'),
        ((*UNSIGNED, *UNSIGNED), Reason.ARCHIVE_UNAUTHENTICATED, 'archive "two" and 1 more'),
        ((*UNSIGNED, "Index object count mismatch."), Reason.CHECK_FAILED, "A repair would delete 1 archives"),
        (("Index object count mismatch.",), Reason.CHECK_FAILED, "The first: Index object count mismatch."),
        (
            ("Index object count mismatch.", *LACKING[:1]),
            Reason.CHECK_FAILED,
            'file "data/a: b" of archive "n:1" lacks',
        ),
        (LACKING, Reason.CHECK_FAILED, 'file "data/a: b" of archive "n:1" lacks parts, and 1 more.'),
        ((), Reason.CHECK_FAILED, "found damage"),
    ],
)
def test_a_check_tells_damage_from_what_is_none(lines: tuple[str, ...], reason: Reason, words: str) -> None:
    fault = explain_findings(sort_findings(lines))
    assert fault is not None
    assert fault.reason is reason
    assert words in fault.text


def test_objects_of_no_archive_are_no_fault() -> None:
    assert explain_findings(sort_findings(UNSIGNED[2:])) is None


def test_a_signal_that_borg_was_not_ready_for_is_no_warning() -> None:
    stopped = BorgOutcome(exit_code=1, interrupted=True)
    assert not stopped.succeeded
    assert explain_failure(stopped, LOCAL).reason is Reason.INTERRUPTED
    assert BorgOutcome(exit_code=1, interrupted=True, warnings=("a: changed",), warning_count=1).succeeded
    assert BorgOutcome(exit_code=1).succeeded


OPEN = """Local Exception
  File "/borg/repository.py", line 497, in open
    self.id = hex_to_bin(self.config.get('repository', 'id').strip(), length=32)
              ^^^^^^^^^^
  File "/borg/helpers/parseformat.py", line 40, in hex_to_bin
    raise ValueError(str(e)) from None
"""
OPEN_FILE = """Local Exception
  File "/borg/repository.py", line 480, in open
    self.config.read_file(fd)
  File "/lib/configparser.py", line 1132, in _read
    raise e
"""
COMPILED = """Local Exception
  File "borg/repository.py", line 471, in open
  File "configparser.py", line 808, in get
"""
KEY_FILE = """Local Exception
  File "/borg/crypto/key.py", line 729, in decrypt_key_file
    data = unpacker.unpack()
  File "msgpack/_unpacker.pyx", line 487, in msgpack._cmsgpack.Unpacker._unpack
msgpack.exceptions.OutOfData: No more data to unpack.

SSH_ORIGINAL_COMMAND: None
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{OPEN}ValueError: Odd-length string.", "Odd-length string. The file `config` of the repository is damaged"),
        (f"{OPEN_FILE}configparser.ParsingError: Source contains parsing errors: 'r/config'", "`config`"),
        (f"{COMPILED}configparser.NoOptionError: No option 'id' in section: 'repository'", "bring it back from a copy"),
        (f"{COMPILED}UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", "The file `config`"),
        (KEY_FILE, "OutOfData: No more data to unpack. The key in the repository's `config` is damaged"),
    ],
    ids=["cut in the id", "cut in a line", "a borg without sources", "not text", "cut in the key"],
)
def test_a_damaged_config_is_damage_and_tells_what_to_bring_back(text: str, words: str) -> None:
    fault = explain_failure(failed(2, text), LOCAL)
    assert fault.reason is Reason.REPOSITORY_DAMAGED
    assert words in fault.text


@pytest.mark.parametrize(
    "error", ["OSError: [Errno 127] Key has expired", "MemoryError", "OSError: [Errno 22] Invalid"]
)
def test_a_config_that_cannot_be_read_is_no_damage(error: str) -> None:
    assert explain_failure(failed(2, f"{OPEN_FILE}{error}"), LOCAL).reason is not Reason.REPOSITORY_DAMAGED


def test_of_another_host_key_the_fingerprint_is_told_and_not_how_to_take_it() -> None:
    said = (
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
        "The fingerprint for the ED25519 key sent by the remote host is",
        "SHA256:abc123.",
        "Add correct host key in /run/borg/secrets/ssh-hk/kh to get rid of this message.",
    )
    fault = explain_failure(failed(80, "Connection closed by remote host", remote=said), REMOTE)
    assert fault.reason is Reason.HOST_KEY_MISMATCH
    assert fault.text.startswith("The key that the server shows has the fingerprint SHA256:abc123. The server shows")
    assert "get rid of" not in fault.text


def test_a_damaged_config_of_the_cache_is_no_damage_of_the_repository() -> None:
    text = """Local Exception
  File "/borg/archiver.py", line 168, in wrapper
    cache = Cache(repository, key, manifest)
  File "/borg/cache.py", line 277, in load
    self._config.read_file(fd)
configparser.MissingSectionHeaderError: File contains no section headers."""
    assert explain_failure(failed(2, text), LOCAL).reason is not Reason.REPOSITORY_DAMAGED
