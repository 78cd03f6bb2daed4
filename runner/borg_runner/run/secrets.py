"""Secrets are files: reading them, and saying which one is missing and how to create it.

The operator may not read Secrets and mounts them as optional, so a missing one shows here first, at once.
"""

from dataclasses import dataclass, field
from pathlib import Path

from borg_contract.plan import RepositoryPlan, SecretFile
from borg_contract.reasons import Reason
from borg_runner.fault import Fault, FaultError
from borg_runner.log import Log

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
        key = read_secret(repository.ssh.private_key, namespace, log)
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


def read_passphrase(secret: SecretFile, namespace: str, log: Log) -> str:
    """Return the passphrase without trailing newlines, as BORG_PASSCOMMAND would take it. Raises FaultError."""
    try:
        passphrase = read_secret(secret, namespace, log).decode().rstrip("\n")
    except UnicodeDecodeError:
        text = f'Secret "{secret.name}", key "{secret.key}", is not UTF-8 text: borg takes no such passphrase.'
        raise FaultError(Fault(Reason.PASSPHRASE_WRONG, text)) from None
    if len(passphrase) > LONGEST_PASSPHRASE:
        text = f'Secret "{secret.name}", key "{secret.key}", is too long for a passphrase: is it another file?'
        raise FaultError(Fault(Reason.PASSPHRASE_WRONG, text))
    if not passphrase:
        text = (
            f'Secret "{secret.name}", key "{secret.key}", in namespace "{namespace}" is empty: give it the passphrase.'
        )
        raise FaultError(Fault(Reason.SECRET_MISSING, text))
    return passphrase
