"""When a server is given up that does not answer borg, and when it is not."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from borg_runner.ssh.activity import Activity, HangWatch, read_activity
from borg_runner.ssh.silence import Bound, Patience, SilenceWatch

PATIENCE = Patience(greeting=Bound(10, 50), reading=Bound(20, 100), working=Bound(20, 500), look=5)
ASKED = Activity(written=300, moved=2_000_000, ticks=80, looks=4)

Change = Callable[[Activity], Activity]


def wait(activity: Activity) -> Activity:
    return replace(activity, looks=activity.looks + 5)


def send(activity: Activity) -> Activity:
    return replace(wait(activity), written=activity.written + 1, moved=activity.moved + 1)


def hear(activity: Activity) -> Activity:
    return replace(wait(activity), moved=activity.moved + 1)


def compute(activity: Activity) -> Activity:
    return replace(wait(activity), ticks=activity.ticks + 400)


def read_a_source_that_does_not_answer(activity: Activity) -> Activity:
    return activity


@dataclass
class Scene:
    """A borg process whose life is told in steps of five seconds."""

    activity: Activity | None = ASKED
    reading: bool = False
    heard: int = 0
    ssh_age: float = 0.2
    now: float = 0.0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = SilenceWatch(
            read=lambda _pid: self.activity,
            on_silence=lambda seconds, left: self.told.append(f"silent for {seconds:.0f}, {left:.0f} left"),
            on_word=lambda: self.told.append("over"),
            patience=PATIENCE,
            clock=lambda: self.now,
            read_age=lambda _pid: self.ssh_age,
        )
        self.watch.begin(1)
        self.watch.has_given_up(heard=0, reading=False)

    def talk(self, bytes_: int) -> "Scene":
        """Let borg write so much, to its server or to us."""
        assert self.activity is not None
        self.activity = replace(self.activity, written=self.activity.written + bytes_)
        return self

    def live(self, do: Change, seconds: float) -> float | None:
        """Return after how many seconds it is given up, None when it is not."""
        for second in range(5, int(seconds) + 1, 5):
            self.now += 5
            self.activity = do(self.activity) if self.activity else None
            if self.watch.has_given_up(heard=self.heard, reading=self.reading):
                return second
        return None


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [
        (Scene().talk(35), 50),
        (Scene(heard=400).talk(435), 50),
        (Scene(reading=True).talk(235), 100),
        (Scene().talk(235), 500),
        (Scene(ssh_age=1.0).talk(0), 500),
    ],
    ids=[
        "has said nothing",
        "has said nothing, ssh has",
        "in the middle of the sources",
        "in the middle of other work",
        "not known",
    ],
)
def test_a_server_that_does_not_answer_is_given_up_as_late_as_what_it_was_asked_for_may_take(
    scene: Scene, seconds: float
) -> None:
    assert scene.live(wait, 1000) == seconds


@pytest.mark.parametrize("do", [send, hear, compute, read_a_source_that_does_not_answer])
def test_a_borg_that_does_anything_but_wait_for_its_server_is_left_alone(do: Change) -> None:
    scene = Scene(reading=True).talk(235)
    assert scene.live(do, 10_000) is None
    assert scene.told == []


def test_one_word_is_enough_to_begin_anew_and_takes_back_what_was_told() -> None:
    scene = Scene(reading=True).talk(235)
    for _ in range(3):
        assert scene.live(wait, 95) is None
        assert scene.live(hear, 5) is None
    assert scene.told == ["silent for 20, 80 left", "over"] * 3


def test_what_was_told_is_told_once_and_taken_back_when_borg_ends() -> None:
    scene = Scene().talk(235)
    scene.live(wait, 400)
    assert scene.told == ["silent for 20, 480 left"]
    scene.watch.close()
    scene.watch.close()
    assert scene.told == ["silent for 20, 480 left", "over"]


def test_where_the_kernel_does_not_tell_nobody_is_given_up() -> None:
    scene = Scene(activity=None)
    assert scene.live(wait, 100_000) is None
    assert scene.told == []


def test_time_in_which_the_pod_was_frozen_does_not_count() -> None:
    scene = Scene(reading=True).talk(235)
    assert scene.live(wait, 50) is None
    scene.now += 86_400
    assert scene.activity is not None
    scene.activity = replace(scene.activity, looks=scene.activity.looks + 86_400)
    assert not scene.watch.has_given_up(heard=0, reading=True)


def test_what_a_process_does_is_read_from_the_kernel() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read(1); print('x' * 100, flush=True); sys.stdin.read(1)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = read_activity(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.read(101)
        after = read_activity(process.pid)
        process.communicate()
    assert before is not None
    assert after is not None
    assert after.written - before.written == 101
    assert after.moved - before.moved >= 102
    assert read_activity(process.pid) is None
    assert read_activity(os.getpid()) is not None


@pytest.mark.parametrize("do", [wait, send, hear, compute], ids=["waits", "sends", "hears", "computes"])
def test_a_borg_that_does_anything_at_all_does_not_hang(do: Change) -> None:
    assert hang(do, 20) == []


def test_a_borg_that_does_nothing_hangs_which_is_told_once_and_taken_back_when_it_goes_on() -> None:
    told = hang(read_a_source_that_does_not_answer, 8)
    assert told == ["hangs for 20"]
    assert hang(read_a_source_that_does_not_answer, 8, then=hear) == ["hangs for 20", "over"]
    assert hang(read_a_source_that_does_not_answer, 3) == []
    assert hang(read_a_source_that_does_not_answer, 8, begin=None) == [], "the kernel does not tell"


def hang(do: Change, steps: int, *, begin: Activity | None = ASKED, then: Change | None = None) -> list[str]:
    """Return what is told of a borg that does that for so many steps of five seconds, and `then` something else."""
    told: list[str] = []
    now, activity = 0.0, begin
    watch = HangWatch(
        on_hang=lambda seconds: told.append(f"hangs for {seconds:.0f}"),
        on_life=lambda: told.append("over"),
        patience=20,
        read=lambda _pid: activity,
        clock=lambda: now,
    )
    watch.begin(1)
    for change in (*[do] * steps, *([then] if then else [])):
        now += 5
        activity = change(activity) if activity else None
        watch.look_again()
    return told
