"""What becomes of a CronJob, against the CronJob controller itself, built from `tests/oracle/controller`."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from borg_core.clock import CronSchedule
from oracle.lives import EPOCH, Life, Made, Replay, make_lives
from oracle.program import ask_oracle, build_oracle

SEED = int(os.environ.get("CRON_ORACLE_SEED", "20260329"))
LIVES = int(os.environ.get("CRON_ORACLE_LIVES", "250"))

ROOT = Path(__file__).parents[3]

Controller = Callable[[Sequence[Life]], list[list[Made]]]


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    program = tmp_path_factory.mktemp("controller") / "controller"
    build_oracle(ROOT / "tests/oracle/controller", program, f"-modfile={ROOT / 'dev/tools/go.mod'}")

    def ask(lives: Sequence[Life]) -> list[list[Made]]:
        answers = ask_oracle(program, (life.question for life in lives))
        return [[(job["at"], job["tick"]) for job in answer["jobs"]] for answer in answers]

    return ask


def test_every_job_in_weeks_of_random_lives_was_foretold(controller: Controller) -> None:
    lives = make_lives(SEED, LIVES)

    theirs = controller(lives)

    different = [
        (life, ours, made) for life, made in zip(lives, theirs, strict=True) if (ours := Replay(life).run()) != made
    ]
    print(f"CRON_ORACLE_SEED={SEED}, {len(lives)} lives, {sum(map(len, theirs))} Jobs")  # noqa: T201
    assert not different, f"CRON_ORACLE_SEED={SEED}: {len(different)} differ, the first: {different[0]}"
    assert sum(map(len, theirs)) > 20 * LIVES
    assert sum(any(event.do == "die" for event in life.events) for life in lives) > LIVES / 4


def test_a_job_agrees_with_the_clock_by_which_it_was_made(controller: Controller) -> None:
    """No false alarm, whatever the controller went through; edits aside, after which another clock counts."""
    lives = [life for life in make_lives(SEED + 1, LIVES // 3) if all(event.do != "edit" for event in life.events)]

    for life, made in zip(lives, controller(lives), strict=True):
        times = CronSchedule.parse(life.schedule, life.tz)
        former = None
        for _, tick in made:
            instant = EPOCH + timedelta(milliseconds=tick)
            assert times.foretells(instant, former), (life, instant)
            former = instant
    assert len(lives) > LIVES / 10
