"""The runner with a real borg, over several nights: a backup without its content pushes no good one out."""

import datetime as dt
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from borg_contract.ownership import ArchiveContent, ArchiveOwner, render_comment
from borg_contract.plan import RepositoryPlan, RunPlan, SourcePlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Ended, Pod

TWO = Retention.only(keep_daily=2)


@dataclass
class Nights:
    """Backups of one pod, each at the night that is asked for: borg's archives bear its time."""

    pod: Pod
    night: int = 0
    names: dict[int, str] = field(default_factory=dict)
    """The newest archive of each night."""

    def __post_init__(self) -> None:
        self.real = self.pod.borg
        self.wrapper = self.pod.root / "bin/borg"
        self.wrapper.parent.mkdir()

    def run(self, night: int, plan: RunPlan) -> Ended:
        """Return how a run of that night ended; `plan` of one repository."""
        stamp = f"2026-03-{night:02}T02:00:00"
        self.wrapper.write_text(
            f'#!/bin/sh -e\nif [ "$1" = create ]; then shift; set -- create --timestamp={stamp} "$@"; fi\n'
            f'exec {self.real} "$@"\n'
        )
        self.wrapper.chmod(0o755)
        self.pod.borg = self.wrapper
        ended = self.pod.run(plan)
        self.pod.borg = self.real
        if archive := ended.result.repositories[0].archive:
            self.names[night] = archive
            while archive.endswith(f"-{int(time.time())}"):  # the names are of the second
                time.sleep(0.05)
        return ended

    def before_borg(self, script: str) -> None:
        """Let what is borg from now on do `script` first."""
        self.real = self.pod.root / "changed-borg"
        self.real.write_text(f'#!/bin/sh -e\n{script}\nexec {self.pod.borg} "$@"\n')
        self.real.chmod(0o755)

    def around_create(self, before: str = ":", after: str = ":") -> None:
        """Let scripts run before borg makes an archive, and when it has ended."""
        inner, self.real = self.real, self.pod.root / "changed-borg"
        self.real.write_text(
            f'#!/bin/sh -e\n[ "$1" = create ] || exec {inner} "$@"\n{before}\ncode=0\n{inner} "$@" || code=$?\n'
            f"{after}\nexit $code\n"
        )
        self.real.chmod(0o755)

    def back_up(self, night: int, plan: RunPlan) -> RepositoryResult:
        return self.run(night, plan).result.repositories[0]

    def left(self, repository: RepositoryPlan) -> list[int]:
        """Return of which nights there are archives."""
        archives = self.pod.archives(repository)
        return [night for night, name in sorted(self.names.items()) if name in archives]


def fill(folder: Path, count: int, prefix: str = "f") -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for number in range(count):
        (folder / f"{prefix}{number}").write_text(f"{number}\n")


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def sources(*names: str) -> tuple[SourcePlan, ...]:
    return tuple(SourcePlan(name) for name in names)


def comments(pod: Pod, repository: RepositoryPlan) -> list[str]:
    listed = json.loads(pod.ask_borg(repository, "list", "--json", "--format={comment}", "REPO"))
    return [archive["comment"] for archive in listed["archives"]]


def one(texts: Iterable[str], *words: str) -> str:
    """Return the only text that has all the words."""
    [found] = [text for text in texts if all(word in text for word in words)]
    return found


def test_good_archives_outlive_any_number_of_nights_with_an_emptied_source(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    shutil.copytree(pod.data, pod.root / "kept")
    empty(pod.data)

    for night in (3, 4):
        ended = nights.run(night, plan)
        [result] = ended.result.repositories
        assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS
        assert (result.reason, result.warning_count, result.prune) == ("SourceEmpty", 1, None)
        assert f"{pod.data} holds no file" in result.warnings[0]
        assert result.warnings[0].endswith("Nothing was pruned.")
        assert "main (1, SourceEmpty)" in ended.result.message
        assert "minFiles: 0" in ended.result.message
        assert result.totals is not None
        assert result.totals.archives == night
    assert nights.left(repository) == [1, 2, 3, 4]

    # Its volume is back. The empty archives of two nights take no good one's place.
    shutil.copytree(pod.root / "kept", pod.data, dirs_exist_ok=True)
    healed = nights.back_up(5, plan)
    assert (healed.phase, healed.reason) == (Phase.COMPLETED, None)
    assert nights.left(repository) == [2, 4, 5]
    for night in (6, 7, 8, 9):
        nights.back_up(night, plan)
    assert nights.left(repository) == [8, 9]  # and by and by they are gone themselves


def test_an_emptied_source_on_the_last_night_of_a_week_leaves_the_week_a_good_archive(pod: Pod) -> None:
    """Borg keeps the last archive of each week, whatever it holds: here that of Sunday the 8th, which holds nothing."""
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=Retention.only(keep_weekly=2))
    for night in (1, 6, 7):
        nights.back_up(night, plan)
    shutil.copytree(pod.data, pod.root / "kept")
    empty(pod.data)
    assert nights.back_up(8, plan).reason == "SourceEmpty"
    shutil.copytree(pod.root / "kept", pod.data, dirs_exist_ok=True)
    result = nights.back_up(9, plan)
    assert nights.left(repository) == [7, 8, 9]
    assert result.prune is not None
    assert result.prune.kept == 3
    nights.back_up(16, plan)
    assert nights.left(repository) == [9, 16]


