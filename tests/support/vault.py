"""A borg repository as far as its archives matter, and a cluster whose pods work on it: the runner's own listing."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, cast

from borg_cluster.client import Object
from borg_contract.archives.ids import digest_newest
from borg_contract.codec import decode_plan
from borg_contract.ownership import ArchiveContent, ArchiveOwner, render_comment
from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.pod import PLAN_ENV
from borg_contract.reasons import Reason
from borg_contract.result import PreviousArchive, PruneResult, RepositoryResult, RepositoryTotals, RunResult
from borg_contract.run import Operation, Phase
from borg_core.formats import format_time
from borg_runner.fault import Fault, FaultError
from borg_runner.log import Log
from borg_runner.run.report import encode_result
from borg_runner.verbs.list import StoredArchive
from borg_runner.verbs.repository import Repository, Warnings
from borg_runner.work.listing.part import tell_archives
from borg_runner.work.record import Record
from borg_runner.work.steps import find_listable
from support.controllers import is_finished
from support.recorder import Recorder
from support.running import BEGIN, WORK, Cluster

VAULT_ID = "0f" * 32


@dataclass(frozen=True)
class Stored:
    name: str
    id: str
    time: datetime
    comment: str = ""


@dataclass
class Vault:
    """`archives` by their names. `is_there`: whether anybody has begun it."""

    archives: dict[str, Stored] = field(default_factory=dict)
    is_there: bool = True
    id: str = VAULT_ID
    damaged: set[str] = field(default_factory=set)
    """Archives, by their names, into which nobody can look."""
    _made: int = 0

    def add(self, name: str, time: datetime, comment: str = "") -> Stored:
        self._made += 1
        id_ = hashlib.sha256(f"{self.id} {self._made}".encode()).hexdigest()
        self.archives[name] = Stored(name, id_, time, comment)
        return self.archives[name]

    def fill(self, count: int, prefix: str = "host") -> None:
        """Let others have made so many archives, one an hour."""
        for number in range(count):
            self.add(f"{prefix}-{number:04}", BEGIN - timedelta(hours=count - number))

    @property
    def stored(self) -> dict[str, StoredArchive]:
        return {item.name: StoredArchive(item.id, format_time(item.time)) for item in self.archives.values()}

    def newest(self, limit: int) -> set[str]:
        found = sorted(self.archives.values(), key=lambda item: (item.time, item.id), reverse=True)
        return {item.id for item in found[:limit]}


@dataclass(frozen=True)
class _Outcome:
    output: str
    exit_code: int


@dataclass
class _Borg:
    """What the listing asks of a `Repository`, answered from the vault as borg prints it."""

    vault: Vault
    plan: RepositoryPlan
    log: Log = field(default_factory=Log)
    warnings: Warnings = field(default_factory=Warnings)

    def try_borg(self, make_arguments: Any) -> _Outcome:
        if not self.vault.is_there:
            return _Outcome("", 15)
        arguments = make_arguments(1)
        if arguments[0] == "info":
            stats = {"total_size": 1, "unique_csize": 1}
            return _Outcome(json.dumps({"cache": {"stats": stats}, "repository": {"id": self.vault.id}}), 0)
        said = dict(word.split("=", 1) for word in arguments if "=" in word)
        listed = [
            {
                "archive": item.name,
                "id": item.id,
                "time": f"{item.time:%Y-%m-%dT%H:%M:%S.%f}",
                "start": f"{item.time:%Y-%m-%dT%H:%M:%S.%f}",
                "comment": item.comment,
                "command_line": [],
            }
            for item in sorted(self.vault.archives.values(), key=lambda item: item.time)
            if fnmatchcase(item.name, said.get("--glob-archives", "*"))
        ]
        listed = listed[-int(said.get("--last", len(listed))) :]
        if "--format" in said and self.vault.damaged & {item["archive"] for item in listed}:
            return _Outcome("", 81)
        return _Outcome(json.dumps({"archives": listed, "repository": {"id": self.vault.id}}), 0)

    def accept(self, outcome: _Outcome) -> _Outcome:
        if outcome.exit_code:
            raise FaultError(Fault(Reason.REPOSITORY_DAMAGED, "an archive cannot be read"))
        return outcome

    def warn(self, text: str) -> None:
        self.log.say(text)

    def run_borg(self, make_arguments: Any) -> _Outcome:
        return self.accept(self.try_borg(make_arguments))


@dataclass
class Archivist(Cluster):
    """A cluster whose pods work on `vault`. `failing`: they fail; `keep`: of so many archives a backup keeps all."""

    recorder: Recorder = field(default_factory=lambda: Recorder(now=BEGIN))
    vault: Vault = field(default_factory=Vault)
    failing: bool = False
    keep: int = 1000
    names_pruned: bool = True
    tell: Callable[[RunResult], RunResult] = lambda told: told
    """Returns what becomes known of what a backup tells."""
    junk_part: str | None = None
    """What pods tell in place of a part."""
    shows_brief: bool = False
    """Whether the kubelet keeps but the brief result, where there is one."""

    async def live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so many seconds pass, many at once while nothing is at work."""
        end = self.recorder.now + timedelta(seconds=seconds)
        while self.recorder.now < end and not until():
            is_calm = not any(not is_finished(job) for job in self.recorder.all_of("Job"))
            step = min(10.0 if is_calm else 1.0, (end - self.recorder.now).total_seconds())
            await asyncio.sleep(step - 1)
            self.recorder.now += timedelta(seconds=step - 1)
            await super().live(1)

    def _finish_work(self) -> None:
        for pod in self.node.at_work():
            if self.recorder.now - self.node.began(pod) >= WORK:
                self.node.end(pod, self.work(pod))

    def work(self, pod: Object) -> RunResult:
        job = next(job for job in self.recorder.all_of("Job") if job["metadata"]["uid"] in _owners(pod))
        container = job["spec"]["template"]["spec"]["containers"][0]
        plan = decode_plan(next(item["value"] for item in container["env"] if item["name"] == PLAN_ENV))
        if self.failing:
            bad = RepositoryResult("main", Phase.FAILED, reason="HostUnreachable", error="No way there")
            return RunResult(Phase.FAILED, (bad,), "RepositoriesFailed", "1 of 1 repositories failed")
        if plan.operation is Operation.LIST:
            return self._list(plan)
        return self.tell(self._back_up(plan, job["metadata"]["name"]))

    def _list(self, plan: RunPlan) -> RunResult:
        [repository] = plan.repositories
        record, told = Record(repository.name), [""]
        borg = cast("Repository", _Borg(self.vault, repository))
        tell_archives(borg, record, plan.listing, told.append)
        found = record.finish(warnings=Warnings(), seconds=1.0, lock_wait_seconds=0)
        part = told[-1] if self.junk_part is None else self.junk_part
        whole = RunResult(Phase.COMPLETED, (found,), part=part)
        text = encode_result(whole)
        assert len(text) <= 4096
        if self.shows_brief and text.startswith('{"brief"'):
            return RunResult(Phase.COMPLETED, (RepositoryResult(repository.name, Phase.COMPLETED),))
        return whole

    def _back_up(self, plan: RunPlan, run_name: str) -> RunResult:
        now = self.recorder.now
        self.vault.is_there = True
        owner = ArchiveOwner("team", plan.schedule, "main", plan.cluster)
        comment = render_comment(owner, run_name, ArchiveContent({"data": 3}))
        named = [item for item in self.vault.archives.values() if item.name.startswith(f"{plan.schedule}-")]
        before = max(named, key=lambda item: item.time, default=None)
        made = self.vault.add(f"{plan.schedule}-{now:%Y-%m-%dT%H:%M:%S}", now, comment)
        own = sorted((item for item in self.vault.archives.values() if " " in item.comment), key=lambda item: item.time)
        going = own[: max(0, len(own) - self.keep)]
        for item in going:
            del self.vault.archives[item.name]
        limit = plan.repositories[0].archive_limit
        stored = self.vault.stored
        result = RepositoryResult(
            name="main",
            phase=Phase.COMPLETED,
            archive=made.name,
            archive_id=made.id,
            comment=comment,
            original_size=2**30,
            deduplicated_size=10,
            files=3,
            repository_id=self.vault.id,
            archive_time=format_time(now),
            previous=PreviousArchive(before.name, format_time(before.time)) if before else PreviousArchive(),
            prune=PruneResult(
                len(own) - len(going), len(going), tuple(item.name for item in going) if self.names_pruned else ()
            ),
            totals=RepositoryTotals(len(stored), 1, 1, digest_newest(find_listable(stored), limit) if limit else None),
        )
        return RunResult(Phase.COMPLETED, (result,))

    # What came of it

    @property
    def known(self) -> set[str]:
        """The ids of the archives of which there is an object."""
        return {body["spec"]["id"] for body in self.recorder.all_of("BorgArchive")}

    @property
    def listings(self) -> list[str]:
        """The names of the listings that were made, those included that are gone."""
        asked = [request for request in self.recorder.requests if str(request).startswith("create BorgRun")]
        return [request.name for request in asked if "-list-" in request.name]

    def condition(self, type_: str = "ArchivesListed") -> tuple[str, str, str] | None:
        found = self.recorder.find("BorgRepository", "main")["status"].get("conditions", [])
        return next(((c["status"], c["reason"], c["message"]) for c in found if c["type"] == type_), None)


def _owners(body: Object) -> set[str]:
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences", [])}
