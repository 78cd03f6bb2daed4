"""Random trees, random changes, all modes: what a preview says is what happens, and undo brings back what was there."""

import fnmatch
import os
import random
import re
import shutil
from dataclasses import replace

import pytest

from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.run import Operation
from runner_kit.pod import Pod
from runner_kit.restoring import restored
from runner_kit.trees import Gardener, Thing, snapshot

_LINE = re.compile(r"^  ([+~-]) (.*)$", re.MULTILINE)


def _changes(log: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"+": set(), "~": set(), "-": set()}
    for sign, path in _LINE.findall(log):
        found[sign].add(path)
    return found


def _printed(path: bytes) -> str:
    text = os.fsdecode(path)
    text = re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", text)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _has(path: bytes, plan: RestorePlan) -> bool:
    """Tell whether the plan means the path, by its own words."""
    text = os.fsdecode(path)
    parts = text.split("/")
    if any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in plan.exclude):
        return False
    return not plan.paths or any(text == root or text.startswith(f"{root}/") for root in plan.paths)


def _cases(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


def _check(pod: Pod, number: int) -> None:
    rng = random.Random(number)
    gardener = Gardener(rng)
    gardener.plant(pod.data)
    repository = pod.repository(encryption="none", passphrase=None)
    archive = f"random-{number}"
    backup = pod.run(pod.plan(repository, archive_name_template=archive))
    assert backup.code == 0, backup.log
    archived = snapshot(pod.data)
    target = pod.root / "target"
    pod.data.rename(target)
    if rng.random() < 0.1:
        shutil.rmtree(target)
        target.mkdir()
    else:
        gardener.change(target)
    before = snapshot(target)
    tops = sorted({os.fsdecode(path.split(b"/")[0]) for path in archived if path} - {""})
    tops = [top for top in tops if top.isprintable() and top.strip() == top]
    restore = RestorePlan(
        name="back",
        archive=archive,
        mode=list(Mode)[number % 3],
        paths=tuple(rng.sample(tops, min(2, len(tops)))) if rng.random() < 0.4 else (),
        exclude=("*.tmp",) if rng.random() < 0.4 else (),
        verify=rng.random() < 0.7,
    )
    plan = pod.plan(repository, operation=Operation.PREVIEW, restore=restore)
    previewed = pod.run(plan)
    told = restored(previewed)
    assert snapshot(target) == before
    assert told.preview is not None
    assert told.resolved is not None
    restore = replace(restore, archive_id=told.resolved.id, digest=told.preview.digest)
    ended = pod.run(replace(plan, operation=Operation.RESTORE, restore=restore))
    done = restored(ended)
    after = snapshot(target)
    changes = _changes(previewed.log)
    assert {_printed(path) for path in after.keys() - before.keys()} == changes["+"]
    assert {_printed(path) for path in before.keys() - after.keys()} == changes["-"] - changes["+"]
    for path in after.keys() & before.keys() - {b""}:
        if _printed(path) in changes["~"]:
            assert after[path].like(archived[path]), path
        else:
            assert after[path].like(before[path]), path
    _check_mode(restore, archived, before, after)
    if done.undo_archive is None:
        assert not any(changes.values()) or before.keys() == {b""}
        return
    undo = RestorePlan(name="undo", archive=done.undo_archive, mode=Mode.MIRROR)
    undone = pod.run(replace(plan, operation=Operation.RESTORE, restore=undo))
    restored(undone)
    assert snapshot(target) == before, undone.log


def _check_mode(
    restore: RestorePlan, archived: dict[bytes, Thing], before: dict[bytes, Thing], after: dict[bytes, Thing]
) -> None:
    """Hold what is there against what the mode promises."""
    meant = {path for path in archived if path and _has(path, restore)}
    for path in meant:
        if restore.mode is not Mode.ONLY_MISSING:
            assert path in after, path
            assert after[path].like(archived[path]), path
            inside = set(archived[path].links) & meant
            assert set(after[path].links) & meant == inside, path
    if restore.mode is Mode.ONLY_MISSING:
        assert all(after[path].like(before[path]) for path in before if path)
    if restore.mode is Mode.MIRROR:
        surplus = {path for path in after.keys() - archived.keys() if _has(path, restore)}
        assert all(
            any(inner.startswith(path + b"/") and not _has(inner, restore) for inner in after) for path in surplus
        )


@pytest.mark.parametrize("number", _cases(0, 12))
def test_a_preview_is_what_happens_and_undo_what_was_there(pod: Pod, number: int) -> None:
    _check(pod, number)


@pytest.mark.long
@pytest.mark.parametrize("number", _cases(12, 188))
def test_so_it_is_in_many_more_cases(pod: Pod, number: int) -> None:
    _check(pod, number)
