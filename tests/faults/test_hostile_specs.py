"""Hostile specs against the real API server: refused there in words, or good all the way down to the runner.

Whatever admission lets in is read by our models and planned; the CronJob or Job that comes of it is taken by the API
server, and its plan says in the runner what the resource said. Everything is a dry run.
"""

import asyncio
import copy
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_contract.archive_name import find_template_problems
from borg_contract.codec import decode_plan
from borg_contract.plan import RunPlan
from borg_contract.pod import PLAN_ENV
from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_core.actions import CreateCronJob, CreateJob, PatchStatus, Plan
from borg_core.clock import CronError, CronSchedule
from borg_core.clock.hashed import resolve
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS
from borg_core.native.claim import ObservedClaim
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.job import JOBS
from borg_core.quantity import parse_quantity
from borg_core.reconcile.repository import plan_repository
from borg_core.reconcile.schedule import plan_schedule
from borg_core.registry import Reference, find_kind
from borg_core.repositories.surroundings import Surroundings
from borg_core.runs.world import Refusal, World
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.mounts import derive_claims
from borg_core.workload.workload import Target, Workload
from faults.dry_run import CONNECTIONS, KEEPER, DryRun, dry_runs
from faults.hostile import as_kept
from faults.specs import Case, make_cases
from faults.valid import NAMES, VALID
from support.builders import observed
from support.control_plane import ControlPlane

Look = Callable[[World, datetime], Plan]
"""What the operator would do in that world, at that time."""

NAMESPACE = "default"
SETTINGS = Settings("runner:1", allow_host_path=True, allowed_images=("**",), cluster="here")
SHORT, LONG = 600, 10_000
DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
OF_KUBERNETES_ALONE = re.compile(r"\.affinity\b|resources\.(limits|requests)(\[|: Required)")
"""What admission leaves to the API server: the inside of affinity, how much of devices and huge pages there may be."""


