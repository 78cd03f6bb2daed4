"""Turns a failed borg process into a fault: borg's own message, then what to do."""

import re

from borg_contract.plan import LOST_ID_ANNOTATION, SHOWN_DIGITS, RepositoryPlan, SecretFile, SshPlan
from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import (
    ABSENT,
    ANSWER_OF_NO_BORG,
    CLOSED_UNANSWERED,
    CONNECTION_CODES,
    DOES_NOT_EXIST,
    NO_PASSPHRASE,
    PASSPHRASE_WRONG,
    explain_exit,
)
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault
from borg_runner.log import end_sentence, join_lines
from borg_runner.ssh.words import ADVICE_FOR_REFUSED_COMMAND, explain_ssh

_NEVER_ANSWERED = (
    "The server lets the key in, and then says nothing for half an hour: borg was ended. Look there at what the login "
    "starts (ForceCommand, authorized_keys, .bashrc), at its load, and at disks or network shares that do not answer. "
    "If it serves one client after the other, let schedules begin at other times."
)
_ANSWERS_NO_MORE = (
    "The server stopped answering in the middle of the work, while its sshd still gave signs of life: borg was ended. "
    "Look there at disks and network shares that do not answer, and for a `borg serve` that hangs (`ps -eo "
    "pid,stat,args`, state D or T): as long as it is there, it keeps the lock."
)
_BROKEN = "The connection to the server broke: "
_ON_THE_SERVER = {
    Reason.DISK_FULL: (
        "The server's disk is full, or the ssh user's quota on it: make room there, or prune and compact (of no use on "
        "an append-only repository)."
    ),
    Reason.READ_ONLY: "The server has that file system mounted read-only: look there at the disk's health.",
    Reason.PERMISSION_DENIED: (
        "On the server, the ssh user must be able to write the repository: look at the owners of its files, and at the "
        "disk."
    ),
    Reason.VOLUME_FAILED: "The server's disk does not work as it should: look at it there (`dmesg`) at once.",
    Reason.NODE_EXHAUSTED: "The server has no processes, open files or memory left: look there at who has them.",
}
"""What to do where it was the server's borg that failed."""
_LOCAL_ERROR = "Exception"
"""The id of errors that borg did not foresee and that happened here; the server's have the name of their class."""
_OWN_FOLDER = "Error"
"""The id of what borg says where a folder of its own cannot be made: with an errno, as no other of that id."""
_CACHE = "/.cache/borg/"

_EXCEPTION = re.compile(r"^([\w.]*(?:Error|Exception|Interrupt|exceptions\.\w+)\b.*)$", re.MULTILINE)
_FINGERPRINT = "SHA256:"
_SSH_NOISE = re.compile(r"^[@\s]*$|^Warning: Permanently added|^debug\d:")


def explain_stop() -> Fault:
    """Return why borg did not come to its end, or to its last words, where its pod was stopped."""
    return Fault(Reason.INTERRUPTED, "The pod was stopped while borg worked.")


def explain_failure(outcome: BorgOutcome, repository: RepositoryPlan) -> Fault:
    """Return why `outcome`, which did not succeed, failed."""
    if outcome.interrupted:
        return explain_stop()
    if outcome.unanswered:
        return Fault(Reason.SERVER_SILENT, _ANSWERS_NO_MORE if outcome.greeted else _NEVER_ANSWERED)
    message = pick_message(outcome)
    traceback = "\n".join(error.text for error in outcome.errors)
    reason, advice = explain_exit(outcome.exit_code, message, traceback)
    if repository.ssh is not None and not _is_local(outcome, message):
        advice = _ON_THE_SERVER.get(reason, advice)
    if outcome.exit_code in CONNECTION_CODES and repository.ssh is not None:
        reason, advice, message = _explain_connection(outcome, repository.ssh, message, (reason, advice))
    if repository.repository_ids and outcome.exit_code in (ABSENT if repository.ssh else {DOES_NOT_EXIST}):
        return explain_missing(repository, end_sentence(_on_one_line(message)))
    if outcome.exit_code == NO_PASSPHRASE:  # borg's own words follow its question on the same line
        message = "This repository asks for a passphrase."
    if outcome.exit_code == PASSPHRASE_WRONG and repository.passphrase is not None:
        message = "The passphrase is wrong."
        advice = (
            f"{_describe_secret(repository.passphrase)} holds another one than this repository was created with: "
            "correct the Secret, or `encryption.passphraseSecretRef`."
        )
    return Fault(reason, f"{end_sentence(_on_one_line(message))} {advice}".strip())


