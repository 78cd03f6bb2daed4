"""The line to the SSH server is cut, silent or slow in the middle of each step; the next night needs no human.

A real sshd behind a proxy. The long form tries every step with every trouble; BORG_FAULTS_SEED chooses the moments.
"""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from borg_contract.run import Phase
from faults.ledger import read_tree
from faults.nights import Lane, Nights, needs_a_human
from faults.seed import SEED
from runner_kit.bad_line import BadLine, Order, Trouble, lead_to
from runner_kit.killer import Death
from runner_kit.ssh_server import SshServer, serve_ssh

STEPS = ("create.1", "list.1", "delete.1", "compact.1", "info.1")
"""Those of a night after the third; each one is a connection."""
LANE = Lane("ssh", "repokey-blake2", "kept", 0, STEPS, good_nights=1)
QUICK_SSH = """#!/bin/sh
exec {ssh} -o ServerAliveInterval=1 -o ServerAliveCountMax=4 "$@"
"""
"""The runner's own ssh waits five minutes for a sign of life."""
LOST = {"ConnectionLost", "ServerRefusesLogins", "PruneFailed", "CompactFailed"}


@dataclass
class Scene:
    nights: Nights
    line: BadLine
    steps: tuple[str, ...] = ()
    passed: tuple[int, ...] = ()

    def measure(self) -> None:
        """Learn what the connections of the last night were, and how many bytes they took."""
        self.steps = tuple(step for step in self.nights.killer.steps if not step.startswith("serve."))
        self.passed = tuple(self.line.passed)

    def work(self, order: Order | None = None) -> Death:
        self.line.begin(order)
        return self.nights.work()


def make_impatient(nights: Nights) -> None:
    ssh = nights.pod.borg.parent / "ssh"  # the first folder on the pod's PATH
    ssh.write_text(QUICK_SSH.format(ssh=shutil.which("ssh")))
    ssh.chmod(0o755)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(
        tmp_path_factory.mktemp("ssh") / "server", "ClientAliveInterval 1", "ClientAliveCountMax 3"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, server: SshServer) -> Iterator[Scene]:
    with lead_to(server) as line:
        nights = Nights(tmp_path_factory.mktemp("nights"), LANE, line.way)
        make_impatient(nights)
        chance = random.Random(SEED)
        nights.prepare(chance)
        scene = Scene(nights, line)
        good = scene.work()
        assert good.result is not None
        nights.ledger.settle(good.result, thorough=False)
        scene.measure()
        yield scene
        nights.ledger.compare_all()


def expect_words(death: Death) -> None:
    """Ask of a run that failed that a person understands what happened, and what is to be done."""
    assert death.result is not None, death.log
    [result] = death.result.repositories
    if result.phase is Phase.FAILED:
        assert result.reason in LOST
        error = result.error or ""
        assert "Traceback" not in error
        assert "connection to the server broke: " in error or "The server hangs up before the login" in error, error
        assert "the next run goes on from there" in error or "wait or lift the ban" in error, error


def live_through(scene: Scene, step: str, trouble: Trouble, chance: random.Random) -> None:
    """Let trouble come in the middle of a step, and look at everything after the next night."""
    nights = scene.nights
    number = scene.steps.index(step)
    at = chance.uniform(0.05, 0.95)
    while True:
        nights.change_data(chance)
        tree = read_tree(nights.pod.data)
        hurt = scene.work(Order(number, int(at * scene.passed[number]), trouble))
        print(f"{trouble} at {at:.0%} of {step}, hit: {scene.line.hit}\n{hurt.log}")  # noqa: T201
        assert hurt.result is not None
        if not scene.line.hit or trouble is Trouble.SLOW:
            nights.ledger.settle(hurt.result, thorough=False)
        if scene.line.hit:
            break
        at *= 0.6  # less had to be sent than the night before
    if trouble is Trouble.SLOW:
        return
    expect_words(hurt)
    good = scene.work()
    print(good.log)  # noqa: T201
    assert good.result is not None
    nights.ledger.settle(good.result, hurt=hurt.result, hurt_tree=tree)


SHORT = (("create.1", Trouble.CUT), ("compact.1", Trouble.SILENT))
ROUNDS = [
    pytest.param(step, trouble, marks=() if (step, trouble) in SHORT else pytest.mark.long)
    for trouble in Trouble
    for step in STEPS
]


@pytest.mark.parametrize(("step", "trouble"), ROUNDS)
def test_after_trouble_on_the_line_the_next_run_succeeds_and_nothing_is_lost(
    scene: Scene, step: str, trouble: Trouble
) -> None:
    live_through(scene, step, trouble, random.Random(f"{SEED} {step} {trouble}"))


@pytest.mark.long
@pytest.mark.parametrize("trouble", [Trouble.CUT, Trouble.SILENT])
@pytest.mark.parametrize("at", [0.4, 0.6, 0.7, 0.8, 0.9, 0.97])
def test_a_repository_whose_creation_was_cut_off_says_what_a_human_has_to_do(
    tmp_path: Path, server: SshServer, trouble: Trouble, at: float
) -> None:
    with lead_to(server) as line:
        nights = Nights(tmp_path, replace(LANE, good_nights=1), line.way)
        make_impatient(nights)
        nights.begin_anew()
        hurt = Scene(nights, line).work(Order(1, int(at * 9_900), trouble))
        assert hurt.result is not None
        if hurt.result.repositories[0].phase is Phase.FAILED:
            assert "was about to create the repository" in (hurt.result.repositories[0].error or ""), hurt.log
        good = Scene(nights, line).work()
        print(good.log)  # noqa: T201
        if needs_a_human(good):
            nights.pod.ask_borg(nights.ledger.repository, "delete", "REPO")
            good = Scene(nights, line).work()
        assert good.result is not None
        # The trouble may have come too late to matter: then there is an archive of that night, too.
        nights.ledger.settle(good.result, hurt=hurt.result, hurt_tree=read_tree(nights.pod.data))


def test_a_shut_door_is_not_hammered_on(tmp_path: Path, server: SshServer) -> None:
    """A server that shuts its door after failed logins counts each further one, good keys or not."""
    with lead_to(server) as line:
        nights = Nights(tmp_path, LANE, line.way)
        nights.begin_anew()
        line.shut = True
        death = nights.work()
        assert death.result is not None
        [result] = death.result.repositories
        assert (result.phase, result.reason) == (Phase.FAILED, "ServerRefusesLogins"), death.log
        assert len(line.passed) <= 2, "one to work, and at most one to know why not"


@pytest.mark.long
def test_a_server_behind_the_name_that_is_another_one_gets_nothing_until_the_old_one_is_back(
    scene: Scene, tmp_path: Path
) -> None:
    before = read_tree(Path(scene.nights.ledger.repository.location))
    with serve_ssh(tmp_path / "other") as other:
        old, scene.line.server = scene.line.server, other
        try:
            death = scene.work()
        finally:
            scene.line.server = old
    assert death.result is not None
    [result] = death.result.repositories
    assert (result.reason, "nothing was sent" in (result.error or "")) == ("HostKeyMismatch", True)
    assert read_tree(Path(scene.nights.ledger.repository.location)) == before
    good = scene.work()
    assert good.result is not None
    scene.nights.ledger.settle(good.result)