def test_a_clock_that_is_behind_makes_no_run_delete_the_archive_that_it_made(pod: Pod) -> None:
    """Of a node whose clock was ahead there is an archive of a later day."""
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    nights.back_up(6, plan)
    result = nights.back_up(5, plan)
    assert result.archive in pod.archives(repository)
    assert result.prune is not None
    assert (result.prune.kept, result.prune.deleted) == (2, 0)
    nights.back_up(7, plan)
    assert nights.left(repository) == [7]


def test_a_checkpoint_stays_while_a_source_is_empty(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    nights.back_up(1, plan)
    checkpoint = "db-1700000000.checkpoint"
    comment = comments(pod, repository)[0]
    arguments = (f"--comment={comment}", "--timestamp=2026-03-01T00:00:00", f"REPO::{checkpoint}")
    pod.ask_borg(repository, "create", *arguments, str(pod.data))
    empty(pod.data)
    nights.back_up(2, plan)
    everything = ("list", "--short", "--consider-checkpoints", "REPO")
    assert checkpoint in pod.ask_borg(repository, *everything)
    fill(pod.data, 1)
    nights.back_up(3, plan)
    assert checkpoint not in pod.ask_borg(repository, *everything)


def test_one_of_three_sources_that_is_emptied_is_noticed_although_the_others_are_big(pod: Pod) -> None:
    nights = Nights(pod)
    for name, count in (("data", 300), ("media", 200), ("mail", 3)):
        fill(pod.root / "sources" / name, count)
    repository = pod.repository(sources=sources("data", "media", "mail"))
    plan = pod.plan(repository, prune=TWO)
    assert nights.back_up(1, plan).phase is Phase.COMPLETED
    assert " files=data:301,media:200,mail:3" in comments(pod, repository)[0]
    empty(pod.root / "sources/mail")
    result = nights.back_up(2, plan)
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED_WITH_WARNINGS, "SourceEmpty", 501)
    assert one(result.warnings, 'Source "mail"')


