"""Sources that come and go between nights, as claims do that are chosen by their labels: with a real borg."""

from dataclasses import replace

import pytest

from borg_contract.ownership import OTHERS, parse_comment, parse_content
from borg_contract.run import Phase
from integration.programs.test_runner_content import TWO, Nights, comments, fill, sources
from runner_kit.pod import Pod


def test_sources_that_appear_and_go_make_no_archive_suspect_and_prune_goes_on(pod: Pod) -> None:
    nights, folder = Nights(pod), pod.data.parent
    repository = pod.repository()
    fill(folder / "a", 20)
    fill(folder / "b", 20)
    for night, names in enumerate((("a",), ("a", "b"), ("b",), ("a", "b"), ("b", "a")), start=1):
        result = nights.back_up(night, pod.plan(replace(repository, sources=sources(*names)), prune=TWO))
        assert (result.phase, result.reason, result.warnings) == (Phase.COMPLETED, None, ())
        assert list(parse_content(result.comment or "").files) == list(names)
    assert nights.left(repository) == [4, 5]


def test_a_source_that_was_away_is_compared_with_what_it_was(pod: Pod) -> None:
    nights, folder = Nights(pod), pod.data.parent
    repository = pod.repository()
    fill(folder / "a", 20)
    fill(folder / "b", 20)
    nights.back_up(1, pod.plan(replace(repository, sources=sources("a", "b"))))
    nights.back_up(2, pod.plan(replace(repository, sources=sources("b"))))
    for path in sorted((folder / "a").iterdir())[1:]:
        path.unlink()
    result = nights.back_up(3, pod.plan(replace(repository, sources=sources("a", "b")), prune=TWO))
    assert (result.phase, result.reason, result.prune) == (Phase.COMPLETED_WITH_WARNINGS, "SourceShrank", None)


def test_a_repository_for_which_no_claim_matches_fails_says_so_and_the_other_has_its_archive(pod: Pod) -> None:
    before = pod.run(pod.plan(pod.repository(), prune=TWO))
    assert before.result.phase is Phase.COMPLETED
    ended = pod.run(pod.plan(pod.repository(sources=()), pod.repository("other"), prune=TWO))
    empty, other = ended.result.repositories
    assert (empty.phase, empty.reason, empty.archive, empty.prune) == (Phase.FAILED, "SourceUnreadable", None, None)
    assert "claimSelector" in (empty.error or "")
    assert (other.phase, ended.result.phase) == (Phase.COMPLETED, Phase.FAILED)
    assert len(pod.archives(pod.repository())) == 1


@pytest.mark.parametrize("count", [500])
def test_of_an_archive_of_very_many_claims_it_is_known_whose_it_is(pod: Pod, count: int) -> None:
    """Its comment is too long for the result of a run, in which it is told in part; prune knows it as its own."""
    names = [f"{'c' * 40}-{number:03}" for number in range(count)]
    for name in names:
        fill(pod.data.parent / name, 1)
    nights, repository = Nights(pod), pod.repository(sources=sources(*names))
    for night in (1, 2, 3):
        result = nights.back_up(night, pod.plan(repository, prune=TWO))
        assert (result.phase, result.reason, result.files) == (Phase.COMPLETED, None, count)
    assert nights.left(repository) == [2, 3]
    told, whole = result.comment or "", comments(pod, repository)[-1]
    assert len(told) <= 1024 < len(whole)
    assert parse_comment(told) == parse_comment(whole) is not None
    assert sum(parse_content(told).files.values()) == sum(parse_content(whole).files.values()) == count
    assert OTHERS in parse_content(told).files
