"""What ssh says when a connection fails → a CamelCase reason and what to do about it."""

from borg_contract.reasons import Reason

ADVICE_FOR_LOST_CONNECTION = (
    "The next run tries again; if it keeps failing, look at the network and at the server's log."
)

_BY_SSH_WORDS: tuple[tuple[str, Reason, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        Reason.HOST_KEY_MISMATCH,
        (
            "The server shows another host key than the pinned one: find out why. If the change is right, put the new "
            "key into {known_hosts} (`ssh-keyscan`, compared over a safe way); nothing was sent."
        ),
    ),
    (
        "Host key verification failed",
        Reason.HOST_KEY_UNKNOWN,
        (
            "{known_hosts} has no key for this host (a port other than 22 is written [host]:port): add it with "
            "`ssh-keyscan`, compared over a safe way."
        ),
    ),
    (
        "Load key",
        Reason.SSH_KEY_UNUSABLE,
        (
            "{private_key} is not a private key that ssh can read without a passphrase: create one with "
            "`ssh-keygen -t ed25519 -N ''`."
        ),
    ),
    (
        "Permission denied",
        Reason.SSH_PERMISSION_DENIED,
        (
            "The server refuses the key: add its public half to the user's authorized_keys there, or correct the user "
            "in `ssh.url`."
        ),
    ),
    ("Could not resolve hostname", Reason.HOST_UNRESOLVED, "Correct the host in `ssh.url`, or look at the DNS."),
    (
        "command not found",
        Reason.REMOTE_BORG_MISSING,
        "Install borg 1.4 on the server, or name it in `ssh.remotePath`.",
    ),
    (
        "No such file or directory",
        Reason.REMOTE_BORG_MISSING,
        "Install borg 1.4 on the server, or correct `ssh.remotePath`.",
    ),
    (
        "Unknown command",
        Reason.REMOTE_BORG_MISSING,
        "Install borg 1.4 on the server, or name it in `ssh.remotePath`.",
    ),
    (
        ": not found",
        Reason.REMOTE_BORG_MISSING,
        "Install borg 1.4 on the server, or name it in `ssh.remotePath`.",
    ),
    (
        "Connection refused",
        Reason.HOST_UNREACHABLE,
        "No ssh server listens there: start it, or correct host and port in `ssh.url`.",
    ),
    (
        "Connection timed out",
        Reason.HOST_UNREACHABLE,
        "The host does not answer: switch it on, or look at firewalls and network policies.",
    ),
    ("No route to host", Reason.HOST_UNREACHABLE, "Switch the host on, or look at routes and network policies."),
    ("Network is unreachable", Reason.HOST_UNREACHABLE, "Look at routes and network policies."),
    ("Connection closed by", Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    ("Connection reset by", Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
)


def knows_ssh_words(lines: str) -> bool:
    """Return whether `explain_ssh` can tell what `lines` mean."""
    return any(words in lines for words, _, _ in _BY_SSH_WORDS)


def explain_ssh(lines: str, *, known_hosts: str, private_key: str) -> tuple[Reason, str] | None:
    """Return reason and advice for what ssh said, None when its words are not known."""
    for words, reason, advice in _BY_SSH_WORDS:
        if words in lines:
            return reason, advice.format(known_hosts=known_hosts, private_key=private_key)
    return None
