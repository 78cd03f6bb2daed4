"""The order of things in one run: secrets first, the pre-backup script, the repositories, the post-backup script.

A repository that fails never stops the next. The post-backup script runs in every case and is told the result.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from borg_contract.lock_holder import lock_holder
from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.plan import HookPlan, RepositoryPlan, RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult, RunResult
from borg_runner.borg import Borg
from borg_runner.environment import make_base_environment, make_borg_environment
from borg_runner.hooks import HookRunner
from borg_runner.interruption import Interruption
from borg_runner.lock_wait import LockWait
from borg_runner.log import Log
from borg_runner.places import Places
from borg_runner.reasons import Fault
from borg_runner.repository import work_on_repository
from borg_runner.secret_file import find_secret_fault, read_passphrase
from borg_runner.ssh import make_rsh, make_user_environment, write_private_key
from borg_runner.ssh_probe import make_probe_arguments
from borg_runner.work import Work


@dataclass(frozen=True)
class Identity:
    """Whose pod this is; empty values outside of a cluster."""

    job_name: str = ""
    job_uid: str = ""


@dataclass(frozen=True)
class Runner:
    """One run of `plan`."""

    plan: RunPlan
    identity: Identity
    places: Places
    log: Log
    interruption: Interruption
    path: str = ""

    def run(self) -> RunResult:
        """Do all that the plan asks; return the result, whatever it is."""
        self.log.say(
            f"{self.plan.operation} of schedule {self.plan.namespace}/{self.plan.schedule}: "
            f"{', '.join(repository.name for repository in self.plan.repositories)}"
        )
        self.places.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.places.scratch) as scratch:
            base = make_base_environment(path=self.path, home=scratch)
            hooks = HookRunner(
                self.plan.namespace, {**base, **self._facts()}, Path(scratch), self.log, self.interruption
            )
            result = self._run_all(hooks, base, Path(scratch))
        self.log.say(f"{result.phase}{': ' if result.message else ''}{result.message}")
        return result

    def _run_all(self, hooks: HookRunner, base: Mapping[str, str], scratch: Path) -> RunResult:
        faults = self._find_secret_faults()
        pre_fault = None
        if (pre := self._hook("pre_backup")) is not None and len(faults) < len(self.plan.repositories):
            pre_fault = hooks.run(pre, "pre-backup", {"BORG_RUN_PHASE": Phase.RUNNING.value})
        results = []
        for repository in self.plan.repositories:
            self.log.say(f'repository "{repository.name}" at {repository.location}')
            skipped = self._skip(repository, faults.get(repository.name), pre_fault)
            results.append(skipped or self._run_repository(repository, hooks, base, scratch))
        result = summarize(results, pre_fault)
        if (post := self._hook("post_backup")) is not None:
            facts = make_post_facts(result)
            post_fault = hooks.run(post, "post-backup", facts, until_killed=True)
            result = add_post_fault(result, post_fault)
        return result

    def _hook(self, when: str) -> HookPlan | None:
        """Return the schedule's script, which belongs to backups only."""
        if self.plan.operation is not Operation.BACKUP or self.plan.hooks is None:
            return None
        hook: HookPlan | None = getattr(self.plan.hooks, when)
        return hook

    def _find_secret_faults(self) -> dict[str, Fault]:
        needs_passphrase = self.plan.operation is not Operation.BREAK_LOCK
        found = {
            repository.name: find_secret_fault(repository, self.plan.namespace, self.log, passphrase=needs_passphrase)
            for repository in self.plan.repositories
        }
        return {name: fault for name, fault in found.items() if fault is not None}

    def _skip(
        self, repository: RepositoryPlan, secret_fault: Fault | None, pre_fault: Fault | None
    ) -> RepositoryResult | None:
        """Return the result of a repository that cannot or shall not be worked on, None for all others."""
        if secret_fault is not None:
            phase, fault = Phase.FAILED, secret_fault
        elif self.interruption.requested:
            phase, fault = Phase.SKIPPED, Fault(Reason.INTERRUPTED, "The pod was stopped before its turn.")
        elif pre_fault is not None:
            phase, fault = Phase.SKIPPED, Fault(Reason.HOOK_FAILED, "Not backed up: the pre-backup script failed.")
        else:
            return None
        self.log.say(f"{phase.lower()}: {fault.text}")
        return RepositoryResult(repository.name, phase, reason=fault.reason.value, error=fault.text)

    def _run_repository(
        self, repository: RepositoryPlan, hooks: HookRunner, base: Mapping[str, str], scratch: Path
    ) -> RepositoryResult:
        pair = repository.hooks if self.plan.operation is Operation.BACKUP else None
        facts = {"BORG_REPOSITORY": repository.name, "BORG_RUN_PHASE": Phase.RUNNING.value}
        fault = None
        if pair is not None and pair.pre_backup is not None:
            fault = hooks.run(pair.pre_backup, "pre-backup", facts)
        if fault is not None:
            text = f"Not backed up: {fault.text}"
            result = RepositoryResult(repository.name, Phase.FAILED, reason=fault.reason.value, error=text)
        else:
            result = self._try_repository(repository, base, scratch)
        if pair is not None and pair.post_backup is not None:
            facts |= make_post_facts(RunResult(result.phase, (result,), message=result.error or ""))
            post_fault = hooks.run(pair.post_backup, "post-backup", facts, until_killed=True)
            result = _add_warning(result, post_fault)
        return result

    def _try_repository(self, repository: RepositoryPlan, base: Mapping[str, str], scratch: Path) -> RepositoryResult:
        """Return the repository's result, even of a fault of ours: the next repository and the scripts come after."""
        try:
            return work_on_repository(self._make_work(repository, base, scratch))
        except Exception as error:  # noqa: BLE001
            text = self.log.conceal(f"The runner failed: {error!r}. Look at the volumes of the pod and their owners.")
            self.log.say(f"error: {text}")
            return RepositoryResult(repository.name, Phase.FAILED, reason=Reason.INTERNAL_ERROR.value, error=text)

    def _make_work(self, repository: RepositoryPlan, base: Mapping[str, str], scratch: Path) -> Work:
        base_dir = self.places.cache / repository.name
        base_dir.mkdir(parents=True, exist_ok=True)
        rsh: str | None = None
        probe: tuple[str, ...] = ()
        user: dict[str, str] = {}
        if repository.ssh is not None:
            key = scratch / f"{repository.name}.key"
            write_private_key(Path(repository.ssh.private_key.path).read_bytes(), key)
            rsh = make_rsh(key_path=str(key), known_hosts_path=repository.ssh.known_hosts.path)
            probe = make_probe_arguments(repository, rsh)
            user = make_user_environment(scratch)
        own = make_borg_environment(
            repository, base_dir=str(base_dir), schedule=self.plan.schedule, host_id=self._host_id(), rsh=rsh
        )
        passphrase = None
        if repository.passphrase is not None and self.plan.operation is not Operation.BREAK_LOCK:
            passphrase = read_passphrase(repository.passphrase, self.plan.namespace, self.log)
        return Work(
            self.plan,
            repository,
            Borg({**base, **own, **user}, passphrase, self.log, self.interruption, probe),
            LockWait(repository.location, base_dir, self.plan.lock_wait_seconds, self._dead_job_uids(), self.log),
            self.log,
            self.places.sources,
            self.identity.job_name,
        )

    def _host_id(self) -> str | None:
        if not self.identity.job_uid:
            return None
        return lock_holder(self.plan.namespace, self.identity.job_name, self.identity.job_uid)

    def _dead_job_uids(self) -> frozenset[str]:
        """Jobs whose locks may go: those proven dead, and our own Job, for its earlier pod ended before this one began.

        A BreakLock that a person asked for breaks everything in its own step; it needs no proof.
        """
        own = {self.identity.job_uid} if self.identity.job_uid else set()
        return frozenset({*self.plan.dead_job_uids, *own})

    def _facts(self) -> dict[str, str]:
        return {
            "BORG_NAMESPACE": self.plan.namespace,
            "BORG_SCHEDULE": self.plan.schedule,
            "BORG_RUN_NAME": self.identity.job_name,
            "BORG_OPERATION": self.plan.operation.value,
        }


