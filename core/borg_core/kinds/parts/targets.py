"""Where a repository is, which one it is there, and how it is protected."""

from enum import StrEnum
from posixpath import normpath
from typing import Annotated
from urllib.parse import urlsplit

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model, SecretKeyRef, Time
from borg_core.kinds.parts.volumes import Volume

_SSH_PORT = 22


class LocalTarget(Model):
    volume: Volume
    path: Annotated[
        str,
        Schema(
            "The repository's folder below the volume's root, for example `main`; it is created when it is "
            "missing. Default: the volume's root itself, which then must hold nothing else.",
            Rule(
                r"!self.startsWith('/') && !self.matches(r'(^|/)\.\.(/|$)') && !self.matches(r'[{}\p{Cc}]') "
                r"&& !self.contains('::') && !self.matches(r':/*$') && !self.matches(r'[^/]{256}')",
                "give a path below the volume's root, for example borg/main: no leading '/', no '..', no "
                "'::', no ':' at the end, no braces, no control characters, no part longer than 255 characters",
            ),
            maxLength=1024,
        ),
    ] = ""


IS_WRITTEN_TO = (
    Rule(
        "!has(self.volume.persistentVolumeClaim) || !has(self.volume.persistentVolumeClaim.readOnly) "
        "|| !self.volume.persistentVolumeClaim.readOnly",
        "a repository is written to: remove readOnly",
        ".volume.persistentVolumeClaim.readOnly",
    ),
    Rule(
        "(!has(self.volume.nfs) || !has(self.volume.nfs.readOnly) || !self.volume.nfs.readOnly) && "
        "(!has(self.volume.csi) || !has(self.volume.csi.readOnly) || !self.volume.csi.readOnly)",
        "a repository is written to: remove readOnly",
        ".volume",
    ),
)
"""Of a repository's volume."""


class SshTarget(Model):
    url: Annotated[
        str,
        Schema(
            "Where it is: `ssh://user@host[:port]/path`. A path that begins with `/./` is relative to the "
            "user's home: `ssh://u1@backup.example.com:23/./borg/main`.",
            Rule(
                r"self.matches(r'^ssh://[A-Za-z0-9_][A-Za-z0-9_.+-]*@([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?/([^:{}\p{Cc}]|:[^:{}\p{Cc}])+$')",
                "give ssh://user@host[:port]/path, for example ssh://u1@backup.example.com:23/./borg/main; "
                "no password, no '::', no braces",
            ),
            Rule(
                "!self.matches(r'^[^/]*//[^/]*:[0-9]+/') || "
                "self.matches(r'^[^/]*//[^/]*:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])/')",
                "the port must be between 1 and 65535",
            ),
            minLength=1,
            maxLength=1024,
        ),
    ]
    private_key_secret_ref: Annotated[
        SecretKeyRef,
        Schema(
            "The SSH private key, without a passphrase (nobody is there to type one). Make one with "
            '`ssh-keygen -t ed25519 -N "" -f id_ed25519` and store it with `kubectl create secret generic '
            "borg-ssh --from-file=id_ed25519 --from-file=known_hosts`."
        ),
    ]
    known_hosts_secret_ref: Annotated[
        SecretKeyRef,
        Schema(
            "Lines as in `~/.ssh/known_hosts` with the server's host keys, pinned so that nobody can pose as "
            "the server. `ssh-keyscan -p 23 backup.example.com` prints them; compare the fingerprints "
            "(`ssh-keygen -lf`) with what the server's owner says before you trust them."
        ),
    ]
    remote_path: Annotated[
        str,
        Schema(
            "The borg command on the server when it is not `borg`, for example `borg-1.4` or "
            "`/usr/local/bin/borg` (`borg --remote-path`).",
            Rule(
                "self == '' || self.matches(r'^[A-Za-z0-9_./~][A-Za-z0-9_./~ +-]*$')",
                "give the borg command on the server, for example borg-1.4: letters, digits, spaces and ./~_+- only",
            ),
            maxLength=255,
        ),
    ] = ""


