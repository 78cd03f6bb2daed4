"""The order of things in one run: secrets first, the pre-backup script, the repositories, the post-backup script.

A repository that fails never stops the next. The post-backup script runs in every case and is told the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from borg_contract.plan import HooksPlan, RepositoryPlan, RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Operation, Phase
from borg_runner.environment import make_base_environment
from borg_runner.fault import Fault, FaultError
from borg_runner.identity import Identity
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.places import Places
from borg_runner.run.hooks import HookRunner, make_post_facts, make_run_facts
from borg_runner.run.report import Report
from borg_runner.run.secrets import RepositorySecrets, read_repository_secrets, read_secret
from borg_runner.run.summary import add_post_fault, add_repository_warning, summarize
from borg_runner.run.worker import Worker
from borg_runner.scratch import scratch_folder
from borg_runner.streams.container import listening

_NO_HOOKS = HooksPlan()


def run_plan(
    plan: RunPlan,
    *,
    identity: Identity,
    places: Places,
    log: Log,
    interruption: Interruption,
    report: Report,
    path: str = "",
) -> RunResult:
    """Do all that the plan asks in this pod; return the result, whatever it is.

    `report` is told after each repository. `path` is the PATH of borg and scripts. Raises OSError when the pod has no
    writable scratch folder.
    """
    log.say(describe_plan(plan))
    with scratch_folder(places.scratch) as scratch, listening(plan.streams, places.streams, log) as containers:
        environment = make_base_environment(path=path, home=str(scratch))
        run = Run(
            plan=plan,
            hooks=HookRunner(
                namespace=plan.namespace,
                environment={**environment, **make_run_facts(plan, run_name=identity.job_name)},
                scratch=scratch,
                log=log,
                interruption=interruption,
            ),
            worker=Worker(
                plan=plan,
                identity=identity,
                places=places,
                environment=environment,
                scratch=scratch,
                log=log,
                interruption=interruption,
                tell_part=report.keep_part,
                containers=containers,
            ),
            report=report,
            log=log,
            interruption=interruption,
        )
        result = run.perform()
    log.say(f"{result.phase}{': ' if result.message else ''}{result.message}")
    return result


def describe_plan(plan: RunPlan) -> str:
    """Return, for people, what the run does and of what."""
    names = ", ".join(repository.name for repository in plan.repositories)
    if plan.schedule:
        return f"{plan.operation} of schedule {plan.namespace}/{plan.schedule}: {names}"
    return f"{plan.operation} in namespace {plan.namespace}, without a schedule: {names}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of `plan`."""

    plan: RunPlan
    hooks: HookRunner
    worker: Worker
    report: Report
    log: Log
    interruption: Interruption

    def perform(self) -> RunResult:
        """Run scripts and repositories in their order; return the result."""
        hooks = self._hooks_of(self.plan.hooks)
        secrets = {repository.name: self._read_secrets(repository) for repository in self.plan.repositories}
        pre_fault = None
        if hooks.pre_backup is not None and not all(isinstance(found, Fault) for found in secrets.values()):
            pre_fault = self.hooks.run(hooks.pre_backup, "pre-backup", {"BORG_RUN_PHASE": Phase.RUNNING.value})
        names = [repository.name for repository in self.plan.repositories]
        results: list[RepositoryResult] = []
        for repository in self.plan.repositories:
            tell = self._keeper(results, repository, names)
            results = tell(self._run_repository(repository, secrets, pre_fault, tell))
        result = summarize(results, pre_fault)
        if hooks.post_backup is not None:
            facts = make_post_facts(result)
            post_fault = self.hooks.run(hooks.post_backup, "post-backup", facts, until_killed=True)
            result = add_post_fault(result, post_fault)
        return result

    def _keeper(
        self, done: Sequence[RepositoryResult], repository: RepositoryPlan, names: Sequence[str]
    ) -> Callable[[RepositoryResult], list[RepositoryResult]]:
        """Return what adds a result of `repository` to those of before, writes them all, and returns them."""

        def keep(told: RepositoryResult) -> list[RepositoryResult]:
            results = [*done, replace(told, place=repository.place or None)]
            self.report.keep(results, names)
            return results

        return keep

    def _hooks_of(self, hooks: HooksPlan | None) -> HooksPlan:
        """Return the scripts to run, which belong to backups only."""
        return hooks if hooks is not None and self.plan.operation is Operation.BACKUP else _NO_HOOKS

    def _read_secrets(self, repository: RepositoryPlan) -> RepositorySecrets | Fault:
        needs_passphrase = self.plan.operation is not Operation.BREAK_LOCK
        try:
            for stream in self.plan.streams_of(repository):
                for secret in stream.secrets.values():
                    read_secret(secret, self.plan.namespace, self.log)
            return read_repository_secrets(repository, self.plan.namespace, self.log, passphrase=needs_passphrase)
        except FaultError as error:
            return error.fault

    def _run_repository(
        self,
        repository: RepositoryPlan,
        secrets: Mapping[str, RepositorySecrets | Fault],
        pre_fault: Fault | None,
        tell: Callable[[RepositoryResult], object],
    ) -> RepositoryResult:
        self.log.say(f'repository "{repository.name}" at {repository.location}')
        found = secrets[repository.name]
        if isinstance(found, Fault):
            return self._leave_out(repository, Phase.FAILED, found)
        if self.interruption.requested:
            fault = Fault(Reason.INTERRUPTED, "The pod was stopped before its turn.")
            return self._leave_out(repository, Phase.SKIPPED, fault)
        if pre_fault is not None:
            fault = Fault(Reason.HOOK_FAILED, "Not backed up: the pre-backup script failed.")
            return self._leave_out(repository, Phase.SKIPPED, fault)
        return self._run_between_own_scripts(repository, found, tell)

    def _leave_out(self, repository: RepositoryPlan, phase: Phase, fault: Fault) -> RepositoryResult:
        """Return the result of a repository that cannot or shall not be worked on."""
        self.log.say(f"{phase.lower()}: {fault.text}")
        return RepositoryResult(repository.name, phase, reason=fault.reason.value, error=fault.text)

    def _run_between_own_scripts(
        self, repository: RepositoryPlan, secrets: RepositorySecrets, tell: Callable[[RepositoryResult], object]
    ) -> RepositoryResult:
        hooks = self._hooks_of(repository.hooks)
        facts = {"BORG_REPOSITORY": repository.name, "BORG_RUN_PHASE": Phase.RUNNING.value}
        fault = None
        if hooks.pre_backup is not None:
            fault = self.hooks.run(hooks.pre_backup, "pre-backup", facts)
        if fault is not None:
            text = f"Not backed up: {fault.text}"
            result = RepositoryResult(repository.name, Phase.FAILED, reason=fault.reason.value, error=text)
        else:
            result = self.worker.work_on(repository, secrets, tell)
        if hooks.post_backup is not None:
            facts |= make_post_facts(RunResult(result.phase, (result,), message=result.error or ""))
            post_fault = self.hooks.run(hooks.post_backup, "post-backup", facts, until_killed=True)
            result = add_repository_warning(result, post_fault)
        return result
