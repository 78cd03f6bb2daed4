"""Borg's exit codes, and the system's words in its messages → a CamelCase reason and what to do about it.

The reasons stand in the status of runs, where people and alerts match on them; the advice ends the error message.
Codes are borg's modern ones (`docs/internals/frontends.rst` of borg 1.4).
"""

import re
import signal
from collections.abc import Iterable

from borg_contract.reasons import Reason
from borg_runner.fault import explain_system_words
from borg_runner.ssh.words import ADVICE_FOR_BANNER, ADVICE_FOR_LOST_CONNECTION

ADVICE_FOR_DAMAGE = (
    "Do not repair it before you have copied the repository and restored what can be read: `borg check --repair` "
    "deletes archives whose metadata is damaged, and puts zeros where parts of files are missing. Look at the disk."
)
ADVICE_FOR_UNSIGNED_ARCHIVES = (
    "That is no damage: `borg rename` and `borg recreate` of borg before 1.2.5 left such archives. Do not run `borg "
    "check --repair`, it would delete them. Look at them with `borg list`; if you trust them, `borg upgrade "
    "--archives-tam` signs them. See ArchiveUnauthenticated in Troubleshooting."
)
ADVICE_FOR_UNSIGNED_MANIFEST = (
    "A borg older than 1.0.9 wrote to it, or somebody who does not know the key. Do not run `borg check --repair`. "
    "If you know whose writing it is, `borg upgrade --tam --force` signs the list. See ManifestUnauthenticated in "
    "Troubleshooting."
)
_CHECK = f"Run a BorgRun with operation Check to see the damage. {ADVICE_FOR_DAMAGE}"
_UNFINISHED = (
    "If no run ever wrote an archive into it, its creation was interrupted: delete the folder (how: see NotARepository "
    "in Troubleshooting), and the next run creates it."
)
_UPGRADE = "Use a runner image with the newer borg that wrote this repository."
_KEY = "Restore the key with `borg key import` from its export, or back up into a new repository."
_SWAPPED = (
    "Find out who replaced the repository, or put an older copy of it in its place, before anything is written. If it "
    "was you: see RepositoryReplaced in Troubleshooting; a fresh cache alone would weaken the encryption."
)
_FORGED = (
    "It was changed by somebody who does not know the key, or is damaged. Write nothing to it and repair nothing: copy "
    "it, find out who can write to it, and look at its disk."
)