def _explain_connection(
    outcome: BorgOutcome, ssh: SshPlan, message: str, of_borg: tuple[Reason, str]
) -> tuple[Reason, str, str]:
    """Return reason, advice and message by what ssh and the server said; `of_borg`: what else they are."""
    lines = dict.fromkeys(line.strip() for line in outcome.remote if not _SSH_NOISE.match(line))
    said = " / ".join(lines)
    is_answer = outcome.exit_code == ANSWER_OF_NO_BORG
    known = explain_ssh(
        "\n".join([*outcome.remote, *([message] if is_answer else [])]),
        refused=outcome.refused or is_answer,
        answered=outcome.exit_code != CLOSED_UNANSWERED,
        known_hosts=_describe_secret(ssh.known_hosts),
        private_key=_describe_secret(ssh.private_key),
    )
    if known is None and outcome.refused:
        what = "It says nothing." if not said else ""
        known = Reason.SSH_COMMAND_REFUSED, ADVICE_FOR_REFUSED_COMMAND.format(what=what).replace("  ", " ")
    reason, advice = known or of_borg
    message = f"{said} ({message})" if said and not all(line in message for line in lines) else message
    if reason is Reason.CONNECTION_LOST:
        message = f"{_BROKEN}{message}"
    shown = next((line.rstrip(".") for line in lines if line.startswith(_FINGERPRINT)), "")
    if reason is Reason.HOST_KEY_MISMATCH and shown:  # ssh's warning is long, and advises to take the new key
        message = f"The key that the server shows has the fingerprint {shown}"
    return reason, advice, message


def _is_local(outcome: BorgOutcome, message: str) -> bool:
    """Tell whether it was a file of the pod's own that failed, not the server's."""
    return _CACHE in message or any(
        error.msgid == _LOCAL_ERROR or (error.msgid == _OWN_FOLDER and "[Errno " in error.text)
        for error in outcome.errors
    )


def explain_missing(repository: RepositoryPlan, what: str) -> Fault:
    """Return that a known repository is not there; `what`: what is in its place, a sentence."""
    known = repository.repository_ids[0]
    begin = "" if repository.initialize else "set `initialize: true`, and "
    text = (
        f"{what} Runs before found a repository there (borg's id {known[:SHOWN_DIGITS]}…), and a new one is not begun "
        f"unasked: nothing was written. {describe_where_to_look(repository)} If it is lost for good: {begin}"
        f"`kubectl annotate brepo {repository.name} --overwrite {LOST_ID_ANNOTATION}={known}`, and the next run begins "
        "a new one."
    )
    return Fault(Reason.REPOSITORY_MISSING, text)


def describe_where_to_look(repository: RepositoryPlan) -> str:
    """Return, in a sentence, what to look at where the known repository is not in its place."""
    if repository.ssh is not None:
        return "Look at the server (was it built anew, is its disk mounted?) and at `ssh.url`."
    return "Look at the volume (is it the same one, is it mounted, was the folder moved?) and at `local.path`."


def _on_one_line(message: str) -> str:
    """Return the message as a person can read it in a status: servers send newlines, colours and what not."""
    return re.sub(r": / | / [.]$", ": ", join_lines(message)).strip()


def pick_message(outcome: BorgOutcome) -> str:
    """Return what borg said: the error that has an id, else the exception of a traceback, else any error line."""
    if outcome.exit_code < 0:
        return f"borg was killed by signal {-outcome.exit_code}"
    named = [
        error
        for error in outcome.errors
        if error.msgid and error.msgid != "Exception" and "Traceback" not in error.text
    ]
    if named:
        return named[-1].text
    exceptions = [found for error in outcome.errors for found in _EXCEPTION.findall(error.text)]
    if exceptions:
        return str(exceptions[-1])
    lines = [_last_line(error) for error in outcome.errors if error.text.strip()]
    return lines[-1] if lines else f"borg ended with exit code {outcome.exit_code}"


def _last_line(error: BorgMessage) -> str:
    return error.text.strip().split("\n")[-1]


def _describe_secret(secret: SecretFile) -> str:
    return f'Secret "{secret.name}", key "{secret.key}",'
