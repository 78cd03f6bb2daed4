"""What tools make of a status: the tables of docs/gitops.md, held against the operator's code and the Lua checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.lua51  # type: ignore[import-untyped]
import pytest
import yaml

from borg_contract.reasons import Reason
from borg_contract.run import Phase
from borg_core.archives.plan import ArchivesPlan
from borg_core.kinds.restore_status import RestorePhase
from borg_core.kinds.run import BorgRun, BorgRunStatus
from borg_core.kinds.status import Finding
from borg_core.policies.problem import Problem, Severity
from borg_core.reconcile.status.repository import derive_repository_status, read_runs
from borg_core.reconcile.status.schedule import derive_schedule_status
from borg_core.runs.entry import Entry
from borg_core.runs.status.run_status import derive_run_conditions
from support import builders
from support.builders import NOW

Resource = dict[str, Any]

GITOPS = Path(__file__).parents[2] / "docs" / "gitops"
CHECKS = GITOPS / "argocd" / "borgoperator.io"
KINDS = ("BorgSchedule", "BorgRepository", "BorgRun", "BorgRestore")
LUA_OF_ARGO_CD = {"_G", "_VERSION", "assert", "error", "ipairs", "next", "pairs", "select", "table", "tonumber"}
LUA_OF_ARGO_CD |= {"tostring", "type", "unpack"}


def argo_cd(resource: Resource) -> tuple[str, str]:
    """Return health and message as the Lua check says them, with no more of Lua than Argo CD offers."""
    lua = lupa.lua51.LuaRuntime(register_builtins=False)
    scope = lua.globals()
    for name in set(scope) - LUA_OF_ARGO_CD:
        scope[name] = None
    scope["obj"] = lua.table_from(resource, recursive=True)
    health = lua.execute((CHECKS / resource["kind"] / "health.lua").read_text())
    return health["status"], health["message"]


def kstatus(resource: Resource) -> str:
    """Return what the rules of kstatus give for a custom resource (`Compute` in its package status)."""
    status = resource.get("status", {})
    if resource["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", resource["metadata"]["generation"]) != resource["metadata"]["generation"]:
        return "InProgress"
    for condition in status.get("conditions", ()):
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    ready = [condition["status"] for condition in status.get("conditions", ()) if condition["type"] == "Ready"]
    return "InProgress" if ready and ready[0] != "True" else "Current"


def kubectl_wait(resource: Resource, type_: str = "Ready") -> str:
    """Return whether `kubectl wait --for=condition=<type_>` ends: it compares the condition's generation, too."""
    met = [
        condition["status"] == "True" and condition["observedGeneration"] >= resource["metadata"]["generation"]
        for condition in resource.get("status", {}).get("conditions", ())
        if condition["type"] == type_
    ]
    return "done" if any(met) else "waits"


def as_resource(kind: str, model: Any, status: Any, generation: int = 1) -> Resource:
    body: Resource = {"apiVersion": "borgoperator.io/v1alpha1", "kind": kind}
    body["metadata"] = {"name": model.metadata.name, "generation": generation}
    body["spec"] = model.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    body["status"] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return body


def entry(phase: str) -> Entry:
    run = builders.run("db-1", {"phase": phase, "startTime": "2026-03-01T02:00:00Z", "reason": "DiskFull"})
    return Entry(run, None, None, run.status)


def a_schedule(*problems: Problem, entries: tuple[Entry, ...] = (), generation: int = 1, **spec: Any) -> Resource:
    schedule = builders.schedule(**spec)
    status = derive_schedule_status(builders.world(), schedule, problems, entries, clock=None, now=NOW)
    return as_resource("BorgSchedule", schedule, status, generation)


def a_repository(*runs: BorgRun) -> Resource:
    repository = builders.local_repository(archiveLimit=200)
    unlisted = ArchivesPlan(finding=Finding("ArchivesListed", False, Reason.LISTING.value, "Not listed yet"))
    read = read_runs(repository, runs, NOW)
    status = derive_repository_status(repository, 1, read, archives=unlisted, now=NOW)
    return as_resource("BorgRepository", repository, status)


def ended(phase: str, **result: Any) -> BorgRun:
    repositories = [{"name": "main", "phase": phase, **result}]
    return builders.run(
        "db-1", {"phase": phase, "completionTime": "2026-03-01T02:01:00Z", "repositories": repositories}
    )


def a_run(phase: str, reason: str | None = None) -> Resource:
    run = builders.run("db-1")
    status = BorgRunStatus(phase=Phase(phase), reason=reason)
    conditions = derive_run_conditions(run, status, NOW)
    return as_resource("BorgRun", run, status.model_copy(update={"conditions": conditions}))


MISSING = Problem(Reason.REPOSITORY_NOT_FOUND, "it does not exist", Severity.WAITING)
INVALID = Problem(Reason.INVALID_SCHEDULE, "there is no such time zone")

SCHEDULES: dict[str, Resource] = {
    "edited, not looked at yet": a_schedule(generation=2),
    "good": a_schedule(entries=(entry("Completed"),)),
    "good, last run failed": a_schedule(entries=(entry("Failed"),)),
    "suspended": a_schedule(suspend=True),
    "something is missing and may yet come": a_schedule(MISSING),
    "only an edit can help": a_schedule(INVALID, MISSING),
}
REPOSITORIES: dict[str, Resource] = {
    "no run has used it yet": a_repository(),
    "the newest run was good": a_repository(ended("Completed", archive="db-1")),
    "the newest run failed in it": a_repository(ended("Failed", reason="DiskFull", error="No space left.")),
}
RUNS: dict[str, Resource] = {
    phase: a_run(phase) for phase in ("Pending", "Running", "Completed", "CompletedWithWarnings", "Failed", "Cancelled")
}
RUNS |= {
    f"Skipped ({reason})": a_run("Skipped", reason.value)
    for reason in (Reason.COVERED_BY_RUN, Reason.TOO_MANY_WAITING, Reason.RESTORED)
}


