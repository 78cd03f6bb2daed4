"""Invalid resources are refused by the API server itself, in words that say how to mend them; valid ones are let in.

Everything is a server-side dry run, transitions aside: nothing is left behind but a namespace that is deleted.
"""

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from borg_contract.archive_name import find_template_problems
from borg_core.clock.hashed import resolve
from integration import resources
from integration.admission_cases import ACCEPTED, COMPRESSIONS, HASHED, REFUSALS, SCHEDULES, VALID, Refusal
from support.cluster import Kubectl, fresh_namespace

pytestmark = pytest.mark.usefixtures("crds")

ERROR = re.compile(r"(?P<field>[^\s:]+): (Invalid value: (\"[^\"]*\"|\S+): )?(?P<message>.+)")
ODD_FIELDS = (
    "*", "?", "*/2", "*/70", "0", "1", "05", "7", "-1", "1-", "-", ",", "1,", "3-2", "1-3-5", "2/3", "2/0", "5-99",
    "*-9", "60", "24", "32", "13", "+6", "mon", "JAN", "L", "1#2", "1W", "H", "1/2/3", "a", "*/",
)  # fmt: skip

TEMPLATES = (
    "{job_name}-{now}", "{now}", "{job_name}", "{repo_name}.{date} {time}_{timestamp}", "plain", "ünïcode-{job_name}-🗄",
    "{}", "{{now}}", "}{", "{now", "now}", "{NOW}", "{now:%Y}", "{now!r}", "{job_name}{x}", "a/b-{job_name}", " {now}",
    "{now} ", "a\nb", "a\x7fb", "a\x85b", "a::{job_name}", "::", "x.checkpoint-{job_name}",
)  # fmt: skip


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with fresh_namespace(kubectl) as name:
        yield name


def resource(kind: str, changes: dict[str, Any], name: str = "main") -> dict[str, Any]:
    """Return the valid resource of `kind` with `changes` (dotted path below spec → value; None removes)."""
    spec = json.loads(json.dumps(VALID[kind]))  # a deep copy in which nothing is shared
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = spec
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if value is None:
            del place[last]
        else:
            place[last] = None if value == "null" else value
    return {"apiVersion": "borgoperator.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def errors_of(stderr: str) -> dict[str, list[str]]:
    """Return field → messages of kubectl's report. What the server adds about rules it did not reach is left out."""
    found: dict[str, list[str]] = {}
    _, _, report = stderr.partition("is invalid: ")
    for line in report.splitlines():
        if (match := ERROR.match(line.removeprefix("* "))) and match["field"] != "<nil>":
            found.setdefault(match["field"], []).append(match["message"].strip())
    return found


def dry_run(kubectl: Kubectl, namespace: str, manifest: dict[str, Any]) -> str:
    """Return what the API server has against `manifest`, "" when it lets it in."""
    done = kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(manifest), check=False)
    return done.stderr if done.returncode else ""


def accepted_schedules(kubectl: Kubectl, namespace: str, kind: str, expressions: list[str]) -> set[str]:
    """Return those `expressions` that a BorgSchedule, or a CronJob, may have."""

    def manifest(index: int, expression: str) -> dict[str, Any]:
        if kind == "BorgSchedule":
            return resource(kind, {"schedule": expression}, name=f"s{index}")
        pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}
        spec = {"schedule": expression, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": f"s{index}"}, "spec": spec}

    items = [manifest(index, expression) for index, expression in enumerate(expressions)]
    arguments = ("create", "-n", namespace, "--dry-run=server", "-o", "name", "-f", "-")
    done = kubectl(*arguments, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), check=False)
    return {expressions[int(line.rpartition("/s")[2])] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: f"{case.kind}: {case.what}")
def test_an_invalid_resource_is_refused_with_words_that_help(kubectl: Kubectl, namespace: str, case: Refusal) -> None:
    stderr = dry_run(kubectl, namespace, resource(case.kind, case.changes, case.name))
    errors = errors_of(stderr)
    assert list(errors) == [case.field], stderr
    assert [message for message in errors[case.field] if not message.endswith(case.message)] == []


@pytest.mark.parametrize("what", ACCEPTED)
def test_a_valid_resource_is_let_in(kubectl: Kubectl, namespace: str, what: str) -> None:
    kind, changes = ACCEPTED[what]
    assert dry_run(kubectl, namespace, resource(kind, changes)) == ""


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("BorgRepository", {}),
        ("BorgSchedule", {"suspend": True, "sources": VALID["BorgRepository"]["sources"]}),
        ("BorgScript", {"parameters": [{"name": "HOST"}, {"name": "TOKEN", "type": "Password"}]}),
    ],
)
def test_what_is_applied_again_is_unchanged(
    kubectl: Kubectl, namespace: str, kind: str, changes: dict[str, Any]
) -> None:
    manifest = json.dumps(resource(kind, changes, name="again"))
    said = [kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest).stdout.split()[-1] for _ in range(3)]
    assert said == ["created", "unchanged", "unchanged"]


