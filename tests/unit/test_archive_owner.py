"""Whose an archive is: the comment tells it whole, or it is nobody's."""

import asyncio

import pytest

from borg_cluster.errors import ApiError, Forbidden, Unreachable
from borg_contract.ownership import ArchiveOwner, parse_comment, render_comment
from borg_core.workload.job import render_job_template
from borg_operator.cluster_name import find_cluster
from borg_runner.verbs.list import ListedArchive
from support import builders
from support.builders import DB, SETTINGS
from support.operator import run
from support.recorder import Fault, Recorder

OWNER = ArchiveOwner("team", "db", "main", "3f9a")


@pytest.mark.parametrize(
    "owner", [OWNER, ArchiveOwner("team", "db.x-y", "m.0"), ArchiveOwner("a", "b", "c", "A_b.c-1")]
)
def test_a_comment_comes_back_as_the_owner_that_it_was_made_from(owner: ArchiveOwner) -> None:
    assert parse_comment(render_comment(owner, "db-29000000")) == owner


def test_the_run_makes_no_difference() -> None:
    assert parse_comment(render_comment(OWNER, "one")) == parse_comment(render_comment(OWNER, "another"))


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "nightly",
        "borgoperator.io team/db db-1",
        "borgoperator.io team/db repository=main",
        "borgoperator.io db db-1 repository=main",
        "borgoperator.io team/db db-1 repository=",
        "borgoperator.io team/db db-1 repository=main cluster=",
        "borgoperator.io team/db db-1 repository=main\n",
        "borgoperator.io team/db db-1 repository=main and more",
        " borgoperator.io team/db db-1 repository=main",
        "BORGOPERATOR.IO team/db db-1 repository=main",
    ],
)
def test_what_does_not_say_it_whole_says_nothing(comment: str) -> None:
    assert parse_comment(comment) is None


def test_the_cluster_is_in_the_plan_of_a_pod() -> None:
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "cluster": "blue"})
    template = render_job_template(builders.bundle().workload(), DB, settings)
    assert '"cluster":"blue"' in str(template)


def namespace(name: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "", "uid": f"uid-{name}"}}


def test_a_cluster_is_known_by_the_uid_of_kube_system() -> None:
    recorder = Recorder()
    recorder.add("Namespace", namespace("kube-system"))
    assert run(find_cluster(recorder)) == "uid-kube-system"


@pytest.mark.parametrize("error", [Unreachable("away"), Forbidden("not yet bound")])
def test_an_operator_waits_rather_than_give_archives_no_cluster(error: ApiError) -> None:
    recorder = Recorder(faults={0: Fault(error), 1: Fault(error)})
    recorder.add("Namespace", namespace("kube-system"))
    assert asyncio.run(find_cluster(recorder, retry_seconds=0)) == "uid-kube-system"


COMMENT = render_comment(OWNER, "db-1")


@pytest.mark.parametrize(
    ("name", "comment", "command", "owner"),
    [
        ("db-1", COMMENT, ["borg", "create"], OWNER),
        ("db-1", "", ["borg", f"--comment={COMMENT}"], None),
        ("db-1.checkpoint", "", ["borg", "create", "--json", f"--comment={COMMENT}", "/r::db-1"], OWNER),
        ("db-1.checkpoint.12", "", [f"--comment={COMMENT}"], OWNER),
        ("db-1.checkpoint", "by hand", [f"--comment={COMMENT}"], None),
        ("db-1.checkpoint", "", ["borg", "create", "/r::db-1", COMMENT], None),
        ("db-1.checkpoint", "", ["--comment=x", "--comment="], None),
        ("db-1.checkpoint", "", [f"/r::db-1 --comment={COMMENT}"], None),
    ],
)
def test_a_checkpoint_which_has_no_comment_is_whose_command_made_it(
    name: str, comment: str, command: list[str], owner: ArchiveOwner | None
) -> None:
    assert ListedArchive(name, "id", comment, command, "2026-01-02T03:04:05Z").owner == owner