@dataclass
class Judge:
    """`verdicts`: how many cases ended how. `wrong`: what must not be, for people."""

    api: DryRun
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By kind: a valid object as the API server keeps it."""
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def prepare(self) -> None:
        for name, specs in VALID.items():
            kind, manifest = find_kind(name), {"apiVersion": "borgoperator.io/v1alpha1", "kind": name, "spec": specs[0]}
            status, self.bodies[name] = await self.api.create(kind, {**manifest, "metadata": {"name": NAMES[name]}})
            assert status == 201, self.bodies[name]
            await self.api.keep(kind, {**manifest, "metadata": {"name": KEEPER}})

    async def judge(self, case: Case) -> None:
        """Note what becomes of the case."""
        status, answer = await self.api.create(find_kind(case.kind), case.manifest)
        if status == 201:
            try:
                verdict = await self._follow(case, answer)
            except Exception as error:  # noqa: BLE001 - each is a fault, and the others are to be seen as well
                verdict = type(error).__name__
                self.wrong.append(f"{case.what}: let in, and then {verdict}: {error}")
        else:
            verdict, message = "refused", answer.get("message", "")
            if status not in (400, 422) or len(message) < 10:
                self.wrong.append(f"{case.what}: refused with {status} {message:.500}")
            if who := find_over_refusal(case):
                self.wrong.append(f"{case.what}: refused, though {who}: {message:.500}")
        self.verdicts[verdict] += 1

    async def _follow(self, case: Case, body: dict[str, Any]) -> str:
        """Return what became of a resource that was let in, among others that are as they should be."""
        bodies = {**copy.deepcopy(self.bodies), case.kind: body}
        spec, name = bodies["BorgSchedule"]["spec"], body["metadata"]["name"]
        if case.kind == "BorgRepository":
            spec["repositoryRefs"] = [{"name": name}]
            del spec["sources"]
        if case.kind == "BorgScript":
            spec["hooks"]["preBackup"]["scriptRef"]["name"] = name
        scripts = [SCRIPTS.parse(found["BorgScript"]) for found in (self.bodies, bodies)]
        repository = REPOSITORIES.parse(bodies["BorgRepository"])
        plain = Bundle(
            SCHEDULES.parse(bodies["BorgSchedule"]),
            {repository.metadata.name: repository},
            {script.metadata.name: script for script in scripts},
        )
        bundle = replace(plain, claims=claims_of(plain.workload()))
        on_repository = Reference(REPOSITORIES.kind, NAMESPACE, repository.metadata.name)
        around = Surroundings(claims=claims_of(Workload(NAMESPACE, Operation.CHECK, (Target(repository),))))

        def look(world: World, now: datetime) -> Plan:
            if world.subject.kind == SCHEDULES.kind:
                return plan_schedule(world, bundle if world.subject == bundle.owner.reference else None, now)
            return plan_repository(world, repository if world.subject == on_repository else None, around, now)

        if case.kind == "BorgRun":
            return await self._follow_run(case, RUNS.parse(body), look)
        verdict = await self._carry_out(case, World(bundle.owner.reference, SETTINGS), look, self.now)
        if case.kind == "BorgRepository":
            checks = await self._carry_out(case, World(on_repository, SETTINGS), look, self.now)
            verdict = f"{verdict}, checks: {checks}"
        return verdict

    async def _follow_run(self, case: Case, run: BorgRun, look: Look) -> str:
        """Return what becomes of a run, a minute after the CronJob of its schedule or repository was made."""
        world = World(run.subject, SETTINGS)
        made = [action.manifest for action in look(world, self.now).actions if isinstance(action, CreateCronJob)]
        world = replace(world, runs=(run,), cron_job=observed(made[0]) if made else None)
        return await self._carry_out(case, world, look, self.now + timedelta(minutes=1))

    async def _carry_out(self, case: Case, world: World, look: Look, now: datetime) -> str:
        """Return of which kind an object comes of it, or the reason for which none does."""
        plan, verdict = look(world, now), "nothing"
        for action in plan.actions:
            if isinstance(action, CreateCronJob | CreateJob):
                kind = CRON_JOBS if isinstance(action, CreateCronJob) else JOBS
                status, made = await self.api.create(kind, action.manifest)
                verdict = kind.kind
                if status == 201:
                    self._compare(case, plan_of(action.manifest), plan_of(made))
                else:
                    verdict = Reason.REFUSED_BY_API_SERVER.value
                    self._look_at_refusal(case, world, look, action.manifest["metadata"]["name"], made["message"])
        for action in plan.actions:
            if isinstance(action, PatchStatus):
                status, made = await self.api.patch_status(find_kind(action.target.kind), action.status)
                if status != 200:
                    self.wrong.append(f"{case.what}: its status is refused: {made['message']:.500}")
                verdict = self._reason_in(case, action.status) or verdict
        return verdict

    def _look_at_refusal(self, case: Case, world: World, look: Look, name: str, message: str) -> None:
        """Note that no CronJob comes of what was let in, unless that cannot be helped and is told."""
        refused = replace(world, refusals={Reference(CRON_JOBS.kind, NAMESPACE, name): Refusal(message)})
        told = [action.status for action in look(refused, self.now).actions if isinstance(action, PatchStatus)]
        is_told = any(message in condition["message"] for status in told for condition in status["conditions"])
        if not OF_KUBERNETES_ALONE.search(message) or not is_told:
            self.wrong.append(f"{case.what}: let in, but no CronJob comes of it: {message:.500}")

    def _reason_in(self, case: Case, status: dict[str, Any]) -> str:
        """Return the reason for which it is not Ready, empty when it is, after a look at what is said."""
        for condition in status.get("conditions") or ():
            if condition["status"] == "False" and condition["type"] in ("Ready", "ChecksScheduled"):
                if condition["reason"] not in {reason.value for reason in Reason} or len(condition["message"]) < 10:
                    self.wrong.append(f"{case.what}: {condition}")
                return str(condition["reason"])
        return ""

    def _compare(self, case: Case, sent: RunPlan, kept: RunPlan) -> None:
        """Note where the runner would read something else than was written."""
        if sent != kept:
            self.wrong.append(f"{case.what}: the plan is another one at the API server")
        spec = case.manifest["spec"]
        said: dict[str, Any] = {}
        for repository in kept.repositories if case.kind == "BorgRepository" else ():
            said = {"exclude": list(repository.exclude)} if kept.operation is Operation.BACKUP else {}
            said |= {"compression": repository.compression}
            said |= {"minFiles": repository.min_files, "uploadRateLimitKiB": repository.upload_rate_limit_kib}
        if case.kind == "BorgSchedule" and kept.operation is Operation.BACKUP:
            said = {"archiveNameTemplate": kept.archive_name_template}
            if find_template_problems(kept.archive_name_template, prune=kept.prune is not None):
                self.wrong.append(f"{case.what}: the runner would refuse its names")
        if case.kind == "BorgScript" and kept.hooks and kept.hooks.pre_backup:
            said = {"content": kept.hooks.pre_backup.content, "timeoutSeconds": kept.hooks.pre_backup.timeout_seconds}
        for key, value in said.items():
            written = spec.get(key)
            if written not in (None, value) and as_kept(written) != value:
                self.wrong.append(f"{case.what}: {key} became {value!r:.300}")


def find_over_refusal(case: Case) -> str:
    """Return who would have taken what was refused, where one text alone was bent; empty for nobody."""
    (path, *others), text = case.bent, as_kept(case.value)
    if others or not isinstance(text, str) or not text:
        return ""
    takers: dict[str, tuple[int, bool, str]] = {
        "schedule": (512, is_a_time(text, "UTC"), "a CronJob takes such times"),
        "timeZone": (64, is_a_time("0 2 * * *", text), "a CronJob knows that zone"),
        "archiveNameTemplate": (200, not find_template_problems(text, prune=True), "the runner takes such names"),
    }
    limit, is_taken, who = takers.get(str(path[-1]), (0, False, ""))
    if path[-2] in ("limits", "requests"):
        resources = case.manifest["spec"]["job"]["resources"]
        request, limit_ = (parse_quantity(resources[name][path[-1]]) for name in ("requests", "limits"))
        is_taken = request is not None and limit_ is not None and 0 <= request <= limit_
        limit, who = 64, "it is a quantity"
    return who if is_taken and len(text) <= limit else ""


def plan_of(body: dict[str, Any]) -> RunPlan:
    spec = body["spec"]
    pod = (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]
    (value,) = (item["value"] for item in pod["containers"][0]["env"] if item["name"] == PLAN_ENV)
    return decode_plan(value)


def claims_of(workload: Workload) -> dict[str, ObservedClaim]:
    """Return the claims that it names and that can exist, each with a volume of a driver."""
    written, read = derive_claims(workload)
    names = [name for name in (*written, *read) if DNS_NAME.fullmatch(name) and len(name) <= 253]
    return {
        name: ObservedClaim(NAMESPACE, name, f"uid-{name}", "", {}, size="1Gi", driver="csi.test") for name in names
    }


def is_a_time(expression: str, zone: str) -> bool:
    try:
        CronSchedule.parse(resolve(expression, NAMESPACE, "db"), zone)
    except CronError:
        return False
    return True


def judge_all(plane: ControlPlane, count: int) -> Judge:
    async def work() -> Judge:
        async with dry_runs(plane, NAMESPACE) as api:
            judge = Judge(api)
            await judge.prepare()
            cases = make_cases(count)

            async def take() -> None:
                for case in cases:
                    await judge.judge(case)

            await asyncio.gather(*(take() for _ in range(CONNECTIONS)))
            return judge

    return asyncio.run(work())


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
def test_what_is_let_in_becomes_what_it_says_and_the_rest_is_refused_in_words(plane: ControlPlane, count: int) -> None:
    judge = judge_all(plane, count)
    assert judge.wrong == []
    assert judge.verdicts.total() == count
    least = {"refused": 0.3, "CronJob": 0.1, "CronJob, checks: CronJob": 0.05, "Job": 0.005, "InvalidParameters": 0.005}
    assert [verdict for verdict, part in least.items() if judge.verdicts[verdict] < part * count] == []