def test_a_source_that_shrank_is_told_for_seven_days_and_good_archives_stay_so_long(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository(sources=sources("data", "media"))
    fill(pod.data, 30)
    fill(pod.root / "sources/media", 100)
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    empty(pod.data)
    fill(pod.data, 3)
    for night in (3, 5, 9):
        result = nights.back_up(night, plan)
        assert (result.phase, result.reason, result.prune) == (Phase.COMPLETED_WITH_WARNINGS, "SourceShrank", None)
        warning = one(result.warnings, 'Source "data" has 3 files, and had 31 in archive', "Nothing was pruned.")
        assert nights.names[2] in warning
    assert nights.left(repository) == [1, 2, 3, 5, 9]

    # It was meant. Nobody said so, and a week was time to see it: it heals by itself, and old ones go one by one.
    assert nights.back_up(10, plan).reason is None
    assert 2 in nights.left(repository)
    for night in (11, 12, 13, 14):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    assert nights.left(repository) == [13, 14]


def test_a_prune_by_hand_says_that_it_was_meant_and_counts_no_suspect_archive_either(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2, 3):
        fill(pod.data, 20)
        nights.back_up(night, replace(plan, prune=None))
    empty(pod.data)
    nights.back_up(4, plan)
    pruned = pod.run(replace(plan, operation=Operation.PRUNE))
    assert pruned.code == 0
    assert nights.left(repository) == [2, 3, 4]


def test_schedules_in_one_repository_are_compared_each_with_itself(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    big = pod.plan(repository, prune=TWO)
    small = replace(big, schedule="web", repositories=(replace(repository, sources=sources("web")),))
    fill(pod.data, 50)
    fill(pod.root / "sources/web", 2)
    for night in (1, 2):
        for plan in (big, small):
            assert nights.back_up(night, plan).phase is Phase.COMPLETED
    empty(pod.data)
    fill(pod.data, 1)
    assert nights.back_up(3, big).reason == "SourceShrank"
    web = nights.back_up(3, small)
    assert (web.phase, web.reason) == (Phase.COMPLETED, None)
    assert web.prune is not None
    assert (web.prune.kept, web.prune.deleted) == (2, 1)


def test_without_prune_it_is_told_as_well(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    fill(pod.data, 50)
    nights.back_up(1, pod.plan(repository))
    empty(pod.data)
    fill(pod.data, 5)
    result = nights.back_up(2, pod.plan(repository))
    assert (result.phase, result.reason) == (Phase.COMPLETED_WITH_WARNINGS, "SourceShrank")
    assert "pruned" not in result.warnings[0]


@pytest.mark.parametrize("what", ["nothing", "empty folders", "a socket", "lost+found"])
def test_a_first_archive_of_nothing_is_a_warning(pod: Pod, what: str) -> None:
    empty(pod.data)
    if what == "empty folders":
        (pod.data / "a/b/c").mkdir(parents=True)
    elif what == "a socket":
        os.mknod(pod.data / "socket", 0o140600)
    elif what == "lost+found":
        (pod.data / "lost+found").mkdir(mode=0)
    [result] = pod.run(pod.plan()).result.repositories
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED_WITH_WARNINGS, "SourceEmpty", 0)
    assert result.archive is not None


def test_an_archive_of_which_everything_is_excluded_is_a_warning(pod: Pod) -> None:
    [result] = pod.run(pod.plan(pod.repository(exclude=("*.txt",)))).result.repositories
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED_WITH_WARNINGS, "SourceEmpty", 0)
    assert "`exclude`" in result.warnings[0]


def test_a_pattern_that_leaves_out_all_of_one_source_of_two_ages_out_no_good_archive(pod: Pod) -> None:
    nights = Nights(pod)
    fill(pod.root / "sources/media", 40)
    repository = pod.repository(sources=sources("data", "media"))
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    wrong = pod.plan(replace(repository, exclude=("sh:**/media",)), prune=TWO)
    for night in (3, 4, 5):
        result = nights.back_up(night, wrong)
        assert (result.phase, result.reason) == (Phase.COMPLETED_WITH_WARNINGS, "SourceEmpty")
        assert (result.files, result.prune) == (1, None)
        assert one(result.warnings, 'Source "media"', "`exclude`", "leaves out all 40 files", "Nothing was pruned.")
    assert nights.left(repository) == [1, 2, 3, 4, 5]
    assert nights.back_up(6, plan).phase is Phase.COMPLETED
    assert {2, 6} <= set(nights.left(repository)), "corrected: good ones stay, for the others take no good one's place"


def test_a_pattern_that_keeps_archives_below_min_files_ages_out_no_good_archive(pod: Pod) -> None:
    nights = Nights(pod)
    fill(pod.data, 12)
    repository = pod.repository(min_files=10)
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    for night in (3, 4, 5):
        assert (
            nights.back_up(night, pod.plan(replace(repository, exclude=("*/f?",)), prune=TWO)).reason == "TooFewFiles"
        )
    assert nights.back_up(6, plan).phase is Phase.COMPLETED
    assert {2, 6} <= set(nights.left(repository))


PATTERNS = [
    ("*",),
    ("*.txt",),
    ("*/sub",),
    ("*/sub/",),
    ("*/sub/*", "*.txt"),
    ("sh:**/*.txt",),
    ("sh:**/data/*",),
    ("sh:**/data/**/*.txt", "sh:**/data/hello.txt"),
    ("re:/data/",),
    ("re:[.]txt$",),
    ("pp:{data}",),
    ("pp:{data}/sub", "pf:{data}/hello.txt"),
    ("pf:{data}/hello.txt",),
    ("fm:{data}/*",),
    ("{data}/sub/deep/a.txt", "*/hello.*"),
]


@pytest.mark.parametrize("patterns", PATTERNS)
def test_whether_exclude_leaves_out_everything_is_what_borg_says(pod: Pod, patterns: tuple[str, ...]) -> None:
    fill(pod.data / "sub/deep", 0)
    (pod.data / "sub/deep/a.txt").touch()
    fill(pod.root / "sources/other", 1, "keep-")
    given = tuple(pattern.format(data=str(pod.data).lstrip("/")) for pattern in patterns)
    repository = pod.repository(sources=sources("data"), exclude=given)
    [result] = pod.run(pod.plan(repository)).result.repositories
    listed = pod.ask_borg(repository, "list", "--format={type} {path}{NL}", f"REPO::{result.archive}").splitlines()
    kept = [line for line in listed if not line.startswith("d ")]
    assert (result.reason == "SourceEmpty") is (not kept), kept
    assert " suspect" in comments(pod, repository)[0] if not kept else " suspect" not in comments(pod, repository)[0]


@pytest.mark.parametrize("kind", ["empty folder", "link to a folder"])
def test_a_path_that_yields_nothing_is_a_warning_beside_one_that_yields_much(pod: Pod, kind: str) -> None:
    fill(pod.data / "much", 20)
    if kind == "empty folder":
        (pod.data / "current").mkdir()
    else:
        (pod.data / "current").symlink_to("much")
    plan = pod.plan(pod.repository(sources=(SourcePlan("data", ("much", "current")),)))
    [result] = pod.run(plan).result.repositories
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED_WITH_WARNINGS, "SourceEmpty", 20)
    assert f"{pod.data}/current" in result.warnings[0]


