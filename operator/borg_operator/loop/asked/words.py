"""What Kubernetes says of that which makes no progress: its Events, asked for only where one is wanted."""

import re
from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from borg_cluster.client import ApiServer
from borg_contract.pod import CONTAINER_NAME
from borg_core.copies.words import NOT_COPIED, describe_copy
from borg_core.native.claim import CLAIMS
from borg_core.native.copy import CopyVolume
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.native.pod import ObservedPod, advise
from borg_core.native.unwatched import EVENTS
from borg_core.reconcile.cron_job import derive_clock, find_overdue
from borg_core.runs.status.run_status import NOTICES
from borg_operator.store import Store

_SILENCE = timedelta(seconds=10)
"""After this long without progress of a Job or pod its Events are read: one may say why."""
_OWN_WORDS = timedelta(seconds=30)
"""After this long without an Event the status says what the operator sees itself."""
_GENERATED = re.compile(r'(pods "[^"]*)-[a-z0-9]{5}"')
"""The message names the pod that was refused, another one at each attempt: without its random end it stays the same."""
_WORDS_LIMIT = 1000
_PROBES = "type=Warning,reason=Unhealthy"
_PROBE_FAILED = "Readiness probe failed: "
_OUR_PROBE = f"spec.containers{{{CONTAINER_NAME}}}"
_ATTEMPT = "type=Normal,reason=Provisioning"
"""What external-provisioner says each time when it asks its driver for a volume."""
_WARNINGS = "type=Warning,reason!=UnexpectedJob,reason!=FailedScheduling"
"""Not those that tell nothing new: the scheduler's Event stays when the pod has a node, its condition does not."""


class Words:
    """Asks for what is said."""

    def __init__(self, api: ApiServer, store: Store) -> None:
        self._api = api
        self._store = store

    async def fetch(
        self,
        jobs: Iterable[ObservedJob],
        pods: Mapping[str, ObservedPod],
        recorded: Container[str],
        cron_jobs: Iterable[ObservedCronJob],
        now: datetime,
    ) -> dict[str, str]:
        """Return what is said of that which makes no progress, by the uid of the Job, its pod, or a CronJob.

        `pods`: by the uids of their Jobs; `recorded`: uids of Jobs of which nothing is left to be told.
        Raises ApiError.
        """
        words: dict[str, str] = {}
        for job in jobs:
            pod = pods.get(job.uid)
            silent = pod is None or not (pod.began or pod.ending or pod.waiting)
            if pod and pod.waits and not pod.ending and now - (pod.running_since or now) >= _SILENCE:
                words[pod.uid] = await self._fetch_notice(pod)
            elif job.working and not job.suspended and silent and now - job.created >= _SILENCE:
                uid, since = (pod.uid, pod.created) if pod else (job.uid, job.created)
                said = await self._fetch_warning(job.namespace, uid)
                if not said and now - since >= _OWN_WORDS:
                    said = _own_words(job, pod)
                if said:
                    words[uid] = said
        for cron_job in cron_jobs:
            overdue = find_overdue(cron_job, derive_clock(cron_job, None, now), now)
            if overdue and (said := await self._fetch_warning(cron_job.namespace, cron_job.uid)):
                words[cron_job.uid] = said
        return words | await self._fetch_copying(pods, recorded)

    async def _fetch_copying(self, pods: Mapping[str, ObservedPod], recorded: Container[str]) -> dict[str, str]:
        """Return by the uid of a pod, for those whose run is not recorded yet, what keeps copies from being made."""
        words: dict[str, str] = {}
        for pod in pods.values():
            if pod.copies and pod.job_uid not in recorded:
                said = [text for copy in pod.copies if (text := await self._fetch_copy_words(pod, copy))]
                if said:
                    words[pod.uid] = min(said, key=lambda text: not text.startswith(NOT_COPIED))
        return words

    async def _fetch_copy_words(self, pod: ObservedPod, copy: CopyVolume) -> str:
        claim = self._store.get(CLAIMS, pod.namespace, copy.name_claim(pod.name))
        if claim is None or (not claim.volume and (pod.began or pod.ending)):
            return ""  # its event is on the way
        warning = "" if claim.volume else await self._fetch_warning(pod.namespace, claim.uid, _ATTEMPT)
        return describe_copy(copy, claim, warning)

    async def _fetch_notice(self, pod: ObservedPod) -> str:
        """Return what the run in this pod says that it waits for, empty when the kubelet has not heard it yet."""
        events = await self._api.list_labelled(EVENTS, pod.namespace, "", f"regarding.uid={pod.uid},{_PROBES}")
        latest = max((event for event in events if _derive_notice(event)), key=_last_seen, default={})
        return _derive_notice(latest)

    async def _fetch_warning(self, namespace: str, uid: str, attempt: str = "") -> str:
        """Return the newest warning about the object, empty when there is none.

        `attempt`: selects what tells that it is tried once more, and that no warning of before is true any longer.
        """
        selector = f"regarding.uid={uid},{_WARNINGS}"
        events = await self._api.list_labelled(EVENTS, namespace, "", selector)
        latest = max(events, key=_last_seen, default=None)
        if latest is None:
            return ""
        if attempt:
            attempts = await self._api.list_labelled(EVENTS, namespace, "", f"regarding.uid={uid},{attempt}")
            if any(_last_seen(event) > _last_seen(latest) for event in attempts):
                return ""
        note = _GENERATED.sub(r'\1"', " ".join(latest.get("note", "").split()))
        return advise(f"{latest.get('reason', '')}: {note}"[:_WORDS_LIMIT])


def _last_seen(event: dict[str, Any]) -> str:
    series = event.get("series") or {}
    times = (event.get("deprecatedLastTimestamp"), event.get("eventTime"), series.get("lastObservedTime"))
    return max(time or "" for time in times)


def _derive_notice(event: dict[str, Any]) -> str:
    """Return what the runner says through its probe, empty where it says nothing.

    Other containers have probes too, and the kubelet has words of its own for a probe that takes too long.
    """
    by_kubelet = "kubelet" in (event.get("reportingController"), event.get("deprecatedSource", {}).get("component"))
    if not by_kubelet or event.get("regarding", {}).get("fieldPath") != _OUR_PROBE:
        return ""
    before, failed, said = event.get("note", "").partition(_PROBE_FAILED)
    words = " ".join(said.split())[:_WORDS_LIMIT]
    return words if failed and not before and words.startswith(tuple(NOTICES)) else ""


def _own_words(job: ObservedJob, pod: ObservedPod | None) -> str:
    if pod is None:
        return f"NoPod: the Job controller has made no pod for Job {job.name}, and no Event says why"
    return f"ContainerCreating: pod {pod.name} waits on its node for its volumes or its network, and no Event says why"
