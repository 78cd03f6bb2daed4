"""The runner with a real borg: backups, what can go wrong with them, and the upkeep of repositories."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RunPlan, SourcePlan
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from runner_kit.pod import PASSPHRASE, Pod, during

OWN_COMMENT = "borgoperator.io team/db db-1 repository=main"


def test_a_backup_initialises_archives_prunes_compacts_and_counts(pod: Pod) -> None:
    (pod.data / "odd é\n name").write_text("x" * 100_000)
    repository = pod.repository(compression="zstd,3")
    ended = pod.run(pod.plan(repository, prune=Retention.only(keep_daily=7), compact_threshold=10))
    assert ended.code == 0, ended.log
    assert ended.result.phase is Phase.COMPLETED
    assert ended.result.message == ""
    [result] = ended.result.repositories
    assert pod.archives(repository) == [result.archive]
    assert result.archive is not None
    assert result.archive.startswith("db-")
    assert result.files == 2
    assert result.lock_wait_seconds is None
    assert result.original_size is not None
    assert 100_006 <= result.original_size < 102_000  # borg before 1.4.1 counts metadata too
    assert result.prune is not None
    assert (result.prune.kept, result.prune.deleted) == (1, 0)
    assert result.compact is not None
    assert result.totals is not None
    assert result.totals.archives == 1
    listed = pod.ask_borg(repository, "list", "--format={path}{NL}", f"REPO::{result.archive}")
    assert f"{pod.data}/hello.txt".lstrip("/") in listed
    comment = pod.ask_borg(repository, "info", f"REPO::{result.archive}")
    assert "borgoperator.io team/db db-1/uid-1 repository=main files=data:2\n" in comment


def test_a_warning_in_the_result_conceals_secrets_as_the_log_does(pod: Pod) -> None:
    path = pod.data / PASSPHRASE
    path.write_text("x")
    path.chmod(0)
    ended = pod.run(pod.plan())
    [warning] = ended.result.repositories[0].warnings
    assert warning.endswith("***: open: [Errno 13] Permission denied")
    assert PASSPHRASE not in ended.log


def test_an_image_without_borg_is_told(pod: Pod) -> None:
    pod.variables = {"PATH": "/nowhere"}
    assert pod.run(pod.plan()).result.repositories[0].reason == "BorgMissing"


def test_a_second_backup_into_the_same_repository_is_incremental(pod: Pod) -> None:
    (pod.data / "big").write_bytes(os.urandom(3_000_000))
    first, second = (
        pod.run(pod.plan(archive_name_template=f"{{job_name}}-{{repo_name}}-{number}-{{now}}")).result.repositories[0]
        for number in (1, 2)
    )
    assert first.deduplicated_size is not None
    assert first.deduplicated_size > 2_900_000
    assert second.deduplicated_size is not None
    assert second.deduplicated_size < 5000
    assert second.totals is not None
    assert second.totals.archives == 2


def test_the_first_backup_has_nothing_to_compare_with_and_asks_borg_for_nothing_more(pod: Pod) -> None:
    (pod.data / "a").write_text("a")
    asked = pod.root / "asked"
    during(pod, "*", f'echo "$1" >> {asked}')
    for commands in (["init", "create", "list"], ["create", "list", "list"]):
        asked.write_text("")
        assert pod.run(pod.plan(pod.repository())).result.phase is Phase.COMPLETED
        assert asked.read_text().split() == commands


@pytest.mark.parametrize("encryption", ["none", "authenticated", "repokey", "repokey-blake2"])
def test_each_mode_works_twice_and_with_a_fresh_cache(pod: Pod, encryption: str) -> None:
    repository = pod.repository(encryption=encryption)
    if encryption == "none":
        repository = replace(repository, passphrase=None)
    for number in range(3):
        ended = pod.run(pod.plan(repository, archive_name_template=f"{{job_name}}-{number}"))
        assert ended.result.phase is Phase.COMPLETED, ended.log
        if number == 1:
            shutil.rmtree(pod.root / "var/cache/borg/main")
    assert len(pod.archives(repository)) == 3


def test_a_trailing_newline_in_the_secret_is_no_part_of_the_passphrase(pod: Pod) -> None:
    repository = pod.repository(passphrase=pod.secret("borg", "p", "word\n"))
    assert pod.run(pod.plan(repository)).code == 0
    repository = pod.repository(passphrase=pod.secret("borg", "p", "word"))
    assert pod.run(pod.plan(repository, archive_name_template="{job_name}-2")).code == 0


@pytest.mark.parametrize("value", ["\r\n", "\ufeffword", "word "])
def test_no_repository_is_made_with_a_passphrase_that_nobody_could_type(pod: Pod, value: str) -> None:
    repository = pod.repository(passphrase=pod.secret("borg", "p", value))
    assert pod.run(pod.plan(repository)).result.phase is Phase.FAILED
    assert not Path(repository.location).exists()


def test_a_passphrase_of_windows_opens_the_repository_by_hand(pod: Pod) -> None:
    repository = pod.repository(passphrase=pod.secret("borg", "p", f"{PASSPHRASE}\r\n"))
    assert pod.run(pod.plan(repository)).code == 0
    assert len(pod.archives(repository)) == 1


def test_a_file_that_cannot_be_read_is_a_warning_with_its_path(pod: Pod) -> None:
    (pod.data / "locked.txt").write_text("secret")
    (pod.data / "locked.txt").chmod(0)
    ended = pod.run(pod.plan())
    assert ended.code == 0
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS
    [result] = ended.result.repositories
    assert result.archive is not None
    assert result.files == 1
    assert result.warning_count == 1
    assert "data/locked.txt" in result.warnings[0]
    assert "Permission denied" in result.warnings[0]
    assert "main (1)" in ended.result.message


def test_a_path_that_vanishes_during_the_backup_is_a_warning_of_borgs_and_fails_the_run(pod: Pod) -> None:
    gone = pod.data / "z-vanishes/gone.txt"
    gone.parent.mkdir()
    gone.write_text("x")
    # No time to guess: the file goes after the runner has found it and before borg comes to it.
    before_create(pod, f"rm {gone}")
    ended = pod.run(pod.plan(pod.repository(sources=(SourcePlan("data", ("hello.txt", "z-vanishes/gone.txt")),))))
    assert not gone.exists()
    assert ended.result.phase is Phase.FAILED, ended.log
    [result] = ended.result.repositories
    assert (result.reason, result.warning_count) == ("SourceUnreadable", 1)
    assert "z-vanishes/gone.txt" in result.warnings[0]
    assert "No such file or directory" in result.warnings[0]
    assert result.files == 1


def before_create(pod: Pod, command: str) -> None:
    """Let the pod's `borg create` run `command` first."""
    wrapper = pod.root / "bin/borg"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh -e\ncase " $* " in *" create "*) {command} ;; esac\nexec {pod.borg} "$@"\n')
    wrapper.chmod(0o755)
    pod.borg = wrapper