def test_min_files_of_nought_says_that_any_number_is_good(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository(min_files=0)
    plan = pod.plan(repository, prune=TWO)
    fill(pod.data, 50)
    nights.back_up(1, plan)
    for night, files in ((2, 5), (3, 0), (4, 0)):
        empty(pod.data)
        fill(pod.data, files)
        result = nights.back_up(night, plan)
        assert (result.phase, result.reason) == (Phase.COMPLETED, None)
    assert nights.left(repository) == [3, 4]


def test_fewer_files_than_min_files_is_a_failure_that_keeps_the_archive_and_prunes_nothing(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository(min_files=10)
    plan = pod.plan(repository, prune=TWO, compact_threshold=10)
    fill(pod.data, 12)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    empty(pod.data)
    fill(pod.data, 9)
    ended = nights.run(3, plan)
    [result] = ended.result.repositories
    assert (ended.code, result.phase, result.reason, result.files) == (1, Phase.FAILED, "TooFewFiles", 9)
    assert "holds 9 files" in (result.error or "")
    assert "asks for 10" in (result.error or "")
    assert result.prune is None
    assert result.compact is not None
    assert result.totals is not None
    assert result.totals.archives == 3
    assert nights.left(repository) == [1, 2, 3]
    fill(pod.data, 10)
    assert nights.back_up(4, plan).phase is Phase.COMPLETED
    assert nights.left(repository) == [2, 3, 4]


def test_sources_that_are_emptied_between_the_look_and_the_backup_are_a_warning(pod: Pod) -> None:
    """As while the run waits for a lock."""
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    for night in (1, 2):
        assert nights.back_up(night, plan).phase is Phase.COMPLETED
    nights.before_borg(f'[ "$1" != create ] || rm {pod.data}/*')
    result = nights.back_up(3, plan)
    assert (result.reason, result.prune) == ("SourceEmpty", None)
    assert result.warnings[0].startswith("The archive holds no file, but the sources held 1 when the run began:")
    nights.pod.borg = nights.real = find_borg()
    assert nights.left(repository) == [1, 2, 3]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("rm {media}/*", "SourceEmpty"),
        ("rm {media}/f?", "SourceShrank"),
        ("chmod 0 {media}", "SourceUnreadable"),
        ("mv {media} {media}-gone", "SourceUnreadable"),
    ],
)
def test_one_of_two_sources_that_goes_away_after_the_look_ages_out_no_good_archive(
    pod: Pod, command: str, reason: str
) -> None:
    """As while the run waits for a lock, or borg makes its cache anew."""
    nights, media = Nights(pod), pod.root / "sources/media"
    fill(media, 10)
    fill(media, 1, "g")
    repository = pod.repository(sources=sources("data", "media"))
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    assert nights.back_up(1, plan).phase is Phase.COMPLETED
    words = command.format(media=media)
    nights.before_borg(f'[ "$1" != create ] || {words}')
    result = nights.back_up(2, plan)
    assert (result.reason, result.prune) == (reason, None)
    assert one([*result.warnings, result.error or ""], 'Source "media"', "Nothing was pruned.")
    nights.pod.borg = nights.real = find_borg()
    assert [comment.endswith(" suspect") for comment in comments(pod, repository)] == [False, True]
    assert nights.left(repository) == [1, 2]

    if media.with_name("media-gone").exists():
        media.with_name("media-gone").rename(media)
    media.chmod(0o755)
    fill(media, 10)
    assert nights.back_up(3, plan).phase is Phase.COMPLETED
    assert nights.left(repository) == [3]