def summarize(results: Sequence[RepositoryResult], pre_fault: Fault | None) -> RunResult:
    """Return the run's result: Failed when any repository failed or was skipped."""
    repositories = tuple(results)
    if pre_fault is not None:
        return RunResult(Phase.FAILED, repositories, pre_fault.reason.value, f"Nothing was backed up. {pre_fault.text}")
    bad = [result for result in results if result.phase in (Phase.FAILED, Phase.SKIPPED)]
    if bad:
        names = ", ".join(f"{result.name} ({result.reason})" for result in bad)
        reasons = {result.reason for result in bad}
        reason = Reason.INTERRUPTED.value if Reason.INTERRUPTED.value in reasons else Reason.REPOSITORIES_FAILED.value
        message = f"{len(bad)} of {len(results)} repositories failed or were skipped: {names}."
        return RunResult(Phase.FAILED, repositories, reason, message)
    warned = [result for result in results if result.phase is Phase.COMPLETED_WITH_WARNINGS]
    if warned:
        names = ", ".join(f"{result.name} ({result.warning_count})" for result in warned)
        return RunResult(Phase.COMPLETED_WITH_WARNINGS, repositories, Reason.WARNINGS.value, f"Warnings in {names}.")
    return RunResult(Phase.COMPLETED, repositories)


def add_post_fault(result: RunResult, fault: Fault | None) -> RunResult:
    """Return `result` with a failed post-backup script: a warning, for the archives are good, and never hidden."""
    if fault is None:
        return result
    phase = Phase.COMPLETED_WITH_WARNINGS if result.phase is Phase.COMPLETED else result.phase
    return replace(
        result,
        phase=phase,
        reason=result.reason or fault.reason.value,
        message=f"{result.message} {fault.text}".strip(),
    )


def make_post_facts(result: RunResult) -> dict[str, str]:
    """Return what a post-backup script is told, see borg_runner.hooks."""
    return {
        "BORG_RUN_PHASE": result.phase.value,
        "BORG_RUN_MESSAGE": result.message,
        "BORG_ARCHIVES": "\n".join(f"{item.name} {item.archive}" for item in result.repositories if item.archive),
        "BORG_FAILED_REPOSITORIES": " ".join(
            item.name for item in result.repositories if item.phase in (Phase.FAILED, Phase.SKIPPED)
        ),
    }


def _add_warning(result: RepositoryResult, fault: Fault | None) -> RepositoryResult:
    if fault is None:
        return result
    phase = Phase.COMPLETED_WITH_WARNINGS if result.phase is Phase.COMPLETED else result.phase
    return replace(result, phase=phase, warnings=(fault.text, *result.warnings), warning_count=result.warning_count + 1)


def find_identity() -> Identity:
    """Return the identity that the pod's environment gives."""
    return Identity(os.environ.get("BORG_JOB_NAME", ""), os.environ.get("BORG_JOB_UID", ""))
