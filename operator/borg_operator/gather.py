"""All that planning a schedule needs: from the store, and from the API server what cannot be watched cheaply."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from borg_cluster.api_server import ApiServer
from borg_core import labels
from borg_core.bundle import Bundle
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import OWN_ARCHIVE_NAMES, TITLE, BorgSchedule
from borg_core.kinds.script import BorgScript
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob, parse_cron_job
from borg_core.native.job import JOBS, ObservedJob, parse_job
from borg_core.native.pod import PODS, PodOutcome, derive_outcome, is_alive
from borg_core.reconcile.locks import derive_suspects, may_hold_locks
from borg_core.reconcile.runs import derive_entries
from borg_core.reconcile.world import World
from borg_core.settings import Settings
from borg_operator.store import Store


class Gatherer:
    """Reads only. Raises what ApiServer raises."""

    def __init__(self, store: Store, api: ApiServer, settings: Settings) -> None:
        self._store = store
        self._api = api
        self._settings = settings

    async def gather(self, namespace: str, name: str, now: datetime) -> World:
        """Return the world of one schedule, whether it exists or only runs that ask for it do."""
        store = self._store
        schedule = store.schedules.get(namespace, name)
        runs = tuple(store.runs.referring_to("BorgSchedule", namespace, name))
        jobs = await self._with_unwatched(runs, store.jobs.referring_to("BorgSchedule", namespace, name))
        world = World(
            namespace=namespace,
            name=name,
            settings=self._settings,
            bundle=self._bundle(schedule) if schedule else None,
            cron_job=await self._cron_job(namespace, name) if schedule else None,
            jobs=jobs,
            runs=runs,
            outcomes=await self._outcomes(runs, jobs),
        )
        return replace(world, dead_job_uids=await self._dead_job_uids(world, now))

    def _bundle(self, schedule: BorgSchedule) -> Bundle:
        namespace = schedule.metadata.namespace
        repositories: dict[str, BorgRepository] = {}
        for ref in schedule.spec.repository_refs:
            if repository := self._store.repositories.get(namespace, ref.name):
                repositories[ref.name] = repository
        bundle = Bundle(schedule, repositories)
        scripts: dict[str, BorgScript] = {}
        for hook in bundle.hooks:
            if script := self._store.scripts.get(namespace, hook.script_ref.name):
                scripts[hook.script_ref.name] = script
        volumes = [target.spec.local.volume for target in bundle.targets if target.spec.local]
        volumes += [target.spec.cache for target in bundle.targets if target.spec.cache]
        volumes += [source.volume for target in bundle.targets for source in bundle.sources_of(target)]
        named = {volume.claim_name for volume in volumes if volume.claim_name}
        claims = frozenset(claim for claim in named if self._store.claims.get(namespace, claim))
        return Bundle(schedule, repositories, scripts, claims, self._neighbours(schedule), self._namesakes(schedule))

    def _namesakes(self, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
        found = self._store.schedules.grouped(TITLE, schedule.metadata.namespace, schedule.title)
        return tuple(other for other in found if other.metadata.name != schedule.metadata.name)

    def _neighbours(self, schedule: BorgSchedule) -> tuple[BorgSchedule, ...]:
        """Return the schedules whose archives might look like this one's: none as a rule, however many there are."""
        namespace = schedule.metadata.namespace
        schedules = self._store.schedules
        found: dict[str, BorgSchedule] = {}
        for ref in schedule.spec.repository_refs:
            if schedule.names_archives_itself:
                others = schedules.referring_to("BorgRepository", namespace, ref.name)
            else:
                others = schedules.grouped(OWN_ARCHIVE_NAMES, namespace, ref.name)
            found |= {other.metadata.name: other for other in others}
        found.pop(schedule.metadata.name, None)
        return tuple(found.values())

    async def _cron_job(self, namespace: str, name: str) -> ObservedCronJob | None:
        """Return the CronJob of that name, also one that is not ours: only ours are watched."""
        if known := self._store.cron_jobs.get(namespace, name):
            return known
        body = await self._api.get(CRON_JOBS, namespace, name)
        return parse_cron_job(body) if body else None

    async def _with_unwatched(self, runs: Iterable[BorgRun], jobs: list[ObservedJob]) -> tuple[ObservedJob, ...]:
        """Add Jobs of unfinished runs that are not watched (any more): a label may have been removed by hand."""
        known = {job.name for job in jobs}
        for run in runs:
            if not run.finished and run.status.job_uid and run.metadata.name not in known:
                body = await self._api.get(JOBS, run.metadata.namespace, run.metadata.name)
                if body and body["metadata"]["uid"] == run.status.job_uid:
                    jobs.append(parse_job(body))
        return tuple(jobs)

    async def _outcomes(self, runs: Iterable[BorgRun], jobs: Iterable[ObservedJob]) -> dict[str, PodOutcome]:
        """Ask for the pods of Jobs that ended and are not recorded, and of those that should run and do not."""
        recorded = {run.metadata.name for run in runs if run.finished}
        outcomes: dict[str, PodOutcome] = {}
        for job in jobs:
            if job.name not in recorded and not job.ready:
                pods = await self._api.list_labelled(PODS, job.namespace, f"{labels.CONTROLLER_UID}={job.uid}")
                outcomes[job.name] = derive_outcome(pods)
        return outcomes

    async def _dead_job_uids(self, world: World, now: datetime) -> frozenset[str]:
        if world.bundle is None or not may_hold_locks(world.bundle):
            return frozenset()
        runs = {run.metadata.name: run for run in world.runs}
        suspects = derive_suspects(derive_entries(world, now), runs)
        dead: set[str] = set()
        for uid in set(suspects.values()):
            pods = await self._api.list_labelled(PODS, world.namespace, f"{labels.CONTROLLER_UID}={uid}")
            if not any(is_alive(pod) for pod in pods):
                dead.add(uid)
        return frozenset(dead)