@pytest.mark.parametrize("how", ["missing", "root unreadable", "all files unreadable"])
def test_a_source_of_which_nothing_can_be_read_fails_the_run(pod: Pod, how: str) -> None:
    if how == "missing":
        shutil.rmtree(pod.data)
    elif how == "root unreadable":
        pod.data.chmod(0)
    else:
        (pod.data / "hello.txt").chmod(0)
    ended = pod.run(pod.plan())
    pod.root.joinpath("sources").chmod(0o755)
    assert ended.code == 1
    [result] = ended.result.repositories
    assert result.phase is Phase.FAILED
    assert result.reason == "SourceUnreadable"
    assert result.error is not None
    assert "data" in result.error


def test_excluded_files_are_not_in_the_archive(pod: Pod) -> None:
    (pod.data / "x.tmp").write_text("x")
    repository = pod.repository(exclude=("*.tmp", "-strange"))
    [result] = pod.run(pod.plan(repository)).result.repositories
    assert result.files == 1


def test_one_of_two_repositories_with_a_wrong_passphrase_does_not_stop_the_other(pod: Pod) -> None:
    broken, good = pod.repository("broken"), pod.repository("good")
    assert pod.run(pod.plan(broken, good)).code == 0
    pod.secret("borg-broken", "passphrase", "something else")
    ended = pod.run(pod.plan(broken, good, archive_name_template="{job_name}-2"))
    assert ended.code == 1
    assert ended.result.phase is Phase.FAILED
    assert "broken (PassphraseWrong)" in ended.result.message
    first, second = ended.result.repositories
    assert (first.phase, first.reason, first.archive) == (Phase.FAILED, "PassphraseWrong", None)
    assert first.error == (
        'The passphrase is wrong. Secret "borg-broken", key "passphrase", holds another one than this repository was '
        "created with: correct the Secret, or `encryption.passphraseSecretRef`."
    )
    assert (second.phase, second.archive) == (Phase.COMPLETED, "db-2")
    assert "something else" not in ended.log


