"""Options that every borg verb takes, and texts that borg must not expand."""

from borg_contract.plan import RepositoryPlan


def make_connection_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the options that every borg verb takes; `lock_wait` in seconds."""
    arguments = ["--log-json", "--lock-wait", str(lock_wait)]
    if repository.remote_path:
        arguments += [f"--remote-path={escape_placeholders(repository.remote_path)}"]
    if repository.upload_rate_limit_kib:
        arguments += ["--upload-ratelimit", str(repository.upload_rate_limit_kib)]
    return arguments


def escape_placeholders(text: str) -> str:
    """Return `text` so that borg, which expands {hostname} and the like nearly everywhere, takes it literally."""
    return text.replace("{", "{{").replace("}", "}}")


def name_archive(repository: RepositoryPlan, archive: str) -> str:
    """Return the words that name the archive to borg."""
    return f"{escape_placeholders(repository.location)}::{escape_placeholders(archive)}"
