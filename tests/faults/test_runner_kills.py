"""A run is killed at a random moment of each of its steps; the next one succeeds without a human, and nothing is lost.

Real borg, real repositories, real sshd. A dozen kills, and hundreds in the lanes that are marked long; BORG_FAULTS_SEED
chooses others. A failure names its round: `BORG_FAULTS_ROUND=<number>` with that lane's test does that one alone.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.run import Operation, Phase
from faults.ledger import read_tree
from faults.nights import CHECK, INIT, Lane, Nights, needs_a_human
from faults.seed import SEED
from runner_kit.killer import RUNNER, Moment, Victim
from runner_kit.ssh_server import SshServer, serve_ssh

STEPS = ("create.1", "delete.1", INIT, RUNNER, "list.1", "compact.1", CHECK, "info.1")
SERVER_STEPS = ("serve.1", "serve.4", "serve.5")
"""Those that create, delete and compact."""


LANES = [
    Lane("local", "repokey-blake2", "kept", len(STEPS), STEPS),
    Lane("ssh", "none", "fresh", 2, ("serve.1", "create.1"), good_nights=1),
]
LONG_LANES = [
    Lane(place, encryption, cache, rounds, steps)
    for place, rounds, steps in (("local", 45, STEPS), ("ssh", 31, (*SERVER_STEPS, *STEPS)))
    for encryption in ("repokey-blake2", "none")
    for cache in ("kept", "fresh")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


def draw(chance: random.Random, step: str, *, by_write: bool) -> Moment:
    """Return a moment of `step`: at one of its writes if `by_write`, which never misses the step; else mostly."""
    if step.startswith("serve"):
        return Moment(step, chance.random(), Victim.SERVER)
    if step == RUNNER:
        return Moment(step, chance.random(), chance.choice([Victim.POD, Victim.TERM]))
    victim = chance.choice([Victim.POD, Victim.POD, Victim.BORG, Victim.TERM])
    return Moment(step, chance.random(), victim, by_write=by_write or chance.random() < 0.5)


def live_through(nights: Nights, moment: Moment, chance: random.Random) -> str:
    """Let the run die, do what the operator does, and look at everything after the next run. Return what was hit."""
    if moment.step == INIT:
        nights.begin_anew()
    nights.change_data(chance)
    tree = read_tree(nights.pod.data)
    operation = Operation.CHECK if moment.step == CHECK else Operation.BACKUP
    death = nights.work(moment, operation=operation)
    hurt = nights.holder
    print(f"{moment}: {death.hit or 'missed'}\n{death.log}\n{death.result}")  # noqa: T201 - shown when the test fails
    if moment.victim in (Victim.TERM, Victim.BORG):
        assert death.result is not None
    if death.result is None or death.result.provisional:
        unlock = nights.work(operation=Operation.BREAK_LOCK, dead_holders=(hurt,))
        assert (unlock.code, unlock.result and unlock.result.phase) == (0, Phase.COMPLETED), unlock.log
    if chance.random() < 0.5:
        nights.change_data(chance)
    good = nights.work()
    if nights.lane.place == "ssh" and needs_a_human(good):
        print(good.log)  # noqa: T201
        shutil.rmtree(nights.ledger.repository.location)
        good = nights.work()
    print(good.log)  # noqa: T201
    assert good.result is not None
    nights.ledger.settle(good.result, hurt=death.result, hurt_tree=tree if operation is Operation.BACKUP else None)
    return death.hit


@pytest.mark.parametrize(
    "lane", [*LANES, *(pytest.param(lane, marks=pytest.mark.long) for lane in LONG_LANES)], ids=str
)
def test_after_a_kill_at_any_moment_the_next_run_succeeds_and_nothing_is_lost(
    tmp_path: Path, lane: Lane, server: SshServer
) -> None:
    nights = Nights(tmp_path, lane, server)
    nights.prepare(random.Random(SEED))
    hits: Counter[str] = Counter()
    only = os.environ.get("BORG_FAULTS_ROUND")
    for number in [int(only)] if only else range(lane.rounds):
        chance = random.Random(f"{SEED} {lane} {number}")
        moment = draw(chance, lane.steps[number % len(lane.steps)], by_write=number < len(lane.steps))
        print(f"\nBORG_FAULTS_SEED={SEED} BORG_FAULTS_ROUND={number} of {lane}")  # noqa: T201
        hit = live_through(nights, moment, chance)
        while not hit:  # it was over before: an earlier moment
            moment = replace(moment, at=moment.at * 0.7)
            hit = live_through(nights, moment, chance)
        hits[hit.split()[0]] += 1
    nights.ledger.compare_all()
    print(f"kills by step: {dict(hits)}")  # noqa: T201
    if not only:
        assert sum(hits.values()) == lane.rounds
        assert set(hits) >= set(lane.steps), f"never hit: {set(lane.steps) - set(hits)}"
