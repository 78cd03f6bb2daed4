"""The operator says what is wrong with its settings and ends with 2, so that a restart is known to be useless."""

import pytest

from borg_operator.__main__ import main


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
