"""What keeps a schedule from running, each with the sentence that the user reads."""

from dataclasses import replace
from typing import Any

import pytest

from borg_contract import archive_name
from borg_core.kinds.schedule import BorgSchedule
from borg_core.policies import schedule as policies
from borg_core.policies.problem import Problem, Severity
from borg_core.policies.workload import find_size_problems
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.job import render_job_template
from support import builders
from support.builders import SETTINGS, bundle, local_repository, schedule, script, source


def derive_problems(of: Bundle, settings: Settings) -> tuple[Problem, ...]:
    """Return what keeps the schedule from running, the size of its plan included."""
    workload = of.workload()
    if found := policies.derive_problems(of, workload, settings):
        return found
    return tuple(find_size_problems(workload.operation, render_job_template(workload, of.owner.reference, settings)))


def with_hook(parameters: list[dict[str, object]], declared: tuple[dict[str, object], ...]) -> Bundle:
    hooks = {"preBackup": {"scriptRef": {"name": "wake"}, "parameters": parameters}}
    return bundle(schedule(hooks=hooks), scripts=(script("wake", parameters=declared),))


def with_claim(name: str = "app-data", **more: Any) -> Bundle:
    of = bundle()
    return replace(of, claims={**of.claims, name: builders.claim(name, **more)})


def older(name: str, **spec: Any) -> BorgSchedule:
    made = schedule(name, **spec)
    earlier = made.metadata.model_copy(update={"creation_timestamp": "2026-02-01T00:00:00Z"})
    return made.model_copy(update={"metadata": earlier})


HOST_PATH = {"hostPath": {"path": "/srv"}}
TWO = schedule(repositories=("a", "b"))