def test_a_missing_secret_is_named_at_once_with_the_command_that_makes_it(pod: Pod) -> None:
    ended = pod.run(pod.plan(pod.repository(passphrase=pod.secret("nowhere", "passphrase"))))
    assert ended.code == 1
    [result] = ended.result.repositories
    assert result.reason == "SecretMissing"
    assert result.error == (
        'Secret "nowhere" has no key "passphrase" (or does not exist) in namespace "team": create it with: '
        "kubectl -n team create secret generic nowhere --from-literal=passphrase=…"
    )


def test_a_missing_repository_is_not_created_unasked(pod: Pod) -> None:
    [result] = pod.run(pod.plan(pod.repository(initialize=False))).result.repositories
    assert result.reason == "RepositoryMissing"
    assert result.error is not None
    assert "`initialize: true`" in result.error
    assert list((pod.root / "repositories").iterdir()) == []


def test_a_repository_is_created_in_an_empty_volume_and_below_missing_folders(pod: Pod) -> None:
    (pod.root / "repositories/main").mkdir()
    deep = pod.repository("deep", location=str(pod.root / "repositories/x/y/deep"))
    assert pod.run(pod.plan(pod.repository(), deep)).code == 0


def test_a_folder_of_something_else_is_never_made_a_repository(pod: Pod) -> None:
    folder = pod.root / "repositories/main"
    (folder / "lost+found").mkdir(parents=True)
    [result] = pod.run(pod.plan()).result.repositories
    assert result.reason == "NotARepository"
    assert result.error is not None
    assert "lost+found" in result.error
    assert "`local.path`" in result.error
    assert [path.name for path in folder.iterdir()] == ["lost+found"]


def test_a_plaintext_repository_in_the_place_of_an_encrypted_one_gets_no_data(pod: Pod) -> None:
    (pod.data / "private").write_bytes(os.urandom(1_000_000))
    repository = pod.repository()
    pod.ask_borg(repository, "init", "--encryption=none", "REPO")
    before = pod.written_bytes(repository)
    [result] = pod.run(pod.plan(repository)).result.repositories
    assert result.reason == "EncryptionMismatch"
    assert pod.written_bytes(repository) == before
    assert pod.archives(repository) == []


def test_a_name_that_is_taken_is_explained(pod: Pod) -> None:
    plan = pod.plan(archive_name_template="{job_name}")
    assert pod.run(plan).code == 0
    [result] = pod.run(plan).result.repositories
    assert result.reason == "ArchiveExists"
    assert "archiveNameTemplate" in (result.error or "")


@pytest.mark.parametrize("template", ["{job_name}-{now}", "{job_name} {date} {time}", "{timestamp}-{job_name}"])
def test_a_name_that_is_taken_in_this_second_is_free_in_the_next(pod: Pod, template: str) -> None:
    repository = pod.repository(encryption="none", passphrase=None)
    first = pod.run(pod.plan(repository)).result.repositories[0].archive
    taken = pod.root / "taken"
    # As a run would that began in the same second and was over at once.
    already = f'test -e {taken} || {{ touch {taken}; {pod.borg} create "$name" {taken}; }}'
    during(pod, "create", f'for name in "$@"; do case "$name" in *::*) {already};; esac; done')
    ended = pod.run(pod.plan(repository, archive_name_template=template))
    assert ended.code == 0, ended.log
    [result] = ended.result.repositories
    listed = pod.ask_borg(repository, "list", "--format={archive}{NL}", "REPO").splitlines()
    assert len(listed) == 3
    assert listed[0] == first
    assert listed[2] == result.archive


def test_prune_deletes_only_the_schedules_own_archives(pod: Pod) -> None:
    repository = pod.repository()
    names = ["db", "db-daily", "db-2026", "xdb"]
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    for name in (*(f"{schedule}-2026-01-0{day}T01:02:03" for day in (1, 2, 3) for schedule in names), "db-by-hand"):
        pod.ask_borg(repository, "create", f"--comment={OWN_COMMENT}", f"REPO::{name}", str(pod.data))
    plan = pod.plan(
        repository,
        archive_name_template="{job_name}-{now}",
        operation=Operation.PRUNE,
        prune=Retention.only(keep_daily=1),
    )
    ended = pod.run(plan)
    assert ended.code == 0, ended.log
    [result] = ended.result.repositories
    assert result.prune is not None
    assert (result.prune.kept, result.prune.deleted) == (1, 2)
    assert result.totals is not None
    assert result.totals.archives == 11
    left = pod.archives(repository)
    assert [name for name in left if name.startswith("db-2026-01-")] == ["db-2026-01-03T01:02:03"]
    assert len(left) == 11