@pytest.mark.parametrize("command", ["rm -r {path}", "chmod 0 {path}", "mv {path} {path}.1"])
@pytest.mark.parametrize("path", ["current.log", "spool"])
def test_a_named_path_that_goes_when_borg_has_read_it_is_nothing_to_tell(pod: Pod, path: str, command: str) -> None:
    """A file, or a folder, that rotates just then."""
    nights = Nights(pod)
    fill(pod.data / "spool", 6)
    (pod.data / "current.log").write_text("lines")
    repository = pod.repository(sources=(SourcePlan("data", ("hello.txt", "current.log", "spool")),))
    nights.around_create(after=command.format(path=pod.data / path))
    result = nights.back_up(1, pod.plan(repository, prune=TWO))
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED, None, 8), result
    assert not comments(pod, repository)[0].endswith(" suspect")


@pytest.mark.parametrize("before", ["rm {path}/f0", "rm -r {path}"])
def test_a_named_folder_that_goes_before_borg_has_read_all_of_it_is_a_failure(pod: Pod, before: str) -> None:
    nights, path = Nights(pod), pod.data / "spool"
    fill(path, 6)
    repository = pod.repository(sources=(SourcePlan("data", ("hello.txt", "spool")),))
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    assert nights.back_up(1, plan).phase is Phase.COMPLETED
    nights.around_create(before.format(path=path), f"rm -rf {path}")
    result = nights.back_up(2, plan)
    assert (result.phase, result.reason, result.prune) == (Phase.FAILED, "SourceUnreadable", None)
    assert [comment.endswith(" suspect") for comment in comments(pod, repository)] == [False, True]
    assert nights.left(repository) == [1, 2]


@pytest.mark.parametrize("command", ["rm {media}/*", "rm {media}/f?"])
def test_a_source_that_is_emptied_when_borg_has_read_it_is_nothing_to_tell(pod: Pod, command: str) -> None:
    nights, media = Nights(pod), pod.root / "sources/media"
    fill(media, 12)
    repository = pod.repository(sources=sources("data", "media"))
    nights.around_create(after=command.format(media=media))
    result = nights.back_up(1, pod.plan(repository, prune=TWO))
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED, None, 13)
    assert not comments(pod, repository)[0].endswith(" suspect")


@pytest.mark.parametrize(
    ("before", "after", "exclude", "reason"),
    [
        ("mv {m} {m}.gone; mkdir {m}", "rmdir {m}; mv {m}.gone {m}", (), "SourceEmpty"),
        ("mv {m} {m}.gone; mkdir {m}; touch {m}/f1", "rm -r {m}; mv {m}.gone {m}", (), "SourceShrank"),
        ("mkdir {m}.gone; mv {m}/* {m}.gone", "mv {m}.gone/* {m}", (), "SourceEmpty"),
        ("mv {m} {m}.gone; mkdir {m}", "rm -r {m}; cp -r {m}.gone {m}", ("*/cache",), "SourceEmpty"),
    ],
    ids=["another folder", "a folder with less", "its files", "another folder, with exclude"],
)
def test_a_source_that_goes_away_and_comes_back_while_borg_works_ages_out_no_good_archive(
    pod: Pod, before: str, after: str, exclude: tuple[str, ...], reason: str
) -> None:
    nights, media = Nights(pod), pod.root / "sources/media"
    fill(media, 11)
    repository = pod.repository(sources=sources("data", "media"), exclude=exclude)
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    assert nights.back_up(1, plan).phase is Phase.COMPLETED
    nights.around_create(before.format(m=media), after.format(m=media))
    result = nights.back_up(2, plan)
    assert (result.phase, result.reason, result.prune) == (Phase.COMPLETED_WITH_WARNINGS, reason, None)
    assert one(result.warnings, 'Source "media"', "held 11 files", "and 11 when borg had ended", "Nothing was pruned.")
    assert [comment.endswith(" suspect") for comment in comments(pod, repository)] == [False, True]
    assert nights.left(repository) == [1, 2]


