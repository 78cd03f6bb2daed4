"""What borg is given at each call: the options of every verb, texts that it must not expand, and its environment.

The environment is complete, so that borg never prompts, and without any secret. Which prompts are answered how:

- A repository at another place than last time: yes. The place comes from the BorgRepository, whose edit is the consent.
- An unencrypted repository never seen before: yes where the BorgRepository says `none` or `authenticated`, else no.
  With an empty cache every repository is new, so this refuses a plaintext one that somebody put in the place of an
  encrypted one before any data is sent; one encrypted with another passphrase is refused by its passphrase.
- Repair and deletion: no.
"""

from borg_contract.plan import RepositoryPlan

UNENCRYPTED_MODES = ("none", "authenticated", "authenticated-blake2")
"""Modes of which borg says that data is not encrypted."""


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


def make_borg_environment(
    repository: RepositoryPlan, *, base_dir: str, schedule: str, host_id: str | None, rsh: str | None
) -> dict[str, str]:
    """Return borg's own values for this repository; the passphrase comes by a pipe, see borg_runner.borg.client.

    `schedule` is empty for work on the repository alone; `host_id` and `rsh` may be left to borg.
    """
    unencrypted = repository.encryption in UNENCRYPTED_MODES
    environment = {
        "BORG_BASE_DIR": base_dir,
        "BORG_EXIT_CODES": "modern",
        "BORG_DISPLAY_PASSPHRASE": "no",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes" if unencrypted else "no",
        "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "NO",
        "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "NO",
    }
    if schedule:
        # Schedules that share a cache would else push each other's files out of it.
        environment["BORG_FILES_CACHE_SUFFIX"] = schedule
    if host_id:
        environment["BORG_HOST_ID"] = host_id
    if rsh:
        environment["BORG_RSH"] = rsh
    return environment
