"""What the runner tells of archives: real borg, and a repository that others have filled for years."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from borg_contract.archives.ids import digest_newest, pack_ids
from borg_contract.archives.part import ArchiveRow, unpack_part
from borg_contract.archives.plan import ListingPlan
from borg_contract.archives.result import ListingResult
from borg_contract.ownership import parse_comment
from borg_contract.plan import RepositoryPlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from runner_kit import many_archives
from runner_kit.pod import PASSPHRASE, Ended, Pod, powerless


def fill(pod: Pod, repository: RepositoryPlan, count: int, prefix: str = "host") -> None:
    """Let others make so many archives, one for each hour before now."""
    python = pod.borg.read_text().splitlines()[0].removeprefix("#!")
    environment = {
        "PATH": os.environ["PATH"],
        "BORG_BASE_DIR": str(pod.root / "tmp/other-base"),
        "BORG_PASSPHRASE": PASSPHRASE,
    }
    script = Path(many_archives.__file__).read_text()
    command = [*powerless(), python, "-c", script, repository.location, str(count), prefix]
    subprocess.run(command, env=environment, check=True, cwd="/")


def look(
    pod: Pod, repository: RepositoryPlan, known: Sequence[str] = (), *, automatic: bool = True
) -> tuple[Ended, list[ArchiveRow], list[str], ListingResult]:
    """Return how a listing went, with the rows that it told and the short ids of what is gone."""
    listing = ListingPlan(pack_ids(known), automatic=automatic)
    ended = pod.run(pod.plan(repository, operation=Operation.LIST, schedule="", listing=listing))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert len(ended.message) <= 4096
    part = unpack_part(ended.result.part) if ended.result.part else None
    told = ended.result.repositories[0].listing
    assert told is not None
    rows, gone = (list(part.rows), list(part.gone)) if part else ([], [])
    assert (told.found, told.gone) == (len(rows), len(gone))
    return ended, rows, gone, told


def back_up(pod: Pod, repository: RepositoryPlan, **changes: object) -> RepositoryResult:
    ended = pod.run(pod.plan(repository, **changes))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    return ended.result.repositories[0]


def listed(pod: Pod, repository: RepositoryPlan) -> dict[str, str]:
    """Return the ids of all archives by their names, as borg itself says."""
    lines = pod.ask_borg(repository, "list", "--format={archive}{TAB}{id}{NL}", "REPO").splitlines()
    return dict(line.split("\t") for line in lines)


def test_two_thousand_archives_are_told_in_parts_each_going_on_where_the_last_one_stopped(pod: Pod) -> None:
    repository = pod.repository()
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    fill(pod, repository, 2000)
    there = listed(pod, repository)
    newest = sorted(there, reverse=True)[:200]
    rows: list[ArchiveRow] = []
    left = 200
    for _ in range(5):
        _, more, gone, told = look(pod, repository, [row.id for row in rows])
        assert gone == []
        assert told.archives == 2000
        assert told.left == left - len(more)
        assert [row.name for row in more] == newest[len(rows) : len(rows) + len(more)], "newest first, none twice"
        rows, left = [*rows, *more], told.left
        if not left:
            break
        assert len(more) >= 60
    assert [row.name for row in rows] == newest
    assert [row.id for row in rows] == [there[name] for name in newest]
    assert told.newest == digest_newest([(row.time, row.id) for row in rows], 200)
    ended, more, gone, again = look(pod, repository, [row.id for row in rows])
    assert (more, gone, again.left, again.newest) == ([], [], 0, told.newest)
    assert ended.log.count("Enter passphrase") == 0


def test_what_was_made_renamed_and_deleted_by_hand_is_told_with_comments_and_times(pod: Pod) -> None:
    repository = pod.repository()
    own = back_up(pod, repository)
    fill(pod, repository, 5)
    _, rows, _, _ = look(pod, repository)
    assert len(rows) == 6
    first = rows[0]
    assert (first.id, first.name, first.time, first.comment) == (
        own.archive_id,
        own.archive,
        own.archive_time,
        own.comment,
    )
    owner = parse_comment(first.comment)
    assert owner is not None
    assert (owner.namespace, owner.schedule, owner.repository) == ("team", "db", "main")
    deleted, renamed = rows[2], rows[3]
    pod.ask_borg(repository, "delete", f"REPO::{deleted.name}")
    pod.ask_borg(repository, "rename", f"REPO::{renamed.name}", "another name")
    pod.ask_borg(repository, "create", "--comment=by hand €", "REPO::by-hand", str(pod.data))
    _, more, gone, told = look(pod, repository, [row.id for row in rows])
    assert sorted(gone) == sorted([deleted.id[:12], renamed.id[:12]])
    assert [(row.name, row.comment) for row in more] == [("by-hand", "by hand €"), ("another name", "")]
    assert more[1].time == renamed.time
    assert told.left == 0


def test_a_damaged_archive_takes_the_comments_of_no_other(pod: Pod) -> None:
    repository = pod.repository()
    made = [back_up(pod, repository, archive_name_template=f"{{job_name}}-{number:010}") for number in range(3)]
    (pod.root / "object").write_bytes(bytes(100))
    pod.ask_borg(repository, "debug", "put-obj", "REPO", made[1].archive_id or "", str(pod.root / "object"))
    plan = pod.plan(repository, operation=Operation.LIST, schedule="", listing=ListingPlan(automatic=True))
    ended = pod.run(plan)
    rows = unpack_part(ended.result.part).rows
    told = {row.id: row.comment for row in rows}
    assert told == {result.archive_id: result.comment if result is not made[1] else "" for result in made}, ended.log


def test_what_has_checkpoint_in_its_name_and_is_whole_is_told_and_found(pod: Pod) -> None:
    repository = pod.repository()
    back_up(pod, repository, archive_name_template="night")
    for name in ("a.checkpoints", "b.checkpoint", "c.checkpoint.1"):
        pod.ask_borg(repository, "create", "REPO::" + name, str(pod.data))
    _, rows, _, told = look(pod, repository)
    assert told.archives == 2
    assert {row.name for row in rows} == {"night", "a.checkpoints"}
    assert all(row.comment for row in rows if row.name == "night")
    (pod.root / "target").mkdir()
    plan = RestorePlan(name="back", archive="a.checkpoints")
    ended = pod.run(pod.plan(repository, operation=Operation.PREVIEW, restore=plan))
    assert ended.code == 0, ended.log


def test_a_name_that_begins_like_an_option_is_a_name(pod: Pod) -> None:
    repository = pod.repository()
    template, prune = "-{job_name}-{timestamp}", Retention.only(keep_daily=7)
    made = back_up(pod, repository, archive_name_template=template)
    marked = ["recreate", f"--target={made.archive}.recreate", f"--comment={made.comment} suspect"]
    pod.ask_borg(repository, *marked, f"REPO::{made.archive}")  # as a kill between borg's two commits leaves it
    back_up(pod, repository, archive_name_template=template, prune=prune)
    assert made.archive in listed(pod, repository)
    assert f"{made.archive}.recreate" not in listed(pod, repository)


def test_a_backup_tells_its_archives_id_what_it_pruned_and_what_there_is(pod: Pod) -> None:
    repository = pod.repository()
    first = back_up(pod, repository)
    second = back_up(pod, repository, prune=Retention.only(keep_daily=1))
    there = listed(pod, repository)
    assert there == {second.archive: second.archive_id}
    assert second.prune is not None
    assert second.prune.archives == (first.archive,)
    assert second.totals is not None
    assert second.totals.newest == digest_newest([(second.archive_time or "", second.archive_id or "")], 200)
    assert look(pod, repository)[3].newest == second.totals.newest


def test_an_archive_that_is_marked_afterwards_is_told_as_it_is_then(pod: Pod) -> None:
    """The mark gives it another id."""
    (pod.data / "more").write_text("more")
    repository = pod.repository(min_files=3)
    ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert result.archive is not None
    assert result.archive_id == listed(pod, repository)[result.archive]
    assert (result.comment or "").endswith(" suspect")


def test_a_repository_that_there_never_was_has_no_archives_for_the_operator_and_is_a_fault_for_a_person(
    pod: Pod,
) -> None:
    repository = pod.repository()
    ended, rows, _, told = look(pod, repository)
    assert rows == []
    assert (told.archives, told.newest) == (0, digest_newest([], 200))
    assert ended.result.repositories[0].repository_id is None
    assert not Path(repository.location).exists()
    asked = pod.run(pod.plan(repository, operation=Operation.LIST, schedule="", listing=ListingPlan()))
    assert asked.result.phase is Phase.FAILED
    known = pod.repository(repository_ids=("ab" * 32,))
    plan = pod.plan(known, operation=Operation.LIST, schedule="", listing=ListingPlan(automatic=True))
    assert pod.run(plan).result.repositories[0].reason == "RepositoryMissing"


def test_sizes_are_counted_for_a_person_alone(pod: Pod) -> None:
    repository = pod.repository()
    back_up(pod, repository)
    by_hand, rows, _, _ = look(pod, repository, automatic=False)
    assert len(rows) == 1
    assert by_hand.result.repositories[0].totals is not None
    assert look(pod, repository)[0].result.repositories[0].totals is None
