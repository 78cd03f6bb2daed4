"""A run is killed while it marks an archive as suspect (`borg recreate`): no mark is lost, and nothing is left over.

Borg writes a marked copy first, `<name>.recreate`, and puts it in the original's place in a second step.
"""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SourcePlan
from borg_contract.retention import Retention
from borg_contract.run import Phase
from runner_kit.borg_binary import find_borg
from runner_kit.killer import Killer, Moment, Victim
from runner_kit.pod import Pod

ROUNDS = 6


class Marking:
    """A pod whose second source goes away while borg works, whenever it is told so: that run marks its archive."""

    def __init__(self, root: Path) -> None:
        self.pod = Pod(root, find_borg())
        self.media = root / "sources/media"
        self.media.mkdir()
        for number in range(20):
            (self.media / f"f{number}").write_text(f"{number}")
        wrapper = root / "borg"
        wrapper.write_text(
            f'#!/bin/sh\n[ "$1" = create ] && [ -e {root}/goes ] && rm -r {self.media}\nexec {self.pod.borg} "$@"\n'
        )
        wrapper.chmod(0o755)
        self.pod.borg = wrapper
        self.killer = Killer(self.pod)
        self.jobs = self.second = 0
        self.is_unjudged = False
        """Whether the last run did not say that it had judged its archive."""
        self.repository = self.pod.repository(
            encryption="none", passphrase=None, sources=(SourcePlan("data"), SourcePlan("media"))
        )

    def work(self, moment: Moment | None = None, *, goes: bool = False, unjudged: tuple[str, ...] = ()) -> str:
        """Run once, as a Job of its own; return what was hit."""
        self.jobs += 1
        self.pod.job_name, self.pod.job_uid = f"db-{self.jobs}", f"uid-{self.jobs}"
        self.media.mkdir(exist_ok=True)
        for number in range(20):
            (self.media / f"f{number}").write_text(f"{number}")
        flag = self.pod.root / "goes"
        flag.touch() if goes else flag.unlink(missing_ok=True)
        plan = self.pod.plan(
            replace(self.repository, unjudged_runs=unjudged),
            prune=Retention.only(keep_daily=1000),
        )
        holder = self.pod.holder(f"db-{self.jobs - 1}", f"uid-{self.jobs - 1}")
        while int(time.time()) <= self.second:  # archives are named by the second
            time.sleep(0.02)
        death = self.killer.run(replace(plan, dead_holders=(holder,)), moment)
        self.second = int(time.time())
        told = death.result.repositories[0] if death.result else None
        self.is_unjudged = told is None or told.unjudged
        print(moment, death.hit, death.log)  # noqa: T201 - shown when the test fails
        if moment is None and not goes:
            assert death.result is not None
            assert death.result.phase in (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS), death.log
        return death.hit

    @property
    def run(self) -> str:
        """The last one, as its archive tells it."""
        return f"db-{self.jobs}/uid-{self.jobs}"

    def look(self) -> dict[str, bool]:
        """Return whether each archive is marked, by the name of the run."""
        found = names_and_comments(self.pod, self.repository)
        assert [name for name in found if not re.fullmatch("db-[0-9]+", name)] == [], "something was left over"
        return {comment.split()[2]: comment.endswith(" suspect") for comment in found.values()}


def names_and_comments(pod: Pod, repository: RepositoryPlan) -> dict[str, str]:
    listed = json.loads(
        pod.ask_borg(repository, "list", "--json", "--consider-checkpoints", "--format={comment}", "REPO")
    )
    return {archive["name"]: archive["comment"] for archive in listed["archives"]}


@pytest.mark.parametrize("victim", [Victim.BORG, Victim.POD])
@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(60, marks=pytest.mark.long)])
def test_a_mark_survives_a_kill_at_any_write_of_it(tmp_path: Path, rounds: int, victim: Victim) -> None:
    marking = Marking(tmp_path)
    marking.work()
    marking.work(goes=True)
    for number in range(rounds):
        hit = marking.work(Moment("recreate.1", number / rounds, victim), goes=True)
        assert hit.startswith("recreate.1")
        hurt = marking.run
        # What the operator tells the next one, as this one died, or says so.
        marking.work(unjudged=(hurt,) if marking.is_unjudged else ())
        told = marking.look()
        assert told[hurt], f"the mark is lost: {hit}"
        assert not told[marking.run]


@pytest.mark.parametrize("step", ["delete.1", "rename.1"])
@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.long)])
def test_a_kill_while_a_copy_is_put_in_its_place_loses_nothing_either(tmp_path: Path, step: str, rounds: int) -> None:
    marking = Marking(tmp_path)
    marking.work()
    marking.work(goes=True)
    for number in range(-1, rounds):
        name, comment = list(names_and_comments(marking.pod, marking.repository).items())[-1]
        run = comment.split()[2]
        if not comment.endswith(" suspect"):
            comment += " suspect"
        plain = comment.removesuffix(" suspect")
        marking.pod.ask_borg(marking.repository, "recreate", f"--comment={plain}", f"REPO::{name}")
        marking.pod.ask_borg(
            marking.repository, "recreate", f"--comment={comment}", f"--target={name}.recreate", f"REPO::{name}"
        )
        if number >= 0:
            assert marking.work(Moment(step, number / rounds, Victim.POD)).startswith(step)
        marking.work()
        assert marking.look()[run], "the mark is lost"