@pytest.mark.parametrize(
    ("comment", "whose"),
    [
        (OWN_COMMENT.replace("team/", "team-b/"), 'of BorgSchedule "db" in namespace "team-b" (BorgRepository "main")'),
        (OWN_COMMENT.replace("team/db", "team/db-x"), 'of BorgSchedule "db-x"'),
        (OWN_COMMENT.replace("=main", "=alias"), '(BorgRepository "alias")'),
        (f"{OWN_COMMENT} cluster=blue", 'of cluster "blue"'),
        ("borgoperator.io team/db db-1", "of nobody that its comment names"),
        (f"x {OWN_COMMENT}", "of nobody that its comment names"),
        ("", "of nobody that its comment names"),
    ],
    ids=["namespace", "schedule", "repository", "cluster", "without repository", "something before it", "none"],
)
def test_archives_of_others_under_names_of_ones_own_are_never_pruned(pod: Pod, comment: str, whose: str) -> None:
    repository = pod.repository()
    plan = pod.plan(
        repository, archive_name_template="{job_name}-{now}", prune=Retention.only(keep_daily=1), compact_threshold=0
    )
    assert pod.run(plan).result.phase is Phase.COMPLETED
    others = [f"db-2026-01-0{day}T01:02:03" for day in (1, 2)]
    for name in others:
        pod.ask_borg(repository, "create", f"--comment={comment}", f"REPO::{name}", str(pod.data))

    ended = pod.run(plan)

    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS
    [result] = ended.result.repositories
    assert result.prune is None
    assert result.archive in pod.archives(repository)
    assert set(others) < set(pod.archives(repository))
    assert len(pod.archives(repository)) == 4
    assert result.warnings[0].startswith("Nothing was pruned: 2 archives are named like those of this schedule: ")
    assert whose in result.warnings[0]
    by_hand = pod.run(replace(plan, operation=Operation.PRUNE))
    assert by_hand.result.repositories[0].reason == "ArchivesOfOthers"
    assert len(pod.archives(repository)) == 4


def test_an_archive_that_somebody_else_writes_meanwhile_is_not_touched_and_does_no_harm(pod: Pod) -> None:
    repository = pod.repository(encryption="none", passphrase=None)
    pod.ask_borg(repository, "init", "--encryption=none", "REPO")
    for day in (1, 2, 3):
        name = f"REPO::db-2026-01-0{day}T01:02:03"
        pod.ask_borg(repository, "create", f"--comment={OWN_COMMENT}", name, str(pod.data))
    theirs = "db-2026-01-03T04:05:06"
    real = pod.borg
    during(pod, "delete", f"{real} create --comment=theirs {repository.location}::{theirs} {pod.data}")
    rules = Retention.only(keep_daily=1)
    plan = pod.plan(repository, archive_name_template="{job_name}-{now}", operation=Operation.PRUNE, prune=rules)

    [result] = pod.run(plan).result.repositories

    pod.borg = real
    left = pod.archives(repository)
    assert theirs in left
    assert "db-2026-01-03T01:02:03" in left
    assert len(left) == 2
    assert result.prune
    assert (result.prune.kept, result.prune.deleted) == (1, 2)


def test_checkpoints_of_others_stay_and_do_no_harm(pod: Pod) -> None:
    repository = pod.repository()
    plan = pod.plan(repository, archive_name_template="{job_name}-{now}", prune=Retention.only(keep_daily=1))
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    theirs, ours = "db-2026-01-01T01:02:03.checkpoint", "db-2026-01-02T01:02:03.checkpoint.1"
    pod.ask_borg(repository, "create", "--comment=", f"REPO::{theirs}", str(pod.data))
    pod.ask_borg(repository, "create", f"--comment={OWN_COMMENT}", f"REPO::{ours}", str(pod.data))

    ended = pod.run(plan)

    assert ended.result.phase is Phase.COMPLETED, ended.log
    [result] = ended.result.repositories
    assert result.prune
    assert (result.prune.kept, result.prune.deleted) == (1, 0)
    assert pod.ask_borg(repository, "list", "--short", "--consider-checkpoints", "REPO").split() == [
        theirs,
        result.archive,
    ]


