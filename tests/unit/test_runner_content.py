"""What sources hold, and what an archive of them is worth beside earlier ones."""

import ctypes
import datetime as dt
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.ownership import (
    ArchiveContent,
    ArchiveOwner,
    digest_paths,
    parse_comment,
    parse_content,
    render_comment,
)
from borg_contract.plan import SourcePlan
from borg_contract.reasons import Reason
from borg_contract.retention import Retention
from borg_runner.borg.message import parse_message
from borg_runner.fault import Fault, FaultError
from borg_runner.log import shorten
from borg_runner.verbs.prune import find_kept
from borg_runner.work.content import (
    MEMORY,
    PastArchive,
    explain_too_few,
    explain_unreadable,
    find_shrunk,
    find_staying,
    find_suspect,
    find_suspicions,
    has_good_of_late,
    has_shrunk,
)
from borg_runner.work.sources.folder import Excluded, derive_excluded
from borg_runner.work.sources.survey import Survey, survey_sources

OWNER = ArchiveOwner("team", "db", "main", "3f9a")


def survey(root: Path, *paths: str) -> Survey:
    return survey_sources((SourcePlan("data", paths or (".",)),), root)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_paths_are_absolute_and_each_is_backed_up_once(tmp_path: Path, data: Path) -> None:
    (data / "a").mkdir()
    (tmp_path / "more").mkdir()
    (data / "b/file").parent.mkdir()
    (data / "b/file").touch()
    sources = (SourcePlan("data", ("b", "a", "./b/")), SourcePlan("more"))
    found = survey_sources(sources, tmp_path)
    assert found.paths == [f"{data}/b", f"{data}/a", f"{tmp_path}/more"]
    assert found.files == {"data": 1, "more": 0}


@pytest.mark.parametrize("paths", [(".", "a", "a/b/file"), ("a/b/file", "a", "."), ("a/b", ".")])
def test_what_borg_comes_to_by_another_path_is_given_to_it_once_and_counted_once(
    tmp_path: Path, data: Path, paths: tuple[str, ...]
) -> None:
    (data / "a/b").mkdir(parents=True)
    (data / "a/b/file").touch()
    os.link(data / "a/b/file", data / "hard")
    found = survey_sources((SourcePlan("data", paths),), tmp_path, excluded=derive_excluded((), 3))
    assert (found.paths, found.files, found.regular) == ([f"{data}"], {"data": 2}, 2)
    assert not found.derive_content(2).suspect
    assert found.derive_content(3).suspect


def test_what_is_exchanged_while_it_is_looked_for_is_still_given_to_borg_once(tmp_path: Path, data: Path) -> None:
    (data / "mail").mkdir()
    (data / "mail/0").touch()
    (data / "other").mkdir()

    def exchange() -> None:
        (data / "mail").rename(data / "old")
        (data / "other").rename(data / "mail")

    steps = iter([lambda: None, exchange])

    def step() -> None:
        next(steps, lambda: None)()

    found = survey_sources((SourcePlan("data", ("mail", ".")),), tmp_path, on_folder=step)
    assert found.paths == [str(data)]


@pytest.mark.parametrize(
    ("patterns", "given"),
    [
        (["re:a$"], [".", "a/b"]),
        (["pf:{data}/a"], [".", "a/b"]),
        (["re:data$"], [".", "a/b"]),
        (["re:b$"], ["."]),  # borg leaves it out in any case
        (["re:x$"], ["."]),
    ],
)
def test_what_lies_in_a_folder_that_is_left_out_is_given_to_borg(
    tmp_path: Path, data: Path, patterns: list[str], given: list[str]
) -> None:
    (data / "a/b").mkdir(parents=True)
    (data / "a/b/file").touch()
    for min_files in (None, 0):
        excluded = derive_excluded([pattern.format(data=data) for pattern in patterns], min_files)
        found = survey_sources((SourcePlan("data", (".", "a/b")),), tmp_path, excluded=excluded)
        assert found.paths == [os.path.normpath(data / path) for path in given]