_BY_EXIT_CODE: dict[int, tuple[Reason, str]] = {
    4: (Reason.INVALID_ARGUMENT, "Correct the field that borg names."),
    5: (Reason.INVALID_ARGUMENT, "Correct the braces in the repository's location."),
    6: (Reason.INVALID_ARGUMENT, "Correct the braces in the repository's location."),
    11: (Reason.UNSUPPORTED_REPOSITORY, "Copy it, then upgrade it by hand with `borg upgrade` of borg 1.2."),
    12: (Reason.REPOSITORY_DAMAGED, _CHECK),
    13: (Reason.REPOSITORY_MISSING, "Correct its location, or set `initialize: true` to create it."),
    14: (Reason.DISK_FULL, "Enlarge the repository's volume, or prune and compact (of no use on an append-only one)."),
    15: (
        Reason.NOT_A_REPOSITORY,
        (
            "Correct its location, or choose an empty or new folder and set `initialize: true` to create it there. If "
            "it was one, its `config` file is gone: bring that back from a copy."
        ),
    ),
    16: (
        Reason.NOT_A_REPOSITORY,
        (
            "Correct its location; if it is the right one, restore its `config` file from a copy: in repokey modes the "
            "key is in it."
        ),
    ),
    17: (Reason.REPOSITORY_DAMAGED, _CHECK),
    18: (Reason.REPOSITORY_MISSING, "Create the parent folder on the server."),
    19: (
        Reason.NOT_A_REPOSITORY,
        (
            "The folder is not empty and not a borg repository: name an empty or new folder below it, in `local.path` "
            "or at the end of `ssh.url` (the root of an ext4 volume holds lost+found). If it was one, its `config` "
            f"file is gone: bring that back from a copy. {_UNFINISHED}"
        ),
    ),
    20: (
        Reason.QUOTA_EXCEEDED,
        (
            "Prune and compact, or raise the storage quota on the server; where it is append-only, only compacting on "
            "the server gives anything back."
        ),
    ),
    21: (
        Reason.PERMISSION_DENIED,
        (
            "Let the pod's user own the repository (`job.runAsUser`, `job.fsGroup`; where its files are root's, "
            "`job.fileAccess: ReadAll`), or the ssh user on its server."
        ),
    ),
    25: (Reason.UNSUPPORTED_REPOSITORY, _UPGRADE),
    26: (Reason.REPOSITORY_DAMAGED, f"{_CHECK} {_UNFINISHED}"),
    27: (Reason.UNSUPPORTED_REPOSITORY, _UPGRADE),
    30: (
        Reason.ARCHIVE_EXISTS,
        "Let `archiveNameTemplate` give each run a name of its own, for example with {now}.",
    ),
    40: (Reason.KEY_MISSING, _KEY),
    41: (Reason.KEY_MISSING, _KEY),
    42: (Reason.KEY_MISSING, "Keyfile modes are not supported: the key must be in the repository (repokey)."),
    44: (Reason.KEY_MISSING, _KEY),
    47: (Reason.UNSUPPORTED_REPOSITORY, _UPGRADE),
    48: (Reason.UNSUPPORTED_REPOSITORY, _UPGRADE),
    50: (
        Reason.PASSPHRASE_WRONG,
        (
            "The repository is encrypted but the BorgRepository names no passphrase: set `encryption.mode` and "
            "`encryption.passphraseSecretRef`."
        ),
    ),
    52: (Reason.PASSPHRASE_WRONG, ""),
    60: (
        Reason.ENCRYPTION_MISMATCH,
        (
            "The repository is not encrypted though the BorgRepository says so: nothing was sent to it. If it is the "
            "right one, correct `encryption.mode`; else find out who replaced it."
        ),
    ),
    61: (Reason.ENCRYPTION_MISMATCH, _SWAPPED),
    62: (Reason.REPOSITORY_REPLACED, _SWAPPED),
    63: (Reason.REPOSITORY_REPLACED, _SWAPPED),
    64: (Reason.REPOSITORY_REPLACED, _SWAPPED),
    70: (Reason.LOCKED, ""),
    71: (Reason.LOCKED, ""),
    72: (
        Reason.PERMISSION_DENIED,
        (
            "The pod's user must be able to write the repository and the cache (`job.runAsUser`, `job.fsGroup`; where "
            "their files are root's, `job.fileAccess: ReadAll`), and the volume must have room."
        ),
    ),
    73: (Reason.LOCKED, ""),
    74: (Reason.LOCKED, "Something broke the lock while borg worked; run a BorgRun with operation Check."),
    75: (Reason.LOCKED, "Something broke the lock while borg worked; run a BorgRun with operation Check."),
    80: (Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    81: (Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    82: (Reason.UNSUPPORTED_REPOSITORY, "Bring borg on the server to the runner's version."),
    83: (
        Reason.PERMISSION_DENIED,
        "The server restricts this key to another path (`borg serve --restrict-to-path`): correct `ssh.url`.",
    ),
    84: (Reason.UNSUPPORTED_REPOSITORY, "Bring borg on the server to the runner's version."),
    85: (Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    86: (Reason.SSH_COMMAND_REFUSED, ADVICE_FOR_BANNER),
    87: (Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    90: (Reason.REPOSITORY_DAMAGED, _CHECK),
    91: (
        Reason.CACHE_REJECTED,
        (
            "A file of the cache or the repository is damaged. If borg names one below its cache, delete the folder "
            "`.cache/borg` of the cache claim, no more of it; then run a Check."
        ),
    ),
    92: (Reason.REPOSITORY_DAMAGED, _CHECK),
    95: (Reason.ARCHIVE_UNAUTHENTICATED, ADVICE_FOR_UNSIGNED_ARCHIVES),
    96: (Reason.ARCHIVE_UNAUTHENTICATED, ADVICE_FOR_UNSIGNED_ARCHIVES),
    97: (Reason.MANIFEST_UNAUTHENTICATED, _FORGED),
    98: (Reason.MANIFEST_UNAUTHENTICATED, ADVICE_FOR_UNSIGNED_MANIFEST),
    99: (Reason.UNSUPPORTED_REPOSITORY, _UPGRADE),
}

_BY_DAMAGE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"No such file or directory: '[^'\n]*/data(/\d+/\d+)?'"),
        (
            "A file of the repository is gone: look at its volume, and bring it back from a copy if there is one. Else "
            "run a BorgRun with operation Check to see what is lost; before `borg check --repair`, copy the repository."
        ),
    ),
    (
        re.compile(r"invalid nonce file"),
        "Copy the repository, then delete the file `nonce` in it: borg goes on from the number in its manifest.",
    ),
    (
        re.compile(r"in _?read_integrity\b[\s\S]*Unpack failed"),
        "Copy the repository, then delete its files `integrity.*`, which borg makes anew.",
    ),
    (
        # Borg's cache has a `config` too. Where a disk failed, or a ticket expired, nothing is wrong with the file.
        re.compile(
            r'repository\.py", line \d+, in open\n[\s\S]*'
            r"^(?:configparser\.\w+|UnicodeDecodeError|ValueError|OverflowError|binascii\.Error)\b",
            re.MULTILINE,
        ),
        "The file `config` of the repository is damaged: bring it back from a copy, with the key if that is in it.",
    ),
    (
        re.compile(r"in decrypt_key_file\b"),
        f"The key in the repository's `config` is damaged: bring that file back from a copy. {_KEY}",
    ),
)
"""What borg says of a damaged repository without an error of its own for it."""

ALREADY_EXISTS = 10
NAME_TAKEN = 30
DOES_NOT_EXIST = 13
ABSENT = frozenset({DOES_NOT_EXIST, 15})
"""No folder, and a folder without a repository (an empty one included)."""
ARCHIVE_ABSENT = 31
NO_PASSPHRASE = 50
PASSPHRASE_WRONG = 52
LOCK_FAILED = 72
"""Borg could not make the lock's files; the system's words for why are in the message."""
LOCK_TIMEOUT = 73
ANSWER_OF_NO_BORG = 86
"""What the server answered is in the message itself."""
CLOSED_UNANSWERED = 81
"""The connection was closed before a borg on the server had answered ours."""
CONNECTION_CODES = frozenset({80, CLOSED_UNANSWERED, ANSWER_OF_NO_BORG, 87})

_GENERIC_ERROR = 2
_CODE_OF_REMOTE_ERROR = {
    "InsufficientFreeSpaceError": 14,
    "InvalidRepository": 15,
    "InvalidRepositoryConfig": 16,
    "PathAlreadyExists": 19,
    "StorageQuotaExceeded": 20,
    "PathPermissionDenied": 21,
}
"""Errors of the server's borg for which some versions of borg 1.4 end with the generic code."""


def derive_exit_code(code: int, msgids: Iterable[str]) -> int:
    """Return the modern exit code that belongs to the errors, where borg itself gave only the generic one."""
    if code != _GENERIC_ERROR:
        return code
    return next((_CODE_OF_REMOTE_ERROR[name] for name in msgids if name in _CODE_OF_REMOTE_ERROR), code)


def explain_exit(code: int, message: str, traceback: str = "") -> tuple[Reason, str]:
    """Return reason and advice for a borg that failed with the modern exit `code` and said `message`.

    `traceback`: all that it said besides.
    """
    if code < 0:
        if code == -signal.SIGKILL:
            return Reason.KILLED, "As a rule memory ran out: raise `job.resources.limits.memory`."
        return Reason.KILLED, "It crashed, or somebody ended it: the pod's log has what borg said before."
    of_system = explain_system_words(message)
    if known := (of_system if code == LOCK_FAILED else None) or _BY_EXIT_CODE.get(code) or of_system:
        return known
    if "unrecognized arguments" in message:
        return Reason.BORG_TOO_OLD, "Use a runner image with the borg that this runner is made for, 1.4."
    for pattern, advice in _BY_DAMAGE:
        if pattern.search(f"{traceback}\n{message}"):
            return Reason.REPOSITORY_DAMAGED, advice
    return Reason.BORG_FAILED, "The pod's log has borg's full output."