def test_two_repositories_of_one_place_never_prune_each_others_archives(pod: Pod) -> None:
    (pod.root / "sources/beta").mkdir()
    place = pod.repository().location
    repositories = [
        pod.repository("data", location=place),
        pod.repository("beta", location=place, sources=(SourcePlan("beta"),)),
    ]
    passphrase = pod.repository().passphrase
    keep = Retention.only(keep_daily=1)
    made = []
    for number in range(3):
        for repository in repositories:
            pod.job_name = f"db-{number}-{repository.name}"
            own = replace(repository, passphrase=passphrase)
            plan = pod.plan(own, archive_name_template="{job_name}-{now}", prune=keep)
            [result] = pod.run(plan).result.repositories
            made.append(result.archive)
            time.sleep(1)  # names are of the second

    assert sorted(name for name in made if name) == sorted(pod.archives(pod.repository()))
    assert len(set(made)) == 6


@pytest.mark.parametrize(
    ("local_time", "kept"),
    [("", [0, 3, 5]), ("PST8PDT,M3.2.0,M11.1.0", [0, 1, 5])],  # the oldest is kept while there are fewer than seven
    ids=["UTC", "Los Angeles"],
)
def test_prune_keeps_the_last_archive_of_each_day_of_the_schedules_own_clock(
    pod: Pod, local_time: str, kept: list[int]
) -> None:
    """In Los Angeles a working day goes over two days of UTC: the last archive of one would else go by the other."""
    repository, rules = pod.repository(), Retention.only(keep_daily=7)
    names = [f"db-{1_000_000_000 + number}" for number in range(6)]
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    for name, time_ in zip(names, ["16T21", "17T02", "17T21", "17T23", "18T01", "18T02"], strict=True):
        named = (f"--comment={OWN_COMMENT}", f"--timestamp=2026-11-{time_}:00:00", f"REPO::{name}")
        pod.ask_borg(repository, "create", *named, str(pod.data))
    ended = pod.run(pod.plan(repository, operation=Operation.PRUNE, prune=rules, local_time=local_time))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert pod.archives(repository) == [names[number] for number in kept]


def test_compact_gives_back_what_prune_deleted(pod: Pod) -> None:
    repository = pod.repository()
    for number in range(3):
        (pod.data / "big").write_bytes(os.urandom(5_000_000))
        assert pod.run(pod.plan(repository, archive_name_template=f"{{job_name}}-000000000{number}")).code == 0
    before = pod.written_bytes(repository)
    prune = pod.plan(repository, operation=Operation.PRUNE, prune=Retention.only(keep_daily=1))
    assert pod.run(prune).code == 0
    ended = pod.run(pod.plan(repository, operation=Operation.COMPACT))
    [result] = ended.result.repositories
    assert result.compact is not None
    assert result.compact.freed_bytes > 9_000_000
    assert before - pod.written_bytes(repository) > 9_000_000


def test_a_failed_prune_is_not_hidden_by_the_good_backup_before_it(pod: Pod) -> None:
    template = "{job_name}-{now}"
    assert pod.run(pod.plan(archive_name_template=template)).code == 0
    during(pod, "delete", "exit 2")
    plan = pod.plan(archive_name_template=template, prune=Retention.only(keep_daily=1))
    [result] = pod.run(plan).result.repositories
    assert result.phase is Phase.FAILED
    assert result.reason == "PruneFailed"
    assert result.archive is not None
    assert (result.error or "").startswith(f'Archive "{result.archive}" was written, but prune failed: ')


def test_check_of_a_sound_repository_completes_and_shows_what_it_does(pod: Pod) -> None:
    assert pod.run(pod.plan()).code == 0
    ended = pod.run(pod.plan(operation=Operation.CHECK))
    assert ended.result.phase is Phase.COMPLETED
    assert "no problems found" in ended.log