@pytest.mark.parametrize("paths", [("alias/inner", "real"), ("hard", "real"), ("alias/inner", "hard", "real", "other")])
def test_borg_is_given_nothing_before_a_folder_that_has_it_by_another_name(
    tmp_path: Path, data: Path, paths: tuple[str, ...]
) -> None:
    (data / "real/inner").mkdir(parents=True)
    (data / "real/inner/file").touch()
    (data / "other").mkdir()
    (data / "alias").symlink_to("real")
    os.link(data / "real/inner/file", data / "hard")
    found = survey(tmp_path, *paths).paths
    assert sorted(found) == sorted(str(data / path) for path in paths)
    assert found.index(f"{data}/real") < min(found.index(f"{data}/{path}") for path in paths if path[0] in "ah")


@pytest.mark.parametrize("paths", [("real", "alias/real"), ("hard", "real/file")])
def test_of_one_folder_or_file_by_two_names_borg_is_given_one_and_the_other_is_told(
    tmp_path: Path, data: Path, paths: tuple[str, ...]
) -> None:
    (data / "real").mkdir()
    (data / "real/file").touch()
    (data / "alias").symlink_to(".")
    os.link(data / "real/file", data / "hard")
    found = survey(tmp_path, *paths)
    assert found.paths == [f"{data}/{paths[0]}"]
    assert found.files == {"data": 1}
    fault = explain_unreadable(found, "night")
    assert fault is not None
    assert (
        f"{data}/{paths[1]} is the same as {data}/{paths[0]} by its device and inode, and borg archives that once"
        in fault.text
    )


@pytest.mark.parametrize("path", ["..", "a/../../x", "/etc", "link/passwd"])
def test_a_path_that_leaves_its_volume_is_left_out_and_told(tmp_path: Path, data: Path, path: str) -> None:
    (data / "link").symlink_to("/etc")
    found = survey(tmp_path, path, ".")
    assert found.paths == [str(data)]
    fault = explain_unreadable(found, "a1")
    assert fault is not None
    assert "leads out of the volume" in fault.text


def test_without_sources_there_is_nothing_to_back_up() -> None:
    fault = explain_unreadable(Survey(()), None)
    assert fault is not None
    assert "nothing to back up" in fault.text


@pytest.mark.parametrize(
    ("path", "why"), [("nix", "No such file or directory"), ("file/x", "Not a directory"), ("loop/x", "symbolic links")]
)
def test_each_named_path_must_be_there(tmp_path: Path, data: Path, path: str, why: str) -> None:
    (data / "file").touch()
    (data / "loop").symlink_to("loop")
    found = survey(tmp_path, path, "file")
    assert found.paths == [f"{data}/file"]
    fault = explain_unreadable(found, "a1")
    assert fault is not None
    assert why in fault.text or "leads out" in fault.text
    assert 'Archive "a1" holds "data", but not all' in fault.text


def test_all_that_borg_keeps_counts_and_sockets_and_folders_do_not(tmp_path: Path, data: Path) -> None:
    (data / "a/b").mkdir(parents=True)
    (data / "a/file").write_text("x")
    os.link(data / "a/file", data / "a/b/hard")
    (data / "soft").symlink_to("/nowhere")
    os.mkfifo(data / "a/fifo")
    os.mknod(data / "socket", 0o140600)
    assert survey(tmp_path).files == {"data": 4}
    assert survey(tmp_path, "socket").empty
    assert not survey(tmp_path, "a/fifo").empty


def test_a_link_named_as_a_path_is_empty_for_borg_follows_none(tmp_path: Path, data: Path) -> None:
    (data / "real").mkdir()
    (data / "real/file").touch()
    (data / "current").symlink_to("real")
    [fault] = find_suspicions(survey(tmp_path, "current"), files=0, excludes=False)
    assert "symbolic link" in fault.text


