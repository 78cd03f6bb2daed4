"""Why a run's pod ended before its runner came to the end, and what comes after."""

from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_contract.run import Operation
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending, ObservedPod

TOO_LONG = "It took longer than spec.activeDeadlineSeconds and was stopped: raise that, or see what held it up"
_MORE_ROOM = (
    "Make room on the node, request or allow more of it in spec.job.resources, or give borg's cache a claim of its own "
    "(spec.cache of the BorgRepository)"
)
_WORDS_LIMIT = 1000
_CHECKPOINT = "The next run goes on from borg's last checkpoint."
_ANEW = "A backup with a dump keeps no checkpoint: the next run begins anew."
_NO_MENDING = "Nothing is to be mended after the stop."
_REST = "The next run does what is left."


def explain_death(job: ObservedJob, pod: ObservedPod | None, ending: Ending) -> tuple[Reason, str]:
    name = pod.name if pod else None
    if ran_out_of_time(job, ending):
        return Reason.DEADLINE_EXCEEDED, TOO_LONG
    if ending.reason == "OOMKilled":
        message = f"Pod {name} used more memory than its limit: raise spec.job.resources.limits.memory"
        return Reason.OUT_OF_MEMORY, message
    if ending.reason == "Evicted":
        words = ending.words[:_WORDS_LIMIT].rstrip(".") or f"see kubectl -n {job.namespace} describe pod {name}"
        return Reason.EVICTED, f"The node evicted pod {name}: {words}. {_MORE_ROOM}"
    if ending.unreadable:
        message = f"Pod {name} left a result that cannot be read: {ending.unreadable[:500]!r}"
        return Reason.RESULT_UNREADABLE, message
    if pod is None or pod.deleting or ending == Ending():  # of one that is deleted, the log goes as well
        return Reason.POD_LOST, "Its pod was deleted, or its node was lost, before it could report"
    code = "" if ending.exit_code is None else f" with exit code {ending.exit_code}"
    what = f"ended{code} without a result: {see_log(job, pod.name)}"
    if ending.start_error:
        what = f"could not be started: {ending.start_error[:_WORDS_LIMIT].rstrip('.')}"
    return Reason.RUNNER_CRASHED, f"Pod {name} {what}"


def ran_out_of_time(job: ObservedJob, ending: Ending) -> bool:
    return Reason.DEADLINE_EXCEEDED.value in (job.failure_reason, ending.reason)


def see_log(job: ObservedJob, pod_name: str) -> str:
    return f"see kubectl -n {job.namespace} logs {pod_name} -c borg"


def tell_how_it_goes_on(job: ObservedJob) -> str:
    """Return what the run after one that died at work begins with; empty of what is no backup."""
    if job.operation is not Operation.BACKUP:
        return ""
    return _ANEW if job.has_stream else _CHECKPOINT


def tell_after_stop(job: ObservedJob | None, result: RunResult) -> str:
    """Return what is to be done about a run whose pod was stopped: nothing. Of a restore, its BorgRestore says it."""
    if (job and job.operation.needs_restore) or any(item.restore for item in result.repositories):
        return ""
    stopped = [item for item in result.repositories if item.reason == Reason.INTERRUPTED.value]
    # Where one was written, the error names it as a rule.
    untold = (item.archive for item in stopped if item.archive and item.archive not in (item.error or ""))
    at_work = any(item.error and not item.archive for item in stopped)
    then = (tell_how_it_goes_on(job) if job and at_work else "") or _REST
    return " ".join([*(f'Archive "{name}" was written.' for name in untold), _NO_MENDING, then])