@pytest.mark.parametrize(
    ("kind", "length"),
    [("BorgSchedule", 52), ("BorgRepository", 63), ("BorgRun", 63), ("BorgScript", 253), ("BorgSession", 63)],
)
def test_the_longest_name_is_let_in(kubectl: Kubectl, namespace: str, kind: str, length: int) -> None:
    assert dry_run(kubectl, namespace, resource(kind, {}, name="n" * length)) == ""


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_borg_takes_as_compression_is_let_in(kubectl: Kubectl, namespace: str, compression: str) -> None:
    assert dry_run(kubectl, namespace, resource("BorgRepository", {"compression": compression})) == ""


def test_what_a_cronjob_takes_as_schedule_is_let_in(kubectl: Kubectl, namespace: str) -> None:
    assert accepted_schedules(kubectl, namespace, "CronJob", list(SCHEDULES)) == set(SCHEDULES)
    assert accepted_schedules(kubectl, namespace, "BorgSchedule", list(SCHEDULES)) == set(SCHEDULES)


def test_a_schedule_that_a_cronjob_takes_is_never_refused_however_odd(kubectl: Kubectl, namespace: str) -> None:
    usual = ["1", "2", "3", "4", "5"]
    expressions = [
        " ".join([*usual[:position], field, *usual[position + 1 :]])
        for position, field in product(range(5), ODD_FIELDS)
    ]
    of_cronjob = accepted_schedules(kubectl, namespace, "CronJob", expressions)
    assert of_cronjob - accepted_schedules(kubectl, namespace, "BorgSchedule", expressions) == set()


def test_each_form_of_h_is_let_in_and_becomes_what_a_cronjob_takes(kubectl: Kubectl, namespace: str) -> None:
    resolved = [resolve(line, "team", name) for line in HASHED for name in ("a", "b", "c", "d")]

    assert accepted_schedules(kubectl, namespace, "BorgSchedule", list(HASHED)) == set(HASHED)
    assert accepted_schedules(kubectl, namespace, "CronJob", list(HASHED)) == set()
    assert accepted_schedules(kubectl, namespace, "CronJob", resolved) == set(resolved)


@pytest.mark.parametrize("prune", [False, True])
def test_admission_refuses_the_templates_that_the_runner_could_not_use_and_no_others(
    kubectl: Kubectl, namespace: str, prune: bool
) -> None:
    def is_refused(template: str) -> bool:
        changes = {"archiveNameTemplate": template, "prune": {"enabled": prune}}
        return dry_run(kubectl, namespace, resource("BorgSchedule", changes)) != ""

    verdicts = {template: is_refused(template) for template in TEMPLATES}
    assert verdicts == {template: bool(find_template_problems(template, prune=prune)) for template in TEMPLATES}


def test_an_unknown_field_is_refused_by_its_name(kubectl: Kubectl, namespace: str) -> None:
    stderr = dry_run(kubectl, namespace, resource("BorgSchedule", {"cron": "0 2 * * *"}))
    assert 'unknown field "spec.cron"' in stderr


def test_a_minimal_schedule_gets_the_documented_defaults(kubectl: Kubectl, namespace: str) -> None:
    done = kubectl(
        *("create", "-n", namespace, "--dry-run=server", "-o", "json", "-f", "-"),
        stdin=json.dumps(resource("BorgSchedule", {})),
    )
    assert json.loads(done.stdout)["spec"] == VALID["BorgSchedule"] | {
        "timeZone": "Etc/UTC",
        "suspend": False,
        "archiveNameTemplate": "{job_name}-{now}",
        "runRepositoryHooks": False,
        "prune": {
            "enabled": False,
            "keepHourly": 0,
            "keepDaily": 7,
            "keepWeekly": 4,
            "keepMonthly": 6,
            "keepQuarterly": 0,
            "keepYearly": 1,
        },
        "compact": {"enabled": False, "threshold": 10},
        "startingDeadlineSeconds": 3600,
        "runHistoryLimit": 10,
        "job": {"fileAccess": "Restricted"},
    }


def patched(kubectl: Kubectl, namespace: str, target: str, spec: dict[str, Any]) -> str:
    arguments = ("patch", target, "-n", namespace, "--type=merge", "--dry-run=server", "-p", json.dumps({"spec": spec}))
    return kubectl(*arguments, check=False).stderr