def left_out(root: Path, *patterns: str, min_files: int | None = None, paths: tuple[str, ...] = (".",)) -> list[str]:
    excluded = derive_excluded(patterns, min_files)
    found = survey_sources((SourcePlan("data", paths),), root, excluded=excluded)
    assert found.derive_content(min_files).suspect is bool(found.left_out), found
    return [item.path for item in found.left_out]


@pytest.mark.parametrize(
    ("patterns", "goes"),
    [
        ((), False),
        (("*.tmp",), False),
        (("*.txt",), False),
        (("*.txt", "*.tmp"), True),
        (("*",), True),
        (("re:.",), True),
        (("sh:**/data",), True),
        (("pf:{data}/a/one.txt",), False),
        (("pp:{data}/a", "pp:{data}/b"), True),
        (("pp:{data}/a",), False),
    ],
)
def test_a_source_of_which_exclude_leaves_out_everything_is_as_good_as_empty(
    tmp_path: Path, data: Path, patterns: tuple[str, ...], *, goes: bool
) -> None:
    for name in ("a/one.txt", "a/b/two.txt", "b/three.tmp"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    given = tuple(pattern.format(data=str(data).lstrip("/")) for pattern in patterns)
    assert left_out(tmp_path, *given) == ([str(data)] if goes else [])
    found = survey_sources((SourcePlan("data"),), tmp_path, excluded=derive_excluded(given, None))
    told = [fault.text for fault in find_suspicions(found, files=0 if goes else 1, excludes=True)]
    assert (told != []) is goes
    assert all("`exclude` of the BorgRepository leaves out all 3 files" in text for text in told)


def test_each_path_of_a_source_is_judged_by_itself_and_one_that_is_empty_is_not_left_out(
    tmp_path: Path, data: Path
) -> None:
    for name in ("one", "two", "three"):
        (data / name).mkdir()
    (data / "one/x.txt").touch()
    (data / "two/x.tmp").touch()
    (data / "single.tmp").touch()
    paths = ("one", "two", "single.tmp")
    assert left_out(tmp_path, "*.tmp", paths=paths) == [f"{data}/two", f"{data}/single.tmp"]
    found = survey_sources((SourcePlan("data", ("three",)),), tmp_path, excluded=derive_excluded(["*"], None))
    assert (found.left_out, len(found.empty)) == ([], 1)


def test_where_any_number_is_good_no_pattern_is_judged(tmp_path: Path, data: Path) -> None:
    (data / "x").touch()
    assert left_out(tmp_path, "*", min_files=0) == []


@pytest.mark.parametrize(("min_files", "suspect"), [(3, False), (4, True), (5, True)])
def test_an_archive_that_exclude_keeps_below_min_files_is_suspect(
    tmp_path: Path, data: Path, min_files: int, *, suspect: bool
) -> None:
    for name in ("1.txt", "2.txt", "3.txt", "1.tmp", "2.tmp"):
        (data / name).touch()
    excluded = derive_excluded(["*.tmp"], min_files)
    found = survey_sources((SourcePlan("data"),), tmp_path, excluded=excluded)
    assert found.derive_content(min_files) == ArchiveContent({"data": 5}, suspect)


def test_no_more_paths_are_tried_than_it_takes_to_find_one_that_stays(tmp_path: Path, data: Path) -> None:
    for number in range(200):
        (data / f"{number}").touch()
    tried: list[str] = []

    def leaves_out(path: str) -> bool:
        tried.append(path)
        return False

    excluded = Excluded(leaves_out)
    assert survey_sources((SourcePlan("data"),), tmp_path, excluded=excluded).files == {"data": 200}
    assert len(tried) == 2, "the folder and a file in it"


def test_looking_can_be_stopped_between_folders(tmp_path: Path, data: Path) -> None:
    (data / "a").mkdir()
    seen: list[int] = []

    def stop() -> None:
        seen.append(len(seen))
        if len(seen) > 1:
            raise FaultError(Fault(Reason.INTERRUPTED, "stopped"))

    with pytest.raises(FaultError):
        survey_sources((SourcePlan("data"),), tmp_path, on_folder=stop)


@pytest.fixture
def dead_mount(data: Path) -> Iterator[Path]:
    """Mount a FUSE file system whose server died, which is how s3fs, sshfs and many CSI drivers end."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = data / "mnt"
    place.mkdir()
    try:
        fd = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    failed = libc.mount(b"dead", str(place).encode(), b"fuse", 0, options.encode())
    os.close(fd)
    if failed:
        pytest.skip(f"not allowed to mount: {os.strerror(ctypes.get_errno())}")
    yield place
    libc.umount2(str(place).encode(), 2)


def test_a_dead_mount_is_no_empty_source(tmp_path: Path, data: Path, dead_mount: Path) -> None:
    assert dead_mount
    (data / "fine").touch()
    found = survey(tmp_path, "fine", "mnt")
    assert found.paths == [f"{data}/fine"]
    fault = explain_unreadable(found, "a1")
    assert fault is not None
    assert "Transport endpoint is not connected" in fault.text


@pytest.mark.parametrize(
    ("before", "now", "shrunk"),
    [
        (1, 1, False),
        (2, 1, False),
        (5, 1, False),
        (6, 1, True),
        (6, 2, False),
        (10, 4, True),
        (10, 5, False),
        (10, 20, False),
        (1_000_000, 499_999, True),
        (1_000_000, 500_000, False),
    ],
)
def test_far_fewer_is_less_than_half_and_at_least_five_fewer(before: int, now: int, *, shrunk: bool) -> None:
    assert has_shrunk(before, now) is shrunk


def past(*levels: tuple[int, int], suspect: tuple[int, ...] = ()) -> list[PastArchive]:
    """Return archives of the days and numbers of files in `levels`."""
    return [
        PastArchive(f"day-{day}", when(day), ArchiveContent({"data": files}, day in suspect)) for day, files in levels
    ]


def when(day: int) -> dt.datetime:
    return dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC) + dt.timedelta(days=day)


@pytest.mark.parametrize(
    ("earlier", "day", "from_day"),
    [
        ([], 1, None),
        ([(0, 100)], 1, 0),
        ([(0, 100), (1, 10)], 2, 0),
        ([(0, 100), (1, 10)], 7, 0),
        ([(0, 100), (1, 10)], 8, None),
        ([(0, 100)], 300, 0),  # the last one always counts, however rare they are
        ([(0, 100), (30, 10)], 60, None),
        ([(0, 100), (1, 300), (2, 100)], 3, 1),
        ([(0, 12)], 1, None),
    ],
)
def test_what_was_in_the_last_seven_days_and_in_the_last_archive_counts(
    earlier: list[tuple[int, int]], day: int, from_day: int | None
) -> None:
    shrunk = find_shrunk(ArchiveContent({"data": 10}), when(day), past(*earlier))
    assert {source: archive.name for source, (_, archive) in shrunk.items()} == (
        {} if from_day is None else {"data": f"day-{from_day}"}
    )


def test_a_source_that_is_new_or_gone_or_of_another_tool_is_compared_with_nothing() -> None:
    before = [
        PastArchive("a", when(0), ArchiveContent({"old": 100})),
        PastArchive("b", when(1), ArchiveContent()),
    ]
    assert not find_shrunk(ArchiveContent({"data": 1}), when(2), before)


def test_archives_are_suspect_by_their_comment_or_by_what_was_before() -> None:
    archives = past((0, 100), (1, 0), (2, 10), (3, 100), (4, 90), suspect=(1,))
    assert find_suspect(archives, may_shrink=False) == {"day-1", "day-2"}
    assert find_suspect(archives, may_shrink=True) == {"day-1"}
    assert find_suspect([], may_shrink=False) == set()


def test_only_a_source_of_which_the_same_paths_are_asked_for_is_compared(tmp_path: Path, data: Path) -> None:
    def content(files: int, *paths: str) -> ArchiveContent:
        return ArchiveContent({"data": files}, paths={"data": digest_paths(paths)} if digest_paths(paths) else {})

    both = [PastArchive("both", when(0), content(80, "a", "b"))]
    assert not find_shrunk(content(20, "a"), when(1), both)
    assert not find_shrunk(content(20, "."), when(1), both)
    assert find_shrunk(content(20, "b/", "./a"), when(1), both)
    for path in ("a", "b"):
        (data / path).mkdir()
    assert survey(tmp_path, "a", "b").derive_content(None).paths == both[0].content.paths
    assert survey(tmp_path).derive_content(None).paths == {}


def test_four_thousand_archives_are_judged_in_linear_time() -> None:
    archives = past(*((hour, hour % 97) for hour in range(4000)))
    archives = [replace(archive, began=when(0) + n * dt.timedelta(minutes=5)) for n, archive in enumerate(archives)]
    began = time.process_time()
    assert find_suspect(archives, may_shrink=False)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("days", "suspect", "good"),
    [
        ([], [], False),
        ([3], [], True),
        ([3, 4, 5], [4, 5], True),
        ([3, 10], [10], True),
        ([2, 9], [9], False),
        ([2], [], True),  # the last one counts, however old
        ([3, 4], [3, 4], False),
        ([11], [], False),
    ],
)
def test_for_a_week_after_the_last_good_archive_nothing_is_pruned(
    days: list[int], suspect: list[int], *, good: bool
) -> None:
    archives = past(*((day, 9) for day in days))
    assert has_good_of_late(archives, {f"day-{day}" for day in suspect}, when(10)) is good


def test_each_rule_is_applied_to_all_and_to_the_good_ones_alone() -> None:
    archives = past(*((day, 9) for day in range(10)))
    suspect = {"day-7", "day-8", "day-9"}

    def stay(**rules: int | str) -> list[str]:
        now = when(10)
        return sorted(find_staying(archives, suspect, Retention.only(**rules), now=now))

    assert stay(keep_daily=2) == ["day-5", "day-6", "day-8", "day-9"]
    assert stay(keep_within="2d") == ["day-5", "day-6", "day-9"]  # good ones do not go while no other comes
    assert stay(keep_weekly=1) == ["day-6", "day-9"]
    assert stay(keep_within="3000y") == stay(keep_within="999999999y") == [f"day-{day}" for day in range(10)]
    assert sorted(find_staying(archives[7:], suspect, Retention.only(keep_daily=1), now=when(10))) == ["day-9"]


YEARS = 3
NIGHTS: dict[str, Callable[[int], bool]] = {
    "never": lambda _: False,
    "always": lambda _: True,
    "after a good month always": lambda day: day > 30,
    "a month": lambda day: 20 <= day < 50,
    "half a year": lambda day: 100 <= day < 283,
    "every 2nd": lambda day: day % 2 == 1,
    "every 3rd": lambda day: day % 3 == 1,
    "every 7th": lambda day: day % 7 == 1,
    "every 30th": lambda day: day % 30 == 1,
    "all but each 3rd": lambda day: day % 3 != 0,
    "all but Sundays": lambda day: day % 7 != 0,
    "the last nights of weeks and of each month": lambda day: day % 7 == 6 or day % 30 > 27,
    "by chance": lambda day: random.Random(day).random() < 0.3,
}
LONG = {"always", "after a good month always", "a month", "half a year"}
"""Of a source that shrank, and stays so, the smaller archives are good ones after a week."""
RULES = [Retention(), Retention.only(keep_within="3d", keep_monthly=3, keep_quarterly=4)]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: str(rules.rules))
@pytest.mark.parametrize("pattern", NIGHTS)
@pytest.mark.parametrize("kind", ["empty", "shrunken"])
def test_in_three_years_of_bad_nights_archives_stay_few_and_good_ones_where_they_would_be_without_bad_ones(
    pattern: str, kind: str, rules: Retention
) -> None:
    """Each night as the runner does it, beside a repository into which nothing is written on a bad night."""
    is_bad = NIGHTS[pattern]
    archives: list[PastArchive] = []
    healthy: dict[str, dt.datetime] = {}
    most = 0
    for day in range(YEARS * 365):
        bad, now = is_bad(day), when(day)
        files = {"data": (0 if kind == "empty" else 100) if bad else 1000}
        this = PastArchive(f"day-{day}", now, ArchiveContent(files, bad and kind == "empty"))
        told = this.content.suspect or bool(find_shrunk(this.content, now, archives))
        earlier, archives = archives, [*archives, this]
        suspect = find_suspect(archives, may_shrink=False)
        if not told or not has_good_of_late(earlier, suspect, now):
            staying = find_staying(archives, suspect, rules, now=now)
            archives = [archive for archive in archives if archive.name in staying]
        if not bad:
            healthy[this.name] = now
            healthy = {name: healthy[name] for name in find_kept(healthy, rules, now=now)}
        most = max(most, len(archives))
        if kind == "empty" or pattern not in LONG:
            assert healthy.keys() <= {archive.name for archive in archives}, day
    every = {f"day-{day}": when(day) for day in range(YEARS * 365)}
    bound = len(find_kept(every, rules, now=max(every.values())))
    assert most <= 2 * bound + 1 + MEMORY.days


@pytest.mark.parametrize(("files", "least", "enough"), [(0, None, True), (0, 0, True), (4, 5, False), (5, 5, True)])
def test_too_few_is_less_than_was_asked_for(files: int, least: int | None, *, enough: bool) -> None:
    fault = explain_too_few(files, least, "a1")
    assert (fault is None) is enough
    assert fault is None or fault.reason is Reason.TOO_FEW_FILES


@pytest.mark.parametrize("suspect", [True, False])
@pytest.mark.parametrize("files", [{}, {"data": 0}, {"data": 12, "a-b": 3_000_000_000}])
def test_what_an_archive_holds_comes_back_from_its_comment(files: dict[str, int], *, suspect: bool) -> None:
    paths = {name: digest_paths(("a", name)) for name in list(files)[1:]}
    content = ArchiveContent(files, suspect, paths)
    comment = render_comment(OWNER, "db-1", content)
    assert parse_comment(comment) == OWNER
    assert parse_content(comment) == content


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "files=data:3",
        f"{render_comment(OWNER, 'db-1')} files=data:x",
        "x suspect",
        f"{render_comment(OWNER, 'db-1')} files=data:{'9' * 5000}",
    ],
)
def test_a_comment_that_is_not_ours_tells_no_content(comment: str) -> None:
    assert parse_content(comment) == ArchiveContent()


WHY = [
    ("{path}: open: [Errno 13] Permission denied: '{name}'", "open: [Errno 13] Permission denied"),
    ('{path}: open: [Errno 13] Permission denied: "it\'s {name}"', "open: [Errno 13] Permission denied"),
    ("{path}: read: [Errno 5] Input/output error", "read: [Errno 5] Input/output error"),
    ("{path}: scandir: [Errno 116] Stale file handle: '{name}'", "scandir: [Errno 116] Stale file handle"),
    (
        "{path}: stat: [Errno 107] Transport endpoint is not connected: '{name}'",
        "[Errno 107] Transport endpoint is not connected",
    ),
    ("{path}: file changed while we backed it up", "file changed while we backed it up"),
]


@pytest.mark.parametrize(("words", "why"), WHY)
@pytest.mark.parametrize("length", [100, 200, 400])
def test_a_warning_that_is_cut_keeps_its_reason(words: str, why: str, length: int) -> None:
    text = words.format(path="sources/data/" + "d" * 3000, name="n" * 250)
    line = json_line(text)
    cut = shorten(parse_message(line).gist, length, end=48)
    assert len(cut) <= length
    assert cut.endswith(why)
    assert cut.startswith("sources/data/")


def json_line(text: str) -> str:
    return json.dumps({"type": "log_message", "levelname": "WARNING", "message": text, "name": "borg"})