class RepositoryIdentity(Model):
    """Which borg repository it is, and where that was seen: by the same path there may be another one later."""

    id: Annotated[str, Schema("Borg's own id of the repository; empty until a run has told it.", maxLength=64)] = ""
    place: Annotated[str, Schema("The place, of `local` or `ssh`, at which that was seen.", maxLength=4096)] = ""
    since: Annotated[
        str,
        Schema(
            "When `local` or `ssh` named that place, or you said that the repository of before is lost; only runs "
            "begun later count, and of these only those whose pods were given that place.",
            maxLength=32,
        ),
    ] = ""
    lost: Annotated[
        str,
        Schema(
            "What the annotation `borgoperator.io/lost-repository-id` named when it was heeded, which it is once.",
            maxLength=64,
        ),
    ] = ""


def derive_place(local: LocalTarget | None, ssh: SshTarget | None) -> str | None:
    """Return where the repository is, in one spelling for each place; None where no other one can be there."""
    if ssh:
        return _derive_address(ssh.url)
    if local and local.volume.claim_name:
        return f"claim {local.volume.claim_name} {_joined('', local.path)}"
    if local and (folder := local.volume.host_path):
        return f"node {_joined(folder.get('path', ''), local.path)}"
    if local and (export := local.volume.nfs):
        return f"nfs {export.get('server')} {_joined(export.get('path', ''), local.path)}"
    return None


def _derive_address(url: str) -> str:
    # To borg, "?" and "#" are letters of the path like all others.
    authority, slash, path = url.removeprefix("ssh://").partition("/")
    path = slash + path
    try:
        parts = urlsplit(f"ssh://{authority}")
        host = f"{parts.username}@{parts.hostname}:{parts.port or _SSH_PORT}"
    except ValueError:
        return url
    home = "~" if path.startswith("/./") else ""
    return f"{host}{home}{_joined('', path)}"


def _joined(root: str, path: str) -> str:
    return normpath(f"/{root}/{path}").replace("//", "/")


class RepositoryLock(Model):
    """Who held the repository's lock when a run could not have it."""

    holder: Annotated[str, Schema("The holder as the lock names it.", maxLength=1024)] = ""
    run_name: Annotated[str, Schema("The BorgRun that holds it, when it is one of this cluster.", maxLength=253)] = ""
    time: Annotated[Time, Schema("When the lock was found held.")] = ""


class LastRun(Model):
    """The run that told last whether the repository is ready."""

    name: Annotated[str, Schema("The BorgRun's name; it may be kept no more.", maxLength=253)]
    time: Annotated[Time, Schema("When it ended.")]


class EncryptionMode(StrEnum):
    """Modes of `borg init` that keep the key in the repository, where every pod finds it."""

    NONE = "none"
    AUTHENTICATED = "authenticated"
    AUTHENTICATED_BLAKE2 = "authenticated-blake2"
    REPOKEY = "repokey"
    REPOKEY_BLAKE2 = "repokey-blake2"


class Encryption(Model):
    mode: Annotated[
        EncryptionMode,
        Schema(
            "As in `borg init --encryption`. `repokey-blake2` (default) and `repokey` (for CPUs with SHA "
            "instructions) encrypt, with the key kept in the repository and protected by the passphrase; "
            "`authenticated-blake2` and `authenticated` do not encrypt but notice tampering; `none` does "
            "neither. Cannot be changed once the repository holds a backup."
        ),
    ] = EncryptionMode.REPOKEY_BLAKE2
    passphrase_secret_ref: Annotated[
        SecretKeyRef | None,
        Schema(
            "The passphrase; required unless the mode is `none`. Keep a copy outside of the cluster, "
            "together with `borg key export`: without it nobody can read the archives. It is mounted into "
            "the pods as a file and appears in no argument, environment value, log or status."
        ),
    ] = None