def test_a_list_counts_archives_and_sizes_anew(pod: Pod) -> None:
    repository = pod.repository()
    for number in range(2):
        assert pod.run(pod.plan(repository, archive_name_template=f"{{job_name}}-{number}")).code == 0
    ended = pod.run(pod.plan(repository, operation=Operation.LIST))
    [result] = ended.result.repositories
    assert (ended.result.phase, result.archive) == (Phase.COMPLETED, None)
    assert result.totals is not None
    assert result.totals.archives == 2
    assert result.totals.original_size > 0
    assert result.totals.deduplicated_size > 0


def test_a_list_of_a_repository_that_is_not_there_fails(pod: Pod) -> None:
    ended = pod.run(pod.plan(pod.repository(), operation=Operation.LIST))
    assert ended.code == 1
    assert ended.result.repositories[0].reason == "RepositoryMissing"


def test_check_of_a_damaged_repository_fails(pod: Pod) -> None:
    (pod.data / "big").write_bytes(os.urandom(1_000_000))
    repository = pod.repository()
    assert pod.run(pod.plan(repository)).code == 0
    segment = max(Path(repository.location).glob("data/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    content[5000:5100] = b"\0" * 100
    segment.write_bytes(content)
    ended = pod.run(pod.plan(repository, operation=Operation.CHECK))
    assert ended.code == 1
    assert ended.result.repositories[0].reason == "CheckFailed"
    assert "borg check --repair" in (ended.result.repositories[0].error or "")


@pytest.mark.parametrize("operation", [Operation.CHECK, Operation.COMPACT, Operation.LIST, Operation.BREAK_LOCK])
def test_a_repository_alone_can_be_worked_on_without_schedule_or_sources(pod: Pod, operation: Operation) -> None:
    assert pod.run(pod.plan()).code == 0
    shutil.rmtree(pod.data)
    ended = pod.run(alone(pod, operation))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert ended.log.startswith(f"{operation} in namespace team, without a schedule: main\n")
    [result] = ended.result.repositories
    assert (result.archive, result.warning_count) == (None, 0)


@pytest.mark.parametrize("operation", [Operation.BACKUP, Operation.PRUNE])
def test_work_on_the_archives_of_a_schedule_is_refused_without_one(pod: Pod, operation: Operation) -> None:
    (pod.data / "more").write_text("x")
    assert pod.run(pod.plan()).code == 0
    plan = replace(alone(pod, operation), prune=Retention.only(keep_daily=1))
    [result] = pod.run(plan).result.repositories
    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidPlan")
    assert len(pod.archives(pod.repository())) == 1


def test_list_counts_the_archives_of_everybody_and_their_sizes(pod: Pod) -> None:
    repository = pod.repository()
    (pod.data / "big").write_bytes(os.urandom(1_000_000))
    for number in range(2):
        assert pod.run(pod.plan(repository, archive_name_template=f"{{job_name}}-{number}")).code == 0
    pod.ask_borg(repository, "create", "REPO::by-hand", str(pod.data))
    shutil.rmtree(pod.root / "var/cache/borg/main")  # which knew less
    [result] = pod.run(alone(pod, Operation.LIST)).result.repositories
    assert result.totals is not None
    assert result.totals.archives == 3
    assert result.totals.original_size > 3_000_000
    assert 1_000_000 < result.totals.deduplicated_size < 1_100_000


def test_list_of_a_repository_that_is_not_there_fails(pod: Pod) -> None:
    [result] = pod.run(alone(pod, Operation.LIST)).result.repositories
    assert (result.phase, result.reason, result.totals) == (Phase.FAILED, "RepositoryMissing", None)
    assert list((pod.root / "repositories").iterdir()) == []


def alone(pod: Pod, operation: Operation) -> RunPlan:
    """Return the plan of a run of the repository alone."""
    return RunPlan(namespace="team", operation=operation, repositories=(pod.repository(sources=()),))


def test_a_plan_that_cannot_be_used_has_an_exit_code_of_its_own(pod: Pod) -> None:
    ended = pod.run(replace(pod.plan(), operation="Juggle"))  # type: ignore[arg-type]
    assert ended.code == 2
    assert ended.result.reason == "InvalidPlan"


def test_sixteen_broken_repositories_leave_a_result_that_fits(pod: Pod) -> None:
    repositories = [
        pod.repository(f"repository-{number}", passphrase=pod.secret(f"missing-{number}", "passphrase"))
        for number in range(16)
    ]
    ended = pod.run(pod.plan(*repositories))
    assert len(ended.message) <= 4096
    assert [item.name for item in ended.result.repositories] == [item.name for item in repositories]
