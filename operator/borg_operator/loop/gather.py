"""Reads what planning needs to know: from the store, and from the API server where the store may be behind.

That is asked where something missing would be taken for something gone.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import groupby
from types import MappingProxyType

from borg_cluster.client import ApiServer
from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.session import SESSIONS
from borg_core.native.claim import CLAIMS, IN_NAMESPACE
from borg_core.native.claim_user import ClaimUser, ScalableWorkload
from borg_core.native.copy import ObservedSnapshot
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob
from borg_core.native.job import JOBS, ObservedJob, parse_job
from borg_core.native.pod import PODS, ObservedPod, newest, parse_pod
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Reference
from borg_core.runs.world import Doubt, Refusal, World
from borg_core.settings import Settings
from borg_operator.loop.asked.copies import Snapshots
from borg_operator.loop.asked.users import fetch_scaled, fetch_users
from borg_operator.loop.asked.words import Words
from borg_operator.store import Store


class Gatherer:
    """Writes nothing to the cluster. Of the store it lets go deleted pods of which nothing is left to be told."""

    def __init__(
        self,
        store: Store,
        api: ApiServer,
        settings: Settings,
        doubts: Mapping[str, Doubt] = MappingProxyType({}),
        *,
        read_keys: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        """`doubts`: see World; whoever looks at holders of locks adds to them. `read_keys` returns World's `keys`."""
        self._store = store
        self._api = api
        self._settings = settings
        self._doubts = doubts
        self._read_keys = read_keys
        self._snapshots = Snapshots(api)
        self._words = Words(api, store)
        self._refused: dict[Reference, dict[str, datetime]] = {}

    async def gather(self, subject: Reference, refusals: Mapping[Reference, Refusal], now: datetime) -> World:
        """Return what is observed of a subject, which need not exist. Raises ApiError."""
        store = self._store
        runs = tuple(run for run in store.referring_to(RUNS, subject) if run.subject == subject)
        jobs = await self._with_unwatched(runs, store.referring_to(JOBS, subject))
        pods = store.index(PODS).referring_to(*subject, deleted=True)
        by_job = _by_job(pods)
        recorded = frozenset(run.status.job_uid for run in runs if run.finished and run.status.job_uid)
        self._release(pods, runs, jobs, recorded)
        by_job |= await self._fetch_unseen_pods(jobs, by_job, recorded)
        reconciler = find_reconcilers()[subject.kind]
        cron_job = self._cron_job(subject, reconciler.cron_job_name)
        drill_cron_job = self._cron_job(subject, reconciler.drill_cron_job_name)
        may_work = {job.uid for job in jobs if not job.suspended}
        snapshots = await self._snapshots.fetch(subject, jobs)
        return World(
            subject=subject,
            settings=self._settings,
            unreadable=store.index(reconciler.kind).unreadable(subject.namespace, subject.name) or "",
            runs=runs,
            unreadable_runs=frozenset(
                job.run_uid for job in jobs if job.run_uid and store.index(RUNS).is_unreadable(job.run_uid)
            ),
            jobs=jobs,
            pods=by_job,
            lingering=tuple(
                pod for pod in store.referring_to(PODS, subject) if not pod.finished and pod.job_uid not in may_work
            ),
            cron_job=cron_job,
            drill_cron_job=drill_cron_job,
            words=await self._words.fetch(jobs, by_job, recorded, filter(None, (cron_job, drill_cron_job)), now),
            refusals=refusals,
            doubts=dict(self._doubts),
            snapshots=snapshots or (),
            copying=self._find_copied(subject.namespace, snapshots or ()),
            refused=self._note_refused(subject, runs, now),
            copied=self._find_made(by_job.values()),
            sizes=self._find_sizes(jobs),
            serves_snapshots=snapshots is not None,
            leaving=self._find_leaving(jobs),
            users=await self._fetch_users(subject),
            scaled=await self._fetch_scaled(subject),
            keys=self._read_keys() if self._read_keys and subject.kind == SESSIONS.kind else None,
        )

    def _cron_job(self, subject: Reference, derive_name: Callable[[str], str] | None) -> ObservedCronJob | None:
        return self._store.get(CRON_JOBS, subject.namespace, derive_name(subject.name)) if derive_name else None

    def _find_leaving(self, jobs: Iterable[ObservedJob]) -> frozenset[str]:
        """Return the claims that are being deleted and that the pods of finished Jobs may keep."""
        used = {(job.namespace, name) for job in jobs if job.finished for name in job.claims}
        found = (self._store.get(CLAIMS, *key) for key in sorted(used))
        return frozenset(claim.name for claim in found if claim and claim.deleting)

    def _find_copied(self, namespace: str, snapshots: Iterable[ObservedSnapshot]) -> frozenset[str]:
        if not any(snapshot.deleting for snapshot in snapshots):
            return frozenset()
        claims = self._store.grouped(CLAIMS, IN_NAMESPACE, namespace, "")
        return frozenset(claim.snapshot for claim in claims if claim.snapshot and not claim.volume)

    def _note_refused(self, subject: Reference, runs: Iterable[BorgRun], now: datetime) -> Mapping[str, datetime]:
        """Return since when runs say that their copy is refused: their statuses do not tell."""
        before = self._refused.pop(subject, {})
        saying = [run for run in runs if not run.finished and run.status.reason == Reason.COPY_FAILED.value]
        found = {run.metadata.uid: before.get(run.metadata.uid, now) for run in saying}
        if found:
            self._refused[subject] = found
        return found

    def _find_made(self, pods: Iterable[ObservedPod]) -> frozenset[str]:
        read = ((pod, copy.name_claim(pod.name)) for pod in pods for copy in pod.copies if copy.snapshot)
        found = ((pod.uid, self._store.get(CLAIMS, pod.namespace, name)) for pod, name in read)
        return frozenset(uid for uid, claim in found if claim and claim.volume)

    def _find_sizes(self, jobs: Iterable[ObservedJob]) -> dict[str, str]:
        read = {(job.namespace, copy.claim) for job in jobs for copy in job.copies if copy.snapshot}
        found = (self._store.get(CLAIMS, *key) for key in sorted(read))
        return {claim.name: claim.size for claim in found if claim}

    async def _fetch_users(self, subject: Reference) -> tuple[ClaimUser, ...] | None:
        find_claim = find_reconcilers()[subject.kind].claim
        claim = find_claim(self._store, subject) if find_claim else None
        return await fetch_users(self._api, subject.namespace, claim) if claim else None

    async def _fetch_scaled(self, subject: Reference) -> tuple[ScalableWorkload, ...]:
        restore = self._store.get(RESTORES, subject.namespace, subject.name) if subject.kind == RESTORES.kind else None
        return await fetch_scaled(self._api, subject.namespace, restore.status.scaled) if restore else ()

    async def _with_unwatched(self, runs: Iterable[BorgRun], jobs: list[ObservedJob]) -> tuple[ObservedJob, ...]:
        """Add Jobs of unfinished runs that are not watched (any more): a label may have been removed by hand."""
        known = {job.uid for job in jobs}
        for run in runs:
            uid = run.status.job_uid
            if uid and not run.finished and uid not in known:
                found = self._store.index(JOBS).get_by_uid(uid)
                name = found.name if found else run.metadata.name
                body = await self._api.get(JOBS, run.metadata.namespace, name)
                if body and body["metadata"]["uid"] == uid:
                    jobs.append(parse_job(body))
        return tuple(jobs)

    async def _fetch_unseen_pods(
        self, jobs: Iterable[ObservedJob], known: Mapping[str, ObservedPod], recorded: frozenset[str]
    ) -> dict[str, ObservedPod]:
        """Fetch the pods of finished Jobs without an ended pod in the store: the watch of pods may lag behind."""
        found: dict[str, ObservedPod] = {}
        for job in jobs:
            pod = known.get(job.uid)
            if job.finished and job.uid not in recorded and not (pod and pod.ending):
                selector = f"{labels.CONTROLLER_UID}={job.uid}"
                bodies = await self._api.list_labelled(PODS, job.namespace, selector)
                if latest := newest(parse_pod(body) for body in bodies):
                    found[job.uid] = latest
        return found

    def _release(
        self,
        pods: Iterable[ObservedPod],
        runs: Iterable[BorgRun],
        jobs: Iterable[ObservedJob],
        recorded: frozenset[str],
    ) -> None:
        """Forget deleted pods that are no longer needed: their run is recorded, or is gone as well."""
        awaited = {run.status.job_uid for run in runs if not run.finished} | {job.uid for job in jobs}
        index = self._store.index(PODS)
        for pod in pods:
            told = pod.job_uid in recorded or pod.job_uid not in awaited
            if told and index.get_by_uid(pod.uid) is None:
                index.release(pod.uid)


def _by_job(pods: Iterable[ObservedPod]) -> dict[str, ObservedPod]:
    """Return the newest pod of each Job."""
    ordered = sorted(pods, key=lambda pod: pod.job_uid)
    grouped = ((uid, newest(group)) for uid, group in groupby(ordered, key=lambda pod: pod.job_uid))
    return {uid: pod for uid, pod in grouped if pod}