def table_of(first: str) -> list[list[str]]:
    """Return the rows of the table in docs/gitops.md whose first column is called `first`."""
    lines = (GITOPS.parent / "gitops.md").read_text().split(f"\n\n| {first} |")[1].split("\n\n")[0].split("\n")[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("kind", "resources"), [("BorgSchedule", SCHEDULES), ("BorgRepository", REPOSITORIES)], ids=KINDS[:2]
)
def test_the_tables_say_what_each_tool_makes_of_a_status(kind: str, resources: dict[str, Resource]) -> None:
    said = {row[0]: row[2:] for row in table_of(kind)}
    assert said == {
        name: [kubectl_wait(resource), kstatus(resource), argo_cd(resource)[0]] for name, resource in resources.items()
    }


def test_the_table_says_what_each_tool_makes_of_a_run() -> None:
    said = {phase: row[1:] for row in table_of("BorgRun") for phase in row[0].split(", ")}
    assert said == {
        phase: [
            f"Succeeded={resource['status']['conditions'][0]['status']}",
            kubectl_wait(resource, "Succeeded"),
            kstatus(resource),
            argo_cd(resource)[0],
        ]
        for phase, resource in RUNS.items()
    }


def test_the_conditions_in_the_tables_are_those_of_the_operator() -> None:
    for kind, resources in (("BorgSchedule", SCHEDULES), ("BorgRepository", REPOSITORIES)):
        for name, conditions, *_ in table_of(kind):
            if "=" not in conditions:
                continue
            said = dict(item.split("=") for item in conditions.split(", "))
            found = {item["type"]: item["status"] for item in resources[name]["status"]["conditions"]}
            assert found.items() >= said.items(), name
            # What kstatus would read as trouble is named in the table, if it is there at all.
            assert set(found) - set(said) <= {"Suspended", "LastRunSucceeded", "ArchivesListed"}, name


def test_a_repository_that_no_run_has_used_has_conditions_and_no_ready_among_them() -> None:
    # For this the expression of Flux asks for no Ready that is not True, and not for one that is.
    found = {item["type"] for item in REPOSITORIES["no run has used it yet"]["status"]["conditions"]}
    assert found
    assert "Ready" not in found


def test_the_table_says_what_argo_cd_makes_of_a_restore() -> None:
    said = {phase: row[4] for row in table_of("BorgRestore") for phase in row[0].split(", ")}
    found = {}
    for phase in RestorePhase:
        resource = {"kind": "BorgRestore", "metadata": {"generation": 1}, "status": {"phase": phase.value}}
        found[phase.value] = argo_cd(resource)[0]
    assert said == found


@pytest.mark.parametrize("resource", [*SCHEDULES.values(), *REPOSITORIES.values(), *RUNS.values()])
def test_every_check_has_something_to_say(resource: Resource) -> None:
    status, message = argo_cd(resource)
    assert status in ("Healthy", "Progressing", "Degraded", "Suspended")
    assert message


@pytest.mark.parametrize("change", [lambda r: r.pop("status"), lambda r: r["status"].clear()], ids=["none", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_that_nobody_looked_at_is_progressing(kind: str, change: Callable[[Resource], Any]) -> None:
    resource: Resource = {"kind": kind, "metadata": {"generation": 1}, "spec": {}, "status": {}}
    change(resource)
    assert argo_cd(resource)[0] == "Progressing"


CASES = [
    pytest.param(kind, case, id=f"{kind} {Path(case['inputPath']).stem}")
    for kind in KINDS
    for case in yaml.load((CHECKS / kind / "health_test.yaml").read_text(), Loader=yaml.CSafeLoader)["tests"]
]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_a_fixture_has_the_health_that_its_case_says(kind: str, case: dict[str, Any]) -> None:
    resource = yaml.load((CHECKS / kind / case["inputPath"]).read_text(), Loader=yaml.CSafeLoader)
    assert resource["kind"] == kind
    assert argo_cd(resource) == (case["healthStatus"]["status"], case["healthStatus"]["message"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_fixture_has_a_case(kind: str) -> None:
    cases = yaml.load((CHECKS / kind / "health_test.yaml").read_text(), Loader=yaml.CSafeLoader)["tests"]
    assert {case["inputPath"] for case in cases} == {
        f"testdata/{path.name}" for path in (CHECKS / kind / "testdata").iterdir()
    }


def test_the_config_map_has_the_texts_of_the_checks() -> None:
    data = yaml.load((GITOPS / "argocd" / "argocd-cm.yaml").read_text(), Loader=yaml.CSafeLoader)["data"]
    assert data == {
        f"resource.customizations.health.borgoperator.io_{kind}": (CHECKS / kind / "health.lua").read_text()
        for kind in KINDS
    }


def test_a_hook_has_a_name_by_which_argo_cd_finds_it_again() -> None:
    hook = yaml.load((GITOPS / "argocd" / "backup-before-sync.yaml").read_text(), Loader=yaml.CSafeLoader)
    assert hook["metadata"]["name"]
    assert hook["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"


@pytest.mark.parametrize("path", sorted(GITOPS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(GITOPS)))
def test_every_file_is_yaml_of_named_resources(path: Path) -> None:
    for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
        if path.name != "health_test.yaml":
            assert document["apiVersion"]
            assert document["kind"]
            assert document["metadata"].get("name") or document["metadata"]["generateName"]
