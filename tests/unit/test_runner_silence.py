"""When a server is given up that takes the key and says nothing."""

import threading

import pytest

from borg_runner.ssh.probe import Answer
from borg_runner.ssh.silence import SilenceWatch
from runner_kit.pod import wait_until

SILENT, WORKS = Answer(silent=True), Answer()


class Scene:
    """A watch whose server gives these answers, in turn."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.told: list[str] = []
        self.watch = SilenceWatch(
            ask=lambda: self.answers.pop(0),
            on_silence=lambda: self.told.append("silent"),
            on_word=lambda: self.told.append("over"),
            patience=0.0,
        )

    def until(self, *, answers_left: int) -> None:
        """Look until so many answers are left."""
        wait_until(lambda: len(self.answers) == answers_left or self.watch.has_given_up(spoke=False))


def test_a_server_that_is_silent_twice_is_given_up_and_that_is_told_once() -> None:
    scene = Scene(SILENT, SILENT)
    wait_until(lambda: scene.watch.has_given_up(spoke=False))
    assert scene.told == ["silent"]
    scene.watch.close()
    assert scene.told == ["silent", "over"]


def test_a_server_that_answers_in_between_is_not() -> None:
    scene = Scene(SILENT, WORKS, SILENT, WORKS, SILENT, SILENT)
    wait_until(lambda: scene.watch.has_given_up(spoke=False))
    assert scene.answers == []
    assert scene.told == ["silent", "over", "silent", "over", "silent"]


@pytest.mark.parametrize("answer", [Answer(("Connection refused",)), Answer(("not allowed",), refused=True)])
def test_only_silence_counts_for_a_server_that_refuses_a_second_login_may_still_work_for_the_first(
    answer: Answer,
) -> None:
    scene = Scene(answer, answer, answer)
    scene.until(answers_left=0)
    assert scene.told == []


def test_once_borg_has_spoken_nobody_is_asked() -> None:
    scene = Scene()
    assert not scene.watch.has_given_up(spoke=True)
    assert scene.told == []


def test_an_answer_that_comes_after_borg_has_ended_tells_nobody_anything() -> None:
    """Else the run would say, during all of its next step, that it waits for the server."""
    asked, go = threading.Event(), threading.Event()
    told: list[str] = []

    def ask() -> Answer:
        asked.set()
        go.wait(10)
        return SILENT

    watch = SilenceWatch(
        ask=ask, on_silence=lambda: told.append("silent"), on_word=lambda: told.append("over"), patience=0.0
    )
    watch.has_given_up(spoke=False)
    assert asked.wait(10)
    watch.close()
    go.set()
    wait_until(lambda: not any(thread.name == "silence" for thread in threading.enumerate()))
    assert told == []
