"""Secrets are files: reading them, and saying which one is missing and how to create it.

The operator may not read Secrets and mounts them as optional, so a missing one shows here first, at once.
"""

from pathlib import Path

from borg_contract.plan import RepositoryPlan, SecretFile
from borg_contract.reasons import Reason
from borg_runner.log import Log
from borg_runner.reasons import Fault

LONGEST_PASSPHRASE = 8192
"""Borg gets it through a pipe that is filled before borg starts, and so must hold all of it."""


class SecretError(Exception):
    """A secret cannot be used; `fault` says which and what to do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def read_secret(secret: SecretFile, namespace: str, log: Log) -> bytes:
    """Return the file's bytes as they are, and let `log` conceal them. Raises SecretError."""
    try:
        value = Path(secret.path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        create = f"kubectl -n {namespace} create secret generic {secret.name} --from-literal={secret.key}=…"
        text = (
            f'Secret "{secret.name}" has no key "{secret.key}" (or does not exist) in namespace "{namespace}": '
            f"create it with: {create}"
        )
        raise SecretError(Fault(Reason.SECRET_MISSING, text)) from None
    except OSError as error:
        text = (
            f'Secret "{secret.name}", key "{secret.key}", cannot be read: {error.strerror}. '
            "Let the pod's user read it (`job.fsGroup`)."
        )
        raise SecretError(Fault(Reason.SECRET_MISSING, text)) from error
    log.learn_secret(value.decode("utf-8", "surrogateescape"))
    return value


def read_passphrase(secret: SecretFile, namespace: str, log: Log) -> str:
    """Return the passphrase without trailing newlines, as BORG_PASSCOMMAND would take it. Raises SecretError."""
    try:
        passphrase = read_secret(secret, namespace, log).decode().rstrip("\n")
    except UnicodeDecodeError:
        text = f'Secret "{secret.name}", key "{secret.key}", is not UTF-8 text: borg takes no such passphrase.'
        raise SecretError(Fault(Reason.PASSPHRASE_WRONG, text)) from None
    if len(passphrase) > LONGEST_PASSPHRASE:
        text = f'Secret "{secret.name}", key "{secret.key}", is too long for a passphrase: is it another file?'
        raise SecretError(Fault(Reason.PASSPHRASE_WRONG, text))
    if not passphrase:
        text = (
            f'Secret "{secret.name}", key "{secret.key}", in namespace "{namespace}" is empty: give it the passphrase.'
        )
        raise SecretError(Fault(Reason.SECRET_MISSING, text))
    return passphrase


def find_secret_fault(repository: RepositoryPlan, namespace: str, log: Log, *, passphrase: bool) -> Fault | None:
    """Return the first fault of the repository's secrets; those of keys, and with `passphrase` that one too."""
    try:
        if passphrase and repository.passphrase is not None:
            read_passphrase(repository.passphrase, namespace, log)
        if repository.ssh is not None:
            for secret in (repository.ssh.private_key, repository.ssh.known_hosts):
                read_secret(secret, namespace, log)
    except SecretError as error:
        return error.fault
    return None
