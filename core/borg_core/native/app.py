"""The container `app` of a drill's pod: how the application that tried the restored files ended.

Where it is, `borg` is an init container: what that restored is there before it begins.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from borg_contract.pod import APP_NAME, CONTAINER_NAME
from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core import labels
from borg_core.native.metadata import time_of
from borg_core.registry import Body

_TAIL = 500
_SHOWS_OUTPUT = "FallbackToLogsOnError"
NOT_STARTED = ("StartError", "ContainerCannotRun")
"""The kubelet's words for a container that its runtime could not start."""


@dataclass(frozen=True)
class App:
    """`state`: of the container, as the kubelet tells it; `why`: the kubelet's word for why it ended the pod."""

    image: str
    seconds: int
    state: dict[str, Any]
    why: str = ""
    words: str = ""
    """Its sentence for the same."""
    shows_output: bool = False
    """Whether what it last printed may be told."""

    @property
    def ended(self) -> datetime | None:
        return time_of(self.state.get("terminated", {}).get("finishedAt"))

    def deadline_after(self, borg_ended: datetime | None) -> datetime | None:
        """Return until when it has to have ended; None once it has, and before its time has come."""
        if borg_ended is None or "terminated" in self.state:
            return None
        return borg_ended + timedelta(seconds=self.seconds)

    def judge(self, result: RunResult, *, finished: bool) -> RunResult | None:
        """Return the drill's result, None while that is open. `result`: what `borg` told; `finished`: the pod has."""
        if not result.phase.succeeded:
            return result
        terminated = self.state.get("terminated")
        if terminated is None and not finished:
            return None
        if terminated and has_run(terminated) and terminated.get("exitCode") == 0:
            return result
        reason, text = self._explain(terminated or {})
        repositories = tuple(
            replace(item, phase=Phase.FAILED, reason=reason.value, error=text) for item in result.repositories
        )
        return RunResult(Phase.FAILED, repositories, reason.value, text)

    def _explain(self, terminated: dict[str, Any]) -> tuple[Reason, str]:
        begin = f"What was drilled is as in the archive, but its application (image {self.image})"
        never = not has_run(terminated)
        if self.why == "Evicted":
            return Reason.EVICTED, f"{begin} could not end: the node evicted the pod: {self.words}"
        if terminated.get("reason") == "OOMKilled":
            more = "raise job.resources.limits.memory of the repository's oldest schedule, of which its pods have it"
            return Reason.OUT_OF_MEMORY, f"{begin} used more memory than its limit: {more}"
        if self.why == Reason.DEADLINE_EXCEEDED.value:
            what = f"had not begun{self._waiting()}" if never else "had not ended"
            limit = f"{self.seconds} s after the files were there (drill.app.timeoutSeconds), and was stopped"
            return Reason.APP_TIMED_OUT, f"{begin} {what} {limit}"
        if never:
            said = _join(terminated.get("message", ""))
            return Reason.APP_FAILED, f"{begin} could not be started{f': {said}' if said else self._waiting()}"
        code = f"{begin} failed with exit code {terminated.get('exitCode')}"
        if not self.shows_output:
            return Reason.APP_FAILED, f"{code}. What it said is in the log of the pod's container {APP_NAME} alone"
        said = _join(terminated.get("message", ""))
        return Reason.APP_FAILED, f"{code}{f'. It last said: {said}' if said else ', and said nothing'}"

    def _waiting(self) -> str:
        waiting = self.state.get("waiting", {})
        words = ": ".join(_join(waiting.get(key, "")) for key in ("reason", "message") if waiting.get(key))
        return f" ({words})" if words else ""


def has_run(terminated: dict[str, Any]) -> bool:
    """Tell whether a container that is `terminated` ran before: one that could not be started is that too.

    Such a one has no start, or, with containerd, one of 1970.
    """
    started = time_of(terminated.get("startedAt"))
    return started is not None and started.timestamp() > 0 and terminated.get("reason") not in NOT_STARTED


def parse_app(body: Body) -> App | None:
    """Return the container `app`, None of a pod in which `borg` is all that is awaited."""
    spec, status, notes = body.get("spec", {}), body.get("status", {}), body["metadata"].get("annotations", {})
    if not any(item.get("name") == CONTAINER_NAME for item in spec.get("initContainers", ())):
        return None
    container = next((item for item in spec.get("containers", ()) if item.get("name") == APP_NAME), None)
    if container is None:
        return None
    states = (item.get("state", {}) for item in status.get("containerStatuses", ()) if item["name"] == APP_NAME)
    seconds = notes.get(labels.APP_SECONDS, "")
    return App(
        image=container.get("image", ""),
        seconds=int(seconds) if seconds.isdecimal() else 0,
        state=next(states, {}),
        why=status.get("reason", ""),
        words=" ".join(status.get("message", "").split()),
        shows_output=container.get("terminationMessagePolicy") == _SHOWS_OUTPUT,
    )


def _join(text: str) -> str:
    """Return the end of it on one line, for people."""
    lines = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(letter if letter.isprintable() else "?" for letter in lines)[-_TAIL:]
