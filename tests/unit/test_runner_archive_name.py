"""Names of archives, and above all: whose archives a pattern for prune matches."""

import datetime as dt
import itertools
import re
from fnmatch import translate

import pytest

from borg_contract.archive_name import (
    derive_prune_glob,
    find_template_problems,
    overlaps,
    render_archive_name,
)

NOW = dt.datetime(2026, 3, 29, 1, 2, 3, tzinfo=dt.UTC)
LATER = dt.datetime(2031, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
DEFAULT = "{job_name}-{now}"


def glob(template: str, schedule: str, repository: str = "main") -> str:
    return derive_prune_glob(template, schedule=schedule, repository=repository)


def name(template: str, schedule: str, now: dt.datetime = NOW, repository: str = "main") -> str:
    return render_archive_name(template, schedule=schedule, repository=repository, now=now)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{job_name}-{now}", "db-2026-03-29T01:02:03"),
        ("{repo_name}/{date}".replace("/", "_"), "main_2026-03-29"),
        ("{time}", "01:02:03"),
        ("{timestamp}", "1774746123"),
        ("{job_name} of {repo_name} at {date} {time}", "db of main at 2026-03-29 01:02:03"),
    ],
)
def test_all_six_placeholders_are_rendered_in_utc(template: str, expected: str) -> None:
    assert name(template, "db") == expected


def test_a_time_in_another_zone_gives_the_same_name() -> None:
    berlin = NOW.astimezone(dt.timezone(dt.timedelta(hours=2)))
    assert name(DEFAULT, "db", berlin) == name(DEFAULT, "db", NOW)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{job}-{now}", "unknown placeholder {job}"),
        ("{now:%Y}", "unknown placeholder {now:%Y}"),
        ("{job_name!r}", "unknown placeholder {job_name!r}"),
        ("{job_name[0]}", "unknown placeholder"),
        ("{}", "unknown placeholder {}"),
        ("{job_name", "stray brace"),
        ("job_name}", "stray brace"),
        ("{{job_name}}", "stray brace"),
        ("a/{now}", "slash"),
        ("a\n{now}", "control character"),
        ("a\x7f{now}", "control character"),
        ("a\x85{now}", "control character"),
        ("a::{now}", '"::"'),
        ("", "empty"),
        (" {now}", "blank"),
        ("{now}.checkpoint", "unfinished"),
        ("{now}.recreate", "writes anew"),
    ],
)
def test_what_borg_would_refuse_or_misread_is_a_problem(template: str, words: str) -> None:
    assert words in " ".join(find_template_problems(template))
    with pytest.raises(ValueError, match="archiveNameTemplate"):
        name(template, "db")
    with pytest.raises(ValueError, match="archiveNameTemplate"):
        glob(template, "db")


def test_prune_needs_the_schedules_own_name() -> None:
    assert find_template_problems("backup-{now}") == []
    assert "{job_name}" in find_template_problems("backup-{now}", prune=True)[0]
    assert find_template_problems(DEFAULT, prune=True) == []


@pytest.mark.parametrize(
    "template",
    [
        DEFAULT,
        "{job_name}{timestamp}",
        "{date}-{job_name}",
        "{time}{repo_name}{job_name}",
        "[*?]{job_name}-{now}",
        "{job_name}",
    ],
)
def test_a_pattern_matches_every_name_of_its_own_schedule(template: str) -> None:
    for now in (NOW, LATER):
        assert re.match(translate(glob(template, "db")), name(template, "db", now))


def test_a_pattern_never_matches_the_names_of_another_schedule() -> None:
    schedules = ["db", "db-daily", "db2", "xdb", "db-2026", "db-2026-03-29", "d", "b"]
    for mine, other in itertools.permutations(schedules, 2):
        for template in (DEFAULT, "{job_name}-{timestamp}", "{job_name}{timestamp}", "{date}{job_name}{time}"):
            assert not re.match(translate(glob(template, mine)), name(template, other)), (mine, other, template)


def test_literal_stars_in_a_template_match_only_themselves() -> None:
    assert glob("*[?]{job_name}", "db") == "[*][[][?]]db"
    assert not re.match(translate(glob("*{job_name}", "db")), "another-db")


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [
        ((DEFAULT, "db"), (DEFAULT, "db-daily"), False),
        ((DEFAULT, "db"), (DEFAULT, "db"), True),
        (("{job_name}-{date}-{time}", "db"), ("{job_name}-{time}", "db-2026-01-01"), True),
        (("{job_name}-{date}-{time}", "db"), ("{job_name}-{time}", "db-2026-01-0x"), False),
        (("{job_name}{timestamp}", "db"), ("{job_name}{timestamp}", "db1"), False),
        (("{job_name}{timestamp}", "db"), ("{job_name}1{date}", "d"), False),
        (("{timestamp}", "db"), ("{job_name}", "1234567890"), True),
        (("[0-9]{job_name}", "a"), ("5{job_name}", "a"), False),
    ],
)
def test_two_patterns_overlap_when_one_name_can_match_both(
    mine: tuple[str, str], other: tuple[str, str], expected: bool
) -> None:
    assert overlaps(glob(*mine), glob(*other)) is expected
    assert overlaps(glob(*other), glob(*mine)) is expected