@pytest.mark.parametrize("exclude", [(), ("*/f1",)], ids=["all of it", "with exclude"])
@pytest.mark.parametrize("how", ["a folder", "a link", "hard links", "paths inside each other"])
def test_what_is_replaced_while_borg_works_and_was_read_is_nothing_to_tell(
    pod: Pod, how: str, exclude: tuple[str, ...]
) -> None:
    """As ConfigMaps and git-sync do it, with a link, and others with a folder."""
    nights, media = Nights(pod), pod.root / "sources/media"
    fill(media / "v1", 12)
    shutil.copytree(media / "v1", media / "v2")
    paths: tuple[str, ...] = ("v1",)
    after = ":"
    if how == "a folder":
        after = f"mv {media}/v1 {media}/v0; mv {media}/v2 {media}/v1"
    elif how == "a link":
        (media / "..data").symlink_to("v1")
        paths, after = (".",), f"ln -s v2 {media}/new; mv -T {media}/new {media}/..data"
    elif how == "hard links":
        for number in range(40):
            os.link(media / "v1/f2", media / f"v1/link{number}")
    elif how == "paths inside each other":
        paths = (".", "v1", "v2")
    repository = pod.repository(sources=(SourcePlan("data"), SourcePlan("media", paths)), exclude=exclude)
    nights.around_create(after=after)
    result = nights.back_up(1, pod.plan(repository, prune=TWO))
    assert (result.phase, result.reason) == (Phase.COMPLETED, None), result


@pytest.mark.parametrize("who", ["another run", "an earlier pod of the run"])
def test_an_archive_at_which_its_killed_run_did_not_look_takes_no_good_ones_place(pod: Pod, who: str) -> None:
    nights, media = Nights(pod), pod.root / "sources/media"
    fill(media, 11)
    repository = pod.repository(sources=sources("data", "media"))
    plan = pod.plan(repository, prune=Retention.only(keep_daily=1))
    assert nights.back_up(1, plan).phase is Phase.COMPLETED
    pod.job_uid = "of-two-pods"
    nights.around_create(
        f"mv {media} {media}.gone; mkdir {media}", f"rmdir {media}; mv {media}.gone {media}; kill -9 $PPID"
    )
    inner, nights.real = nights.real, nights.pod.borg
    nights.wrapper.write_text(f'#!/bin/sh\nshift; exec {inner} create --timestamp=2026-03-02T02:00:00 "$@"\n')
    pod.borg = nights.wrapper
    with pod.running(plan) as process:
        process.wait()
    pod.borg = nights.real = find_borg()
    [killed] = set(pod.archives(repository)) - {nights.names[1]}
    while killed.endswith(f"-{int(time.time())}"):
        time.sleep(0.05)
    assert not comments(pod, repository)[1].endswith(" suspect"), "borg had ended, and nobody had looked"

    knows = repository
    if who == "another run":
        pod.job_uid, knows = "uid-3", replace(repository, unjudged_runs=("db-1/of-two-p",))
    result = nights.back_up(3, pod.plan(knows, prune=Retention.only(keep_daily=2)))
    assert one(result.warnings, f'Archive "{killed}" is of run "db-1/of-two-p", which ended before it had looked')
    assert [comment.endswith(" suspect") for comment in comments(pod, repository)] == [False, True, False]
    assert result.prune is not None
    assert (result.prune.kept, result.prune.deleted) == (3, 0)
    pod.job_uid = "uid-4"
    again = nights.back_up(4, pod.plan(knows, prune=Retention.only(keep_daily=2)))
    assert (again.phase, nights.left(repository)) == (Phase.COMPLETED, [3, 4]), "it is marked once"


