"""Secrets are files: reading them, and saying which one is missing and how to create it.

The operator may not read Secrets and mounts them as optional, so a missing one shows here first, at once.
"""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from borg_contract.plan import RepositoryPlan, SecretFile
from borg_contract.reasons import Reason
from borg_runner.fault import Fault, FaultError
from borg_runner.log import Log
from borg_runner.ssh.key import find_key_fault

LONGEST_PASSPHRASE = 8192
"""Borg gets it through a pipe that is filled before borg starts, and so must hold all of it."""


@dataclass(frozen=True)
class RepositorySecrets:
    """What the work on one repository needs; None: not needed."""

    passphrase: str | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)


def read_repository_secrets(
    repository: RepositoryPlan, namespace: str, log: Log, *, passphrase: bool
) -> RepositorySecrets:
    """Return the repository's secrets, the passphrase only if asked for. Raises FaultError for the first that fails."""
    phrase = key = None
    if passphrase and repository.passphrase is not None:
        phrase = read_passphrase(repository.passphrase, namespace, log)
    if repository.ssh is not None:
        key = read_private_key(repository.ssh.private_key, namespace, log)
        read_secret(repository.ssh.known_hosts, namespace, log)  # ssh reads the file itself: here it must only exist
    return RepositorySecrets(phrase, key)


def read_secret(secret: SecretFile, namespace: str, log: Log) -> bytes:
    """Return the file's bytes as they are, and let `log` conceal them. Raises FaultError."""
    try:
        value = Path(secret.path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        create = f"kubectl -n {namespace} create secret generic {secret.name} --from-literal={secret.key}=…"
        text = (
            f'Secret "{secret.name}" has no key "{secret.key}" (or does not exist) in namespace "{namespace}": '
            f"create it with: {create}"
        )
        raise FaultError(Fault(Reason.SECRET_MISSING, text)) from None
    except OSError as error:
        text = (
            f'Secret "{secret.name}", key "{secret.key}", cannot be read: {error.strerror}. '
            "Let the pod's user read it (`job.fsGroup`)."
        )
        raise FaultError(Fault(Reason.SECRET_MISSING, text)) from error
    log.learn_secret(value.decode("utf-8", "surrogateescape"))
    return value


def read_private_key(secret: SecretFile, namespace: str, log: Log) -> bytes:
    """Return the key. Raises FaultError, also for one that ssh could not use."""
    key = read_secret(secret, namespace, log)
    if what := find_key_fault(key):
        raise FaultError(Fault(Reason.SSH_KEY_UNUSABLE, f'Secret "{secret.name}", key "{secret.key}", {what}'))
    return key


def read_passphrase(secret: SecretFile, namespace: str, log: Log) -> str:
    """Return the passphrase as borg will read it, without the newlines at its end. Raises FaultError.

    Also for one that a person could not type on the day of the restore.
    """
    try:
        passphrase = _as_borg_reads(read_secret(secret, namespace, log).decode())
    except UnicodeDecodeError:
        text = f'Secret "{secret.name}", key "{secret.key}", is not UTF-8 text: borg takes no such passphrase.'
        raise FaultError(Fault(Reason.PASSPHRASE_WRONG, text)) from None
    log.learn_secret(passphrase)
    if what := _find_unusable(passphrase):
        text = f'Secret "{secret.name}", key "{secret.key}", {what}'
        raise FaultError(Fault(Reason.PASSPHRASE_WRONG, text))
    if not passphrase:
        text = (
            f'Secret "{secret.name}", key "{secret.key}", in namespace "{namespace}" is empty: give it the passphrase.'
        )
        raise FaultError(Fault(Reason.SECRET_MISSING, text))
    return passphrase


def _as_borg_reads(text: str) -> str:
    """Return what borg makes of what it is given: all line ends are one to it, and those at the end no part of it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _find_unusable(passphrase: str) -> str | None:
    """Return what is wrong with it, None for one that can be used and typed."""
    if len(passphrase) > LONGEST_PASSPHRASE:
        return "is too long for a passphrase: is it another file?"
    if passphrase.startswith("\ufeff"):
        return (
            "begins with a byte order mark, which nobody can type: write it as UTF-8 without one "
            "(`printf %s … | kubectl create secret generic … --from-file=…=/dev/stdin`)."
        )
    if any(unicodedata.category(character) == "Cc" for character in passphrase):
        return "has a control character in it (a NUL, a tab, a second line), which nobody can type: write it anew."
    if passphrase != passphrase.strip():
        return "begins or ends with a blank, which nobody sees when it is to be typed: write it without."
    return None