def test_of_a_run_only_cancel_can_be_changed_and_only_to_true(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRun", {}, name="going")))
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRun", {"cancel": True}, name="over")))
    alone = {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "Check"}
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRun", alone, name="alone")))

    assert patched(kubectl, namespace, "brun/going", {"cancel": True}) == ""
    for target, change, field, message in (
        (
            "brun/going",
            {"scheduleRef": {"name": "weekly"}},
            "spec.scheduleRef",
            "a run belongs to one schedule for good: make a new BorgRun",
        ),
        (
            "brun/alone",
            {"repositoryRef": {"name": "other"}},
            "spec.repositoryRef",
            "a run belongs to one repository for good: make a new BorgRun",
        ),
        ("brun/going", {"operation": "Prune"}, "spec.operation", "a run does one thing: make a new BorgRun"),
        (
            "brun/over",
            {"cancel": False},
            "spec.cancel",
            "a cancelled run cannot be resumed: make a new BorgRun; borg goes on from its checkpoint",
        ),
    ):
        assert errors_of(patched(kubectl, namespace, target, change)) == {field: [message]}


def test_a_session_cannot_be_changed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgSession", {}, name="look")))
    said = patched(kubectl, namespace, "bsess/look", {"maxSeconds": 7200})
    assert errors_of(said) == {"spec": ["a session cannot be changed: delete it, and make a new BorgSession"]}


def test_the_encryption_mode_can_be_corrected_until_the_first_backup(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRepository", {})))
    other = {"encryption": {"mode": "repokey"}}
    assert patched(kubectl, namespace, "brepo/main", other) == ""

    status = json.dumps({"status": {"lastBackupTime": "2026-01-01T02:00:00Z"}})
    kubectl("patch", "brepo/main", "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
    message = (
        "Borg fixes the encryption mode when it creates a repository, and this one already holds backups: make a new "
        "BorgRepository with the other mode and point the schedules at it"
    )
    assert errors_of(patched(kubectl, namespace, "brepo/main", other)) == {"spec.encryption.mode": [message]}


def test_runs_can_be_selected_by_schedule_operation_and_phase(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRun", {}, name="selected")))
    selector = "spec.scheduleRef.name=daily,spec.operation=Backup,status.phase!=Failed"
    found = kubectl.get("brun", "-n", namespace, "--field-selector", selector)
    assert "selected" in {item["metadata"]["name"] for item in found["items"]}


def test_runs_can_be_selected_by_the_repository_that_they_are_on(kubectl: Kubectl, namespace: str) -> None:
    alone = {"scheduleRef": None, "repositoryRef": {"name": "chosen"}, "operation": "List"}
    for name, changes in (("on-repository", alone), ("on-schedule", {})):
        kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(resource("BorgRun", changes, name=name)))
    found = kubectl.get("brun", "-n", namespace, "--field-selector", "spec.repositoryRef.name=chosen")
    assert [item["metadata"]["name"] for item in found["items"]] == ["on-repository"]


def test_a_run_on_a_schedule_does_not_become_one_on_a_repository(kubectl: Kubectl, namespace: str) -> None:
    made = resource("BorgRun", {"operation": "Check"}, name="kept")
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(made))
    other = {"scheduleRef": None, "repositoryRef": {"name": "main"}}
    assert errors_of(patched(kubectl, namespace, "brun/kept", other)) == {
        "spec.scheduleRef": ["a run belongs to one schedule for good: make a new BorgRun"],
        "spec.repositoryRef": ["a run belongs to one repository for good: make a new BorgRun"],
    }


def test_what_can_do_nothing_any_more_is_refused_of_a_restore_that_has_ended(kubectl: Kubectl, namespace: str) -> None:
    own_claim = {"volume": {"persistentVolumeClaim": {"claimName": "repository"}}}
    for manifest in (
        resources.claim("repository"),
        resource("BorgRepository", {"local": own_claim}, name="here"),
        resources.restore(
            "ended", repositoryRef={"name": "here"}, target={"claim": {"claimName": "repository"}}, approve="d1"
        ),
        resources.restore("waits", repositoryRef={"name": "elsewhere"}),
    ):
        kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    # The operator refuses it: it would overwrite the repository.
    kubectl("wait", "-n", namespace, "brest/ended", "--for=jsonpath={.status.phase}=Failed", "--timeout=30s")
    for field, value in (("approve", "d2"), ("approve", None), ("cancel", True)):
        said = f"the restore has ended (status.phase), so {field} does nothing any more: make a new BorgRestore"
        assert errors_of(patched(kubectl, namespace, "brest/ended", {field: value})) == {f"spec.{field}": [said]}
        assert patched(kubectl, namespace, "brest/waits", {field: value}) == ""
    assert patched(kubectl, namespace, "brest/ended", {"approve": "d1"}) == ""
