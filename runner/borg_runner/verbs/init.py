"""`borg init`: a repository that does not exist yet."""

from dataclasses import replace
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import ALREADY_EXISTS
from borg_runner.borg.failure import explain_failure, explain_missing
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.borg.layout import CONFIG, FIRST_SEGMENTS
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.repository import Repository

_LOCK_WAIT_SECONDS = 60
_CUT_SHORT = (
    "This run was about to create the repository: if the next one finds neither a repository nor an empty folder "
    "there, see NotARepository in Troubleshooting."
)


def init(repository: Repository) -> None:
    """Create the repository, unless another run was first. Raises FaultError."""
    plan = repository.plan
    repository.log.say(f"creating a new repository at {plan.location} (encryption {plan.encryption})")
    outcome = repository.borg.run(make_init_arguments(plan, lock_wait=_LOCK_WAIT_SECONDS))
    if outcome.exit_code != ALREADY_EXISTS and not outcome.succeeded:
        fault = explain_failure(outcome, plan)
        raise FaultError(replace(fault, text=f"{fault.text} {_CUT_SHORT}") if plan.ssh else fault)
    if plan.passphrase is not None:
        repository.log.say("keep a copy of its key in a safe place, made with: borg key export")


def init_missing_folder(repository: Repository) -> None:
    """Create a local repository where there is none, and none is known.

    Looking at the folder before borg does costs nothing, and tells an empty one from one that holds something else,
    which is refused. Raises FaultError, OSError.
    """
    folder = Path(repository.plan.location)
    if (folder / CONFIG).exists():
        return
    if (folder / FIRST_SEGMENTS).exists():
        text = (
            f"{folder} was a borg repository, but its `config` file is gone, which has its id and its key: look at "
            "the volume, and bring that file back from a copy. Nothing was changed."
        )
        raise FaultError(Fault(Reason.REPOSITORY_DAMAGED, text))
    what = describe_no_repository(folder)
    if repository.plan.repository_ids:
        raise FaultError(explain_missing(repository.plan, what))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        text = (
            f"{what} Name an empty or new folder of the volume in `local.path` (the root of an ext4 volume holds "
            "lost+found)."
        )
        raise FaultError(Fault(Reason.NOT_A_REPOSITORY, text))
    if not repository.plan.initialize:
        text = f"{what} Set `initialize: true` to create a repository there, or correct the volume or `local.path`."
        raise FaultError(Fault(Reason.REPOSITORY_MISSING, text))
    init(repository)


def describe_no_repository(folder: Path) -> str:
    """Return what is in `folder` instead of a repository. Raises OSError."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return f"{folder} does not exist."
    except NotADirectoryError:
        return f"{folder} is no folder."
    return f"{folder} is not a borg repository: it holds {', '.join(names[:3])}." if names else f"{folder} is empty."


def make_init_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that create the repository, and on a volume the folders above it."""
    return [
        "init",
        "--error",  # a new repository is no reason for borg's fifteen lines of warnings
        *make_connection_arguments(repository, lock_wait=lock_wait),
        f"--encryption={repository.encryption}",
        *([] if repository.ssh else ["--make-parent-dirs"]),
        escape_placeholders(repository.location),
    ]
