"""The result of a run, from those of its repositories and scripts. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Phase
from borg_runner.fault import Fault
from borg_runner.log import shorten

_SAID = 3
"""Of how many repositories the message tells the first warning; each result has its own words beside it."""
_SAID_CHARACTERS = 300
WHY = 48
"""Characters at the end of a warning: Linux's words for why a file could not be read are no longer."""


def summarize(results: Sequence[RepositoryResult], pre_fault: Fault | None) -> RunResult:
    """Return the run's result: Failed when any repository failed or was skipped."""
    repositories = tuple(results)
    if pre_fault is not None:
        return RunResult(Phase.FAILED, repositories, pre_fault.reason.value, f"Nothing was backed up. {pre_fault.text}")
    if bad := [result for result in results if is_bad(result)]:
        names = ", ".join(f"{result.name} ({result.reason})" for result in bad)
        reasons = {result.reason for result in bad}
        reason = Reason.INTERRUPTED.value if Reason.INTERRUPTED.value in reasons else Reason.REPOSITORIES_FAILED.value
        count = f"{len(bad)} of {len(results)} repositories failed or were skipped: " if len(results) > 1 else ""
        message = f"{count}{names}."
        return RunResult(Phase.FAILED, repositories, reason, message)
    if warned := [result for result in results if result.phase is Phase.COMPLETED_WITH_WARNINGS]:
        names = ", ".join(f"{result.name} ({_describe_warnings(result)})" for result in warned)
        message = f"Warnings in {names}.{_quote_warnings(warned)}"
        return RunResult(Phase.COMPLETED_WITH_WARNINGS, repositories, Reason.WARNINGS.value, message)
    return RunResult(Phase.COMPLETED, repositories)


def summarize_so_far(results: Sequence[RepositoryResult], names: Sequence[str]) -> RunResult:
    """Return what is to be known if the runner is killed now: `names` are those of all repositories of the run."""
    done = ", ".join(f"{result.name} ({result.reason or result.phase})" for result in results)
    left = ", ".join(names[len(results) :])
    message = f"The runner was ended before it could tell all. Until then: {done}."
    message += f" Not done: {left}." if left else ""
    return RunResult(Phase.FAILED, tuple(results), Reason.INTERRUPTED.value, message, provisional=True)


def _quote_warnings(warned: Sequence[RepositoryResult]) -> str:
    """Return the first warning of a few repositories, those where a person has to look first, and where the rest is."""
    telling = sorted((result for result in warned if result.warnings), key=lambda result: not result.reason)[:_SAID]
    firsts = ((item.name, shorten(item.warnings[0], _SAID_CHARACTERS, end=WHY).rstrip(".")) for item in telling)
    said = "".join(f" {name}: {text}." for name, text in firsts)
    left = sum(result.warning_count for result in warned) - len(telling)
    kept = any(len(result.warnings) > 1 for result in warned) or len(telling) < len(warned)
    if left <= 0:
        return said
    where = ", the first of them in the status (`warnings`)" if kept and telling else ""
    return f"{said} {left:,} more: in the pod's log{where}."


def _describe_warnings(result: RepositoryResult) -> str:
    return f"{result.warning_count}, {result.reason}" if result.reason else str(result.warning_count)


def is_bad(result: RepositoryResult) -> bool:
    """Tell whether the repository failed or was skipped."""
    return result.phase in (Phase.FAILED, Phase.SKIPPED)


def add_post_fault(result: RunResult, fault: Fault | None) -> RunResult:
    """Return `result` with a failed post-backup script: a warning, for the archives are good, and never hidden."""
    if fault is None:
        return result
    return replace(
        result,
        phase=_with_warning(result.phase),
        reason=result.reason or fault.reason.value,
        message=f"{result.message} {fault.text}".strip(),
    )


def add_repository_warning(result: RepositoryResult, fault: Fault | None) -> RepositoryResult:
    """Return `result` with a failed post-backup script of the repository's own, which comes before borg's warnings."""
    if fault is None:
        return result
    first = 1 if result.reason and result.warnings else 0  # what `summarize` says
    return replace(
        result,
        phase=_with_warning(result.phase),
        warnings=(*result.warnings[:first], fault.text, *result.warnings[first:]),
        warning_count=result.warning_count + 1,
    )


def _with_warning(phase: Phase) -> Phase:
    return Phase.COMPLETED_WITH_WARNINGS if phase is Phase.COMPLETED else phase