def test_a_run_that_waits_for_the_lock_looks_at_the_sources_once_more(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    nights.back_up(1, plan)
    # Borg's own answer to a lock that is held, once; by then the volume is gone.
    nights.before_borg(
        f'if [ "$1" = create ] && [ ! -e {pod.root}/tmp/once ]; then\n'
        f"touch {pod.root}/tmp/once; rm {pod.data}/*; exit 73\nfi"
    )
    result = nights.back_up(2, plan)
    assert (result.reason, result.prune) == ("SourceEmpty", None)
    assert one(result.warnings, f"{pod.data} holds no file")
    nights.pod.borg = nights.real = find_borg()
    assert comments(pod, repository)[1].endswith(" files=data:0 suspect")


def test_a_mark_that_cannot_be_written_is_told(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    plan = pod.plan(repository, prune=TWO)
    nights.back_up(1, plan)
    nights.before_borg(f'case "$1" in create) rm {pod.data}/* ;; recreate) exit 2 ;; esac')
    result = nights.back_up(2, plan)
    assert (result.reason, result.prune) == ("SourceEmpty", None)
    assert one(result.warnings, "seems to lack files, and that could not be noted in it", "The next run")
    assert result.unjudged
    nights.pod.borg = nights.real = find_borg()
    while str(result.archive).endswith(f"-{int(time.time())}"):
        time.sleep(0.05)
    fill(pod.data, 1)
    nights.back_up(3, pod.plan(replace(repository, unjudged_runs=("db-1/uid-2",)), prune=TWO))
    assert [comment.endswith(" suspect") for comment in comments(pod, repository)] == [False, True, False]


def test_without_prune_a_source_that_shrank_is_told_for_seven_days_of_hours(pod: Pod) -> None:
    repository = pod.repository(encryption="none", passphrase=None)
    owner = ArchiveOwner("team", "db", "main")
    pod.ask_borg(repository, "init", "--encryption=none", "REPO")
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for hours in (190, *range(150, 0, -10)):
        comment = render_comment(owner, "r", ArchiveContent({"data": 50 if hours >= 150 else 1}))
        stamp = (now - dt.timedelta(hours=hours)).isoformat(timespec="seconds")
        name = f"REPO::db-{1_700_000_000 - hours}"
        pod.ask_borg(repository, "create", f"--comment={comment}", f"--timestamp={stamp}", name, str(pod.data))
    [result] = pod.run(pod.plan(repository)).result.repositories
    assert result.reason == "SourceShrank"
    assert one(result.warnings, "has 1 files, and had 50")


def test_that_nothing_could_be_compared_is_told(pod: Pod) -> None:
    nights, repository = Nights(pod), pod.repository()
    nights.back_up(1, pod.plan(repository))
    nights.before_borg('[ "$1" != list ] || exit 2')
    result = nights.back_up(2, pod.plan(repository))
    assert (result.phase, result.reason) == (Phase.COMPLETED_WITH_WARNINGS, None)
    assert one(result.warnings, "Nobody could tell whether a source shrank")


def test_an_edit_of_paths_is_no_source_that_shrank(pod: Pod) -> None:
    nights = Nights(pod)
    for name, count in (("a", 20), ("b", 60)):
        fill(pod.data / name, count)
    repository = pod.repository(sources=(SourcePlan("data", ("a", "b")),))
    fewer = replace(repository, sources=(SourcePlan("data", ("a",)),))
    nights.back_up(1, pod.plan(repository, prune=TWO))
    for night in (2, 3):
        result = nights.back_up(night, pod.plan(fewer, prune=TWO))
        assert (result.phase, result.reason) == (Phase.COMPLETED, None)
    assert nights.left(repository) == [2, 3]


def test_a_source_of_links_alone_is_not_empty(pod: Pod) -> None:
    """Borg's number of files is one of files alone."""
    empty(pod.data)
    (pod.data / "link").symlink_to("elsewhere")
    (pod.data / "cache").symlink_to("elsewhere")
    result = pod.run(pod.plan(pod.repository(exclude=("*/cache",)))).result.repositories[0]
    assert (result.phase, result.reason, result.files) == (Phase.COMPLETED, None, 0)


@pytest.mark.parametrize(
    "how", ["root unreadable", "no file readable", "only a link", "missing", "path missing", "not a folder"]
)
def test_what_can_be_read_is_archived_and_the_rest_is_a_failure_that_prunes_nothing(pod: Pod, how: str) -> None:
    nights = Nights(pod)
    priv = pod.root / "sources/priv"
    fill(priv / "sub", 3)
    fill(priv, 1)
    paths = {"path missing": (".", "uploads"), "not a folder": ("sub", "f0/x")}.get(how, (".",))
    repository = pod.repository(sources=(SourcePlan("priv", paths), SourcePlan("data")))
    plan = pod.plan(repository, prune=TWO, compact_threshold=10)
    whole = pod.plan(replace(repository, sources=(SourcePlan("priv"), SourcePlan("data"))), prune=TWO)
    for night in (1, 2) if how == "root unreadable" else (2,):
        assert nights.back_up(night, whole).phase is Phase.COMPLETED
    if how == "root unreadable":
        priv.chmod(0)
    elif how in ("no file readable", "only a link"):
        for path in priv.rglob("f*"):
            path.chmod(0)
        if how == "only a link":
            (priv / "link").symlink_to("elsewhere")
    elif how == "missing":
        shutil.rmtree(priv)

    for night in (3, 4) if how == "root unreadable" else (3,):
        ended = nights.run(night, plan)
        [result] = ended.result.repositories
        assert (ended.code, result.phase, result.reason) == (1, Phase.FAILED, "SourceUnreadable")
        assert result.archive is not None
        assert result.archive in (result.error or "")
        assert '"data"' in (result.error or "")
        assert 'Source "priv" cannot be read' in (result.error or "")
        assert "main (SourceUnreadable)" in ended.result.message
        assert result.files
        assert result.prune is None
        assert result.compact is not None
        assert result.totals is not None
        assert result.totals.archives == len(nights.names)
        listed = pod.ask_borg(repository, "list", "--format={path}{NL}", f"REPO::{result.archive}")
        assert f"{pod.data}/hello.txt".lstrip("/") in listed
    assert nights.left(repository) == sorted(nights.names)

    # Whole again: the partial ones take nobody's place.
    if priv.exists():
        priv.chmod(0o755)
    fill(priv / "sub", 3)
    fill(priv, 1)
    for path in priv.rglob("f*"):
        path.chmod(0o644)
    assert nights.back_up(5, whole).phase is Phase.COMPLETED
    assert {2, 5} <= set(nights.left(repository))


def test_sources_of_which_none_can_be_read_make_no_archive(pod: Pod) -> None:
    repository = pod.repository(sources=sources("gone", "lost"))
    [result] = pod.run(pod.plan(repository)).result.repositories
    assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "SourceUnreadable", None)
    assert "gone" in (result.error or "")
    assert "lost" in (result.error or "")
    assert not Path(repository.location).exists()


def test_a_warning_about_a_path_of_any_length_says_why(pod: Pod) -> None:
    folder = pod.data
    for _ in range(12):
        folder = folder / ("d" * 200)
    folder.mkdir(parents=True)
    for number in range(30):
        path = folder / f"{'x' * 200}{number}"
        path.write_text("x")
        path.chmod(0)
    [result] = pod.run(pod.plan()).result.repositories
    assert result.warning_count == 30
    assert result.warnings
    for warning in result.warnings:
        assert warning.endswith("[Errno 13] Permission denied")


def test_what_borg_does_not_keep_is_as_the_docs_say(pod: Pod) -> None:
    for name, year in (
        ("old", "1960-05-05T01:02:03"),
        ("fine", "2020-01-01T00:00:00"),
        ("late", "2045-01-01T00:00:00"),
    ):
        (pod.data / name).write_text(name)
        stamp = dt.datetime.fromisoformat(f"{year}+00:00").timestamp()
        os.utime(pod.data / name, (stamp, stamp))
    os.mknod(pod.data / "socket", 0o140600)
    os.mkfifo(pod.data / "fifo")
    os.link(pod.data / "fine", pod.data / "hard")
    ended = pod.run(pod.plan())
    assert ended.result.phase is Phase.COMPLETED
    assert "note: of 1 sockets in the sources borg keeps nothing" in ended.log
    [result] = ended.result.repositories
    text = "--format={type} {source} {isomtime} {path}{NL}"
    lines = pod.ask_borg(pod.repository(), "list", text, f"REPO::{result.archive}").splitlines()
    kept = {line.rpartition("/")[2]: line for line in lines}
    assert "1970-01-01" in kept["old"]
    assert "2038-01-17" in kept["late"]
    assert "2020-01-01" in kept["fine"]
    assert "socket" not in kept
    assert kept["fifo"].startswith("p")
    assert "data/fine" in kept["hard"] or "data/hard" in kept["fine"]
