"""The operator says what is wrong with its settings and ends with 2, as a restart is useless then; signals end it."""

import asyncio
import os
import signal
import threading

import pytest

from borg_operator.__main__ import main
from borg_operator.kopf.ending import Ending

pytestmark = pytest.mark.usefixtures("own_signals")
each_signal = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "BORG_OPERATOR_RUNNER_IMAGE is not set"),
        ({"RUNNER_IMAGE": "x", "RESYNC_SECONDS": "often"}, 'BORG_OPERATOR_RESYNC_SECONDS is "often"'),
        ({"RUNNER_IMAGE": "x", "ALLOW_HOST_PATH": "yes"}, 'BORG_OPERATOR_ALLOW_HOST_PATH is "yes"'),
        ({"RUNNER_IMAGE": "x", "HEALTH_PORT": "65536"}, 'BORG_OPERATOR_HEALTH_PORT is "65536"'),
        ({"RUNNER_IMAGE": "x", "METRICS_PORT": "http"}, 'BORG_OPERATOR_METRICS_PORT is "http"'),
        ({"RUNNER_IMAGE": "x", "CLUSTER_NAME": "my cluster"}, 'BORG_OPERATOR_CLUSTER_NAME is "my cluster"'),
        ({"RUNNER_IMAGE": "x", "NAMESPACES": "team-a"}, "BORG_OPERATOR_NAMESPACES needs BORG_OPERATOR_CLUSTER_NAME: "),
    ],
)
def test_a_wrong_setting_ends_it_with_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: dict[str, str], said: str
) -> None:
    monkeypatch.delenv("BORG_OPERATOR_RUNNER_IMAGE", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(f"BORG_OPERATOR_{name}", value)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@each_signal
def test_a_signal_to_end_is_remembered_whatever_ends_it_besides(number: int) -> None:
    async def end() -> tuple[bool, bool]:
        stop, ending = asyncio.Event(), Ending()
        asyncio.get_running_loop().add_signal_handler(number, pytest.fail)  # as kopf does
        ending.take_over(stop)
        stop.set()  # other namespaces can be looked into: all is to begin anew
        before = ending.is_wanted
        os.kill(os.getpid(), number)
        await asyncio.sleep(0)
        return before, ending.is_wanted

    assert asyncio.run(end()) == (False, True)


@each_signal
def test_a_signal_ends_what_waits_for_nothing_else(number: int) -> None:
    async def end() -> None:
        stop, ending = asyncio.Event(), Ending()
        ending.take_over(stop)
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        await asyncio.wait_for(stop.wait(), 10)

    asyncio.run(end())


@each_signal
def test_a_signal_ends_it_at_once_while_it_waits_for_what_it_is_to_look_after(number: int) -> None:
    async def wait() -> None:
        os.kill(os.getpid(), number)
        await asyncio.sleep(10)

    Ending()
    with pytest.raises(SystemExit):
        asyncio.run(wait())


@each_signal
def test_a_signal_ends_it_at_once_between_two_event_loops(number: int) -> None:
    ending = Ending()

    async def end() -> None:
        asyncio.get_running_loop().add_signal_handler(number, pytest.fail)
        ending.take_over(asyncio.Event())
        ending.give_back()

    asyncio.run(end())
    with pytest.raises(SystemExit):
        os.kill(os.getpid(), number)
    assert ending.is_wanted