CASES: dict[str, tuple[Bundle, str, str, Severity]] = {
    "an unusable schedule": (
        bundle(schedule(schedule="0 2 * * 7")),
        "InvalidSchedule",
        "Sunday is 0",
        Severity.INVALID,
    ),
    "no repository": (bundle(repositories=()), "RepositoryNotFound", '"main" does not exist', Severity.WAITING),
    "no claim of a repository": (
        bundle(claims=("app-data",)),
        "ClaimNotFound",
        '"repo-main" (volume of BorgRepository "main") does not exist',
        Severity.WAITING,
    ),
    "a claim without files": (
        with_claim(is_block=True),
        "ClaimUnusable",
        '"app-data" (source "data") is a block device, which has no files',
        Severity.WAITING,
    ),
    "a claim without its volume": (
        with_claim("repo-main", phase="Lost"),
        "ClaimUnusable",
        '"repo-main" (volume of BorgRepository "main") has lost its volume',
        Severity.WAITING,
    ),
    "nothing to back up": (
        bundle(repositories=(local_repository(sources=[]),)),
        "NoSources",
        'neither the schedule nor BorgRepository "main" has sources',
        Severity.INVALID,
    ),
    "one source name for two volumes": (
        bundle(
            TWO,
            (local_repository("a"), local_repository("b", sources=[source(claim="other")])),
            claims=("app-data", "other", "repo-a", "repo-b"),
        ),
        "SourceConflict",
        'source "data" is another volume in BorgRepository "b" than in "a"',
        Severity.INVALID,
    ),
    "a repository in its own source": (
        bundle(repositories=(local_repository(sources=[source(claim="repo-main")]),)),
        "SourceConflict",
        "cannot be backed up into itself",
        Severity.INVALID,
    ),
    "an unknown parameter": (
        with_hook([{"name": "HOTS", "value": "nas"}], ({"name": "HOST"},)),
        "InvalidParameters",
        'BorgScript "wake" has no parameter "HOTS" (it takes: HOST)',
        Severity.INVALID,
    ),
    "a missing parameter": (
        with_hook([], ({"name": "HOST", "required": True},)),
        "InvalidParameters",
        'BorgScript "wake" needs parameter "HOST"',
        Severity.INVALID,
    ),
    "a password in plain text": (
        with_hook([{"name": "TOKEN", "value": "x"}], ({"name": "TOKEN", "type": "Password"},)),
        "InvalidParameters",
        "valueFrom.secretKeyRef, not as plain text",
        Severity.INVALID,
    ),
    "a template without the schedule's name, pruned": (
        bundle(schedule(prune={"enabled": True}, archiveNameTemplate="backup-{now}")),
        "InvalidArchiveName",
        'archiveNameTemplate "backup-{now}" needs {job_name}',
        Severity.INVALID,
    ),
    "a template of names that are longer than borg takes": (
        bundle(schedule("d" * 52, archiveNameTemplate="{job_name}-{now}-" + "x" * 168)),
        "InvalidArchiveName",
        "gives names of 241 characters, of which borg takes 240: shorten it",
        Severity.INVALID,
    ),
    "a name that makes of a template one of borg's unfinished archives": (
        bundle(schedule("ml.checkpoints")),
        "InvalidArchiveName",
        'gives names such as "ml.checkpoints-2000-01-01T00:00:00", and borg hides what has ".checkpoint" in it',
        Severity.INVALID,
    ),
    "a name that makes of a template one that borg writes anew": (
        bundle(schedule("recreate", archiveNameTemplate="{now}.{job_name}")),
        "InvalidArchiveName",
        'gives names such as "2000-01-01T00:00:00.recreate", and ".recreate" ends those of what borg writes anew',
        Severity.INVALID,
    ),
    "the title of an older schedule": (
        bundle(schedule(title="Daily"), namesakes=(older("first", title="Daily"),)),
        "TitleTaken",
        'BorgSchedule "first" is called "Daily" already: choose another title',
        Severity.INVALID,
    ),
    "a hostPath source": (
        bundle(repositories=(local_repository(sources=[{"name": "srv", "volume": HOST_PATH}]),)),
        "HostPathNotAllowed",
        'hostPath is not allowed in this cluster (source "srv")',
        Severity.FORBIDDEN,
    ),
    "a foreign image": (
        bundle(schedule(job={"image": "evil:1"})),
        "ImageNotAllowed",
        'image "evil:1" is not allowed in this cluster',
        Severity.FORBIDDEN,
    ),
    "a plan that does not fit": (
        bundle(schedule(hooks={"preBackup": {"scriptRef": {"name": "wake"}}}), scripts=(script("wake", "é" * 30000),)),
        "PlanTooLarge",
        "shorten the scripts",
        Severity.INVALID,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_problem_is_named_with_what_to_do(case: str) -> None:
    of, reason, says, severity = CASES[case]
    (problem,) = derive_problems(of, SETTINGS)
    assert (problem.reason, problem.severity) == (reason, severity)
    assert says in problem.message


PRUNE = {"enabled": True}


@pytest.mark.parametrize(
    ("mine", "other", "clash"),
    [
        ({"prune": PRUNE}, {}, False),
        ({"prune": PRUNE, "archiveNameTemplate": "{job_name}-daily-{now}"}, {}, True),
        ({"archiveNameTemplate": "{job_name}-daily-{now}"}, {"prune": PRUNE}, True),
        ({"archiveNameTemplate": "{job_name}-daily-{now}"}, {}, False),
        ({"prune": PRUNE, "archiveNameTemplate": "{job_name}-weekly-{now}"}, {}, False),
    ],
)
def test_no_schedule_may_prune_what_looks_like_its_own(
    mine: dict[str, Any], other: dict[str, Any], clash: bool
) -> None:
    of = bundle(schedule("db", **mine), neighbours=(schedule("db-daily", **other),))
    assert [problem.reason for problem in derive_problems(of, SETTINGS)] == (["ArchiveNamesOverlap"] if clash else [])


def test_the_names_of_many_schedules_are_read_once_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    derive = archive_name.derive_prune_glob

    def counts(template: str, *, schedule: str, repository: str) -> str:
        read.append(schedule)
        return derive(template, schedule=schedule, repository=repository)

    monkeypatch.setattr(archive_name, "derive_prune_glob", counts)
    many = [
        schedule(f"many-{number}", prune=PRUNE, archiveNameTemplate=f"{{job_name}}-x{number}-{{now}}")
        for number in range(30)
    ]
    for own in many:
        of = bundle(own, neighbours=tuple(other for other in many if other is not own))
        assert derive_problems(of, SETTINGS) == ()
    assert sorted(read) == sorted(own.metadata.name for own in many)


def test_of_two_schedules_of_one_title_the_older_one_keeps_it() -> None:
    first, second = older("first", title="Daily"), schedule("db", title="Daily")
    assert derive_problems(bundle(first, namesakes=(second,)), SETTINGS) == ()
    # Of the same second: the names decide, so that it is always the same one.
    twin = schedule("da", title="Daily")
    assert derive_problems(bundle(twin, namesakes=(second,)), SETTINGS) == ()
    assert [problem.reason for problem in derive_problems(bundle(second, namesakes=(twin,)), SETTINGS)] == [
        "TitleTaken"
    ]


def test_a_valid_schedule_has_no_problem() -> None:
    assert derive_problems(builders.bundle(), SETTINGS) == ()


def test_the_installer_can_allow_host_paths_and_images() -> None:
    of = bundle(
        schedule(job={"image": "registry.example/borg:1"}),
        (local_repository(sources=[{"name": "srv", "volume": HOST_PATH}]),),
    )
    allowing = type(SETTINGS)("runner:1", allow_host_path=True, allowed_images=("registry.example/*",))
    assert derive_problems(of, allowing) == ()
