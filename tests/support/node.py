"""A node without a kubelet: it gives pods a place, lets them begin, end with a result, and go, over the real API."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError
from borg_cluster.transport import Request
from borg_contract.codec import encode
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core import labels
from borg_core.native.pod import PODS
from support import builders

Object = dict[str, Any]

_LOOK_SECONDS = 0.2


@dataclass
class ApiNode:
    """`told`: by uid of its Job, what each pod said at its end; None where it died without a word."""

    api: ApiServer
    namespace: str
    random: Random
    work_seconds: tuple[float, float] = (1.0, 4.0)
    failing: float = 0.0
    """How many of the pods end as Failed; half as many die without a word."""
    told: dict[str, RunResult | None] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Run for ever, also while the API server is away."""
        while True:
            with suppress(ApiError):
                for pod in await self.api.list_labelled(PODS, self.namespace, labels.OURS):
                    with suppress(ApiError):
                        await self._look_after(pod)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look_after(self, pod: Object) -> None:
        uid, phase = pod["metadata"]["uid"], pod["status"].get("phase")
        if "deletionTimestamp" in pod["metadata"]:
            if phase == "Running":
                await self._end(pod, _interrupted())
            elif phase == "Pending" and pod["spec"].get("nodeName"):
                await self._say(pod, {"phase": "Failed"})
            await self._remove(pod)
        elif phase == "Pending" and not pod["spec"].get("nodeName"):
            await self._bind(pod)
        elif phase == "Pending":
            await self._say(pod, {"phase": "Running", **_container({"running": {"startedAt": _now()}})})
            self._until[uid] = _clock() + self.random.uniform(*self.work_seconds)
        elif phase == "Running" and pod["spec"].get("activeDeadlineSeconds") == 1:
            await self._end(pod, _interrupted())
        elif phase == "Running" and _clock() >= self._until.get(uid, 0.0):
            await self._end(pod, self._result())

    def _result(self) -> RunResult | None:
        chance = self.random.random()
        if chance < self.failing / 2:
            return None
        if chance < self.failing:
            return builders.result(Phase.FAILED, reason="BorgFailed", message="main: it does not work")
        return builders.result()

    async def _end(self, pod: Object, result: RunResult | None) -> None:
        good = result is not None and result.phase.succeeded
        message = {"message": encode(result)} if result else {}
        ended = {"exitCode": 0 if good else 1, "reason": "Completed" if good else "Error", **message}
        state = {"terminated": {**ended, "startedAt": _now(), "finishedAt": _now()}}
        self.told[pod["metadata"]["labels"][labels.CONTROLLER_UID]] = result
        await self._say(pod, {"phase": "Succeeded" if good else "Failed", **_container(state)})

    async def _say(self, pod: Object, status: Object) -> None:
        await self.api.merge(PODS, self.namespace, pod["metadata"]["name"], {"status": status}, "status")

    async def _bind(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": "played"}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = PODS.path(self.namespace, name, "binding")
        await self.api._transport.exchange(Request("POST", path, body=binding))

    async def _remove(self, pod: Object) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        path = PODS.path(self.namespace, pod["metadata"]["name"])
        await self.api._transport.exchange(Request("DELETE", path, body=options))


def _interrupted() -> RunResult:
    return builders.result(Phase.FAILED, reason="Interrupted", message="main: interrupted")


def _container(state: Object) -> Object:
    own = {"name": "borg", "image": "runner", "imageID": "", "ready": "running" in state, "restartCount": 0}
    return {"containerStatuses": [{**own, "state": state}]}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock() -> float:
    return asyncio.get_running_loop().time()
