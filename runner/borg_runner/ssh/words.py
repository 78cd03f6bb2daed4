"""What ssh says when a connection fails → a CamelCase reason and what to do about it."""

from borg_contract.reasons import Reason

ADVICE_FOR_LOST_CONNECTION = (
    "What was stored stays, and the next run goes on from there. If it happens again, look at what is between pod and "
    "server (a firewall or NAT that forgets connections) and at the server's log: was its borg killed, or sshd ended?"
)

ADVICE_FOR_REFUSED_COMMAND = (
    "The server lets the key in, and does not start borg. {what} Look there at what the login starts: a forced command "
    "(ForceCommand, authorized_keys), a filter, the login shell. It must start `borg serve`."
)
ADVICE_FOR_BANNER = (
    "On the server, something writes before borg answers: let .bashrc, .profile or the forced command write nothing to "
    "stdout where no person logs in (`[ -t 1 ] && echo …`)."
)

_SHUT_DOOR = (
    "The server hangs up before the login, also on good keys: there were many failed logins, or many connections at "
    "once (MaxStartups, PerSourcePenalties, fail2ban, a firewall's limit). All pods of a node have one address: find "
    "who fails (the server's log; runs with SshPermissionDenied), mend that, wait or lift the ban, or exempt the "
    "cluster's addresses (PerSourcePenaltyExemptList, fail2ban's ignoreip). If it never worked: is the port in "
    "`ssh.url` that of an ssh server?"
)
_NO_SIGN_OF_LIFE = (
    "For five minutes nothing came from the server, not even a sign of life: it is switched off, or the way to it is "
    "cut. What was stored stays, and the next run goes on from there. If that finds the repository locked, see Locks "
    "in docs/ssh-providers.md."
)
_SERVE = 'Borg needs one that may run it: command="borg serve …" in authorized_keys.'

_RESET = "Connection reset by"
"""All that ssh says of a door that was shut before it could send its own greeting, and of any later reset."""

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
        "Permission denied (",
        Reason.SSH_PERMISSION_DENIED,
        (
            "The server refuses the key; its log says why. The public half must be in authorized_keys of the user that "
            "`ssh.url` names, on one line; that file, its folder and the home must be writable by that user alone "
            "(`chmod go-w`); and sshd must accept the type of the key (PubkeyAcceptedAlgorithms) and the user "
            "(AllowUsers)."
        ),
    ),
    (
        "Too many authentication failures",
        Reason.SSH_PERMISSION_DENIED,
        "The server refuses the key: add its public half to authorized_keys, or raise MaxAuthTries in its sshd_config.",
    ),
    (
        "banner line contains invalid characters",
        Reason.HOST_UNREACHABLE,
        "What listens there is no ssh server: correct host and port in `ssh.url`.",
    ),
    ("kex_exchange_identification", Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR),
    ("Not allowed at this time", Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR),
    ("MaxStartups", Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR),
    (
        "open failed",
        Reason.SERVER_REFUSES_LOGINS,
        "The server lets the key in and opens no session: raise MaxSessions in its sshd_config, or end sessions there.",
    ),
    (
        "Unable to negotiate",
        Reason.SSH_INCOMPATIBLE,
        (
            "Server and runner have no algorithm in common: update the server's sshd, or let its sshd_config offer "
            "one of today's (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs)."
        ),
    ),
    ("Could not resolve hostname", Reason.HOST_UNRESOLVED, "Correct the host in `ssh.url`, or look at the DNS."),
    (
        "Connection refused",
        Reason.HOST_UNREACHABLE,
        (
            "No ssh server listens there: start it, or correct host and port in `ssh.url`. After failed logins this "
            "may be a ban (fail2ban)."
        ),
    ),
    (
        "Connection timed out",
        Reason.HOST_UNREACHABLE,
        (
            "The host does not answer: switch it on, or look at firewalls and network policies. After failed logins "
            "this may be a ban (fail2ban)."
        ),
    ),
    ("No route to host", Reason.HOST_UNREACHABLE, "Switch the host on, or look at routes and network policies."),
    ("Network is unreachable", Reason.HOST_UNREACHABLE, "Look at routes and network policies."),
    ("ssh: connect to host", Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR),
    ("banner exchange: Connection to", Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR),
    ("not responding", Reason.CONNECTION_LOST, _NO_SIGN_OF_LIFE),
    ("Connection closed by", Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    (_RESET, Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
    ("Broken pipe", Reason.CONNECTION_LOST, ADVICE_FOR_LOST_CONNECTION),
)

_BY_SHELL_WORDS: tuple[tuple[str, Reason, str], ...] = (
    (
        "allows sftp connections only",
        Reason.SSH_COMMAND_REFUSED,
        f"The account is for file transfer only. {_SERVE}",
    ),
    (
        "This account is currently not available",
        Reason.SSH_COMMAND_REFUSED,
        (
            "The account has no login shell, without which sshd starts nothing, not even a forced command: give it "
            "one there (`usermod --shell /bin/sh`)."
        ),
    ),
    (
        "restricted: cannot",
        Reason.SSH_COMMAND_REFUSED,
        (
            "The account has a restricted shell, which takes no path: name borg without a folder in `ssh.remotePath`, "
            "and have it put into that shell's PATH."
        ),
    ),
    (
        ": Permission denied",
        Reason.REMOTE_BORG_MISSING,
        "The user may not execute borg there: make it executable, or correct `ssh.remotePath`.",
    ),
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
)
"""Of what the login starts on the server. A .bashrc may say the same of something else, on each login."""


def knows_ssh_words(lines: str) -> bool:
    """Return whether ssh itself says in `lines` what is wrong, so that it need not be asked once more."""
    return any(words in lines for words, _, _ in _BY_SSH_WORDS)


def explain_ssh(
    lines: str, *, refused: bool, answered: bool, known_hosts: str, private_key: str
) -> tuple[Reason, str] | None:
    """Return reason and advice for what ssh said, None when its words are not known.

    `refused`: whether the server is known not to start borg; only then does what its shell says count.
    `answered`: whether borg had a word from the server before.
    """
    if not answered and lines.strip().startswith(_RESET):
        return Reason.SERVER_REFUSES_LOGINS, _SHUT_DOOR
    for words, reason, advice in (*_BY_SSH_WORDS, *(_BY_SHELL_WORDS if refused else ())):
        if words in lines:
            return reason, advice.format(known_hosts=known_hosts, private_key=private_key)
    return None
