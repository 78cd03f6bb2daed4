"""How the pods of a restore run: as the restore says, else as those of the repository's oldest schedule."""

from typing import Any

import pytest

from borg_contract.run import Operation
from borg_core.kinds.parts.job import FileAccess
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.registry import Reference
from borg_core.restores.facts import gather_facts
from borg_core.restores.workload import render_workload
from borg_core.workload.job import render_job_template
from borg_core.workload.workload import Workload
from borg_operator.store import Store
from support import builders
from support.builders import SETTINGS

RESTORE_IT = {"stream": {"image": "postgres:17", "command": ["pg_restore"]}}
INTO_A_CLAIM = {"claim": {"claimName": "app-data"}}
READ_ALL, RESTRICTED = FileAccess.READ_ALL, FileAccess.RESTRICTED


def workload_of(
    operation: Operation, target: dict[str, Any], theirs: dict[str, Any], own: dict[str, Any] | None = None, **spec: Any
) -> Workload:
    """Return what such a pod does; `theirs`: job of the schedule that made the repository."""
    store = Store()
    schedule = builders.schedule(job=theirs)
    for kind, known in ((REPOSITORIES, builders.local_repository()), (SCHEDULES, schedule)):
        store.put(kind, known.model_dump(by_alias=True, mode="json"))
    metadata = {"namespace": builders.NAMESPACE, "name": "back", "uid": "uid-back"}
    wanted = {
        "repositoryRef": {"name": "main"},
        "archive": "one",
        "target": target,
        "job": {"fileAccess": "Restricted", **(own or {})},  # the API server puts in what is not said
        **spec,
    }
    facts = gather_facts(store, RESTORES.parse({"metadata": metadata, "spec": wanted}))
    return render_workload(facts, operation)


def options_of(
    operation: Operation, target: dict[str, Any], theirs: dict[str, Any], own: dict[str, Any] | None = None, **spec: Any
) -> tuple[FileAccess, int | None]:
    """Return file access and user of such a pod."""
    options = workload_of(operation, target, theirs, own, **spec).options
    return options.file_access, options.run_as_user


@pytest.mark.parametrize(
    ("operation", "target", "spec"),
    [
        (Operation.PREVIEW, RESTORE_IT, {}),
        (Operation.RESTORE, RESTORE_IT, {}),
        (Operation.RESTORE, RESTORE_IT, {"ownership": "RunAs"}),
        (Operation.RESTORE, INTO_A_CLAIM, {}),
        (Operation.BREAK_LOCK, INTO_A_CLAIM, {}),
    ],
    ids=["a preview", "a command", "a command, whose owners nobody keeps", "a claim", "a lock"],
)
def test_a_repository_whose_files_are_roots_is_read_as_root(
    operation: Operation, target: dict[str, Any], spec: dict[str, Any]
) -> None:
    assert options_of(operation, target, {"fileAccess": "ReadAll"}, **spec) == (READ_ALL, None)


@pytest.mark.parametrize(
    ("target", "own", "spec", "user"),
    [
        (RESTORE_IT, {"runAsUser": 1000}, {}, 1000),
        (INTO_A_CLAIM, {}, {"ownership": "RunAs"}, None),
    ],
    ids=["a user of its own", "files that are to be an ordinary user's"],
)
def test_a_restore_that_says_otherwise_is_no_root(
    target: dict[str, Any], own: dict[str, Any], spec: dict[str, Any], user: int | None
) -> None:
    assert options_of(Operation.RESTORE, target, {"fileAccess": "ReadAll"}, own, **spec) == (RESTRICTED, user)


def test_as_before_a_user_is_taken_over_where_the_restore_names_none() -> None:
    assert options_of(Operation.RESTORE, RESTORE_IT, {"runAsUser": 1000}) == (RESTRICTED, 1000)
    assert options_of(Operation.RESTORE, RESTORE_IT, {"runAsUser": 1000}, {"fileAccess": "ReadAll"})[0] is READ_ALL


@pytest.mark.parametrize(
    ("operation", "target", "is_replaced"),
    [
        (Operation.RESTORE, RESTORE_IT, False),
        (Operation.PREVIEW, RESTORE_IT, True),
        (Operation.RESTORE, INTO_A_CLAIM, True),
    ],
    ids=["a command", "a preview", "a claim"],
)
def test_a_command_is_given_nothing_twice_when_its_node_is_drained(
    operation: Operation, target: dict[str, Any], is_replaced: bool
) -> None:
    """Of a claim the next pod goes on, by the journal in it; what a command has done nobody knows."""
    workload = workload_of(operation, target, {})
    spec = render_job_template(workload, Reference(RESTORES.kind, builders.NAMESPACE, "back"), SETTINGS)["spec"]
    assert ("podFailurePolicy" in spec, spec["backoffLimit"]) == (is_replaced, 0)
