"""Schedule times against the library that the CronJob controller itself asks, built from `tests/oracle`."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from borg_core.clock import CronError, CronSchedule
from oracle.cases import ZONES, Case, make_cases
from oracle.facts import ACCEPTED, FACTS, REFUSED, REFUSED_ZONES
from oracle.program import ask_oracle, build_oracle

SEED = int(os.environ.get("CRON_ORACLE_SEED", "20260329"))
CASES = int(os.environ.get("CRON_ORACLE_CASES", "120000"))

SOURCE = Path(__file__).parents[2] / "oracle"
ZONE_DATABASE = Path(str(resources.files("tzdata").joinpath("zoneinfo")))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Oracle = Callable[[Sequence[Case]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    program = tmp_path_factory.mktemp("oracle") / "oracle"
    build_oracle(SOURCE, program)

    def ask(cases: Sequence[Case]) -> list[dict[str, Any]]:
        return ask_oracle(program, map(asdict, cases))

    return ask


def test_a_hundred_thousand_random_cases_are_answered_as_the_controller_answers_them(oracle: Oracle) -> None:
    cases = make_cases(SEED, CASES)
    print(f"CRON_ORACLE_SEED={SEED}, {len(cases)} cases")  # noqa: T201
    assert len({case.tz for case in cases} & set(ZONES)) >= 30

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(oracle, cases)
        ours = [_answer(case) for case in cases]
        theirs = asked.result()

    different = [
        (case, our, their) for case, our, their in zip(cases, ours, theirs, strict=True) if not _agree(our, their)
    ]
    assert not different, f"CRON_ORACLE_SEED={SEED}: {len(different)} differ, the first: {different[:5]}"
    refused = sum(not answer["ok"] for answer in theirs)
    assert 0.05 < refused / len(cases) < 0.5, "the cases must try acceptance and refusal alike"


def test_the_facts_that_the_unit_tests_rely_on_are_the_controllers_own(oracle: Oracle) -> None:
    answers = oracle([Case(fact.expr, fact.tz, _micros(fact.after_instant), max(2, len(fact.runs))) for fact in FACTS])
    accepted = oracle([Case(text, "Etc/UTC", 0, 0) for text in ACCEPTED])
    refused = oracle([Case(text, "Etc/UTC", 0, 0) for text, _ in REFUSED])
    refused += oracle([Case("0 2 * * *", name, 0, 0) for name, _ in REFUSED_ZONES])

    for fact, answer in zip(FACTS, answers, strict=True):
        assert answer["next"] == [int(run.timestamp()) for run in fact.run_instants], fact.why
    assert all(answer["ok"] for answer in accepted)
    assert not any(answer["ok"] for answer in refused)


def test_every_zone_of_the_database_is_taken_as_the_controller_takes_it(oracle: Oracle) -> None:
    names = [path.relative_to(ZONE_DATABASE).as_posix() for path in ZONE_DATABASE.rglob("*")]
    cases = [Case("30 2 * * *", name, _micros(datetime(2026, 3, 26, tzinfo=UTC)), 150) for name in sorted(names)]

    different = [case for case, their in zip(cases, oracle(cases), strict=True) if not _agree(_answer(case), their)]

    assert not different


def test_where_the_library_searches_for_ever_there_is_no_next_run(oracle: Oracle) -> None:
    case = Case("0 12 10 * *", "Pacific/Apia", _micros(datetime(2011, 12, 20, tzinfo=UTC)), 1)

    (answer,) = oracle([case])

    assert answer["endless"]
    assert _answer(case) == (True, [])


def _micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def _agree(our: tuple[bool, list[int]], their: dict[str, Any]) -> bool:
    return not their.get("endless") and our == (their["ok"], their["next"])


def _answer(case: Case) -> tuple[bool, list[int]]:
    try:
        schedule = CronSchedule.parse(case.expr, case.tz)
    except CronError:
        return False, []
    runs: list[int] = []
    run: datetime | None = EPOCH + timedelta(microseconds=case.after)
    while run is not None and len(runs) < case.count:
        run = schedule.next_after(run)
        if run is not None:
            runs.append((run - EPOCH) // timedelta(seconds=1))
    return True, runs
