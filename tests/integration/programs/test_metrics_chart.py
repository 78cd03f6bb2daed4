"""What the chart brings for Prometheus and Grafana: chosen by their labels, changed by values, each install its own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import CHART, Object, Refused, of_kind, render

ON = {"enabled": True}
RULES = yaml.safe_load((CHART / "files/alerts/borg.yaml").read_text())
NAMES = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}


def alerts(**values: Any) -> dict[str, Object]:
    (found,) = of_kind(render({"metrics": {"alerts": {**ON, **values}}}), "PrometheusRule")
    return {rule["alert"]: rule for group in found["spec"]["groups"] for rule in group["rules"]}


def test_nothing_that_needs_another_operator_is_there_unasked() -> None:
    kinds = {item["kind"] for item in render({})}
    assert not kinds & {"ServiceMonitor", "PrometheusRule"}


def test_the_alerts_are_those_of_the_file() -> None:
    assert alerts().keys() == NAMES


def test_runbooks_are_where_the_values_say() -> None:
    urls = {name: rule["annotations"]["runbook_url"] for name, rule in alerts(runbookUrl="https://wiki/borg/").items()}
    assert urls == {name: f"https://wiki/borg/{name}.md" for name in NAMES}


def test_an_alert_can_be_changed_or_left_out() -> None:
    overrides = {"BorgBackupFailing": {"for": "2h", "labels": {"severity": "critical"}}, "BorgRepositoryLocked": False}
    found = alerts(overrides=overrides, ruleLabels={"team": "storage"})
    assert found.keys() == NAMES - {"BorgRepositoryLocked"}
    failing = found["BorgBackupFailing"]
    assert (failing["for"], failing["labels"]) == ("2h", {"severity": "critical", "team": "storage"})
    assert "consecutive_failures" in failing["expr"]
    assert found["BorgBackupMissed"]["labels"] == {"severity": "warning", "team": "storage"}


def test_an_override_of_an_alert_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="BorgBackupMised"):
        alerts(overrides={"BorgBackupMised": False})


def test_each_install_misses_its_own_operator() -> None:
    objects = render({"metrics": {"alerts": ON, "serviceMonitor": ON}})
    (rule,) = of_kind(objects, "PrometheusRule")
    expression = next(
        item["expr"]
        for group in rule["spec"]["groups"]
        for item in group["rules"]
        if item["alert"] == "BorgOperatorDown"
    )
    service = next(
        item["metadata"]
        for item in of_kind(objects, "Service")
        if item["metadata"]["labels"].get("borgoperator.io/metrics") == "operator"
    )
    # What a ServiceMonitor gives its targets: the Service's name as the job, and its namespace.
    own = f'namespace="{service["namespace"]}", job="{service["name"]}"'
    assert expression.count(f"borg_operator_build_info{{{own}}}") == expression.count("borg_operator_build_info") == 3


@pytest.mark.parametrize("component", ["operator", "api"])
def test_each_service_monitor_chooses_one_service(component: str) -> None:
    objects = render({"metrics": {"serviceMonitor": {**ON, "labels": {"release": "kps"}}}})
    monitors = of_kind(objects, "ServiceMonitor")
    monitor = next(
        item for item in monitors if item["spec"]["selector"]["matchLabels"]["borgoperator.io/metrics"] == component
    )
    assert monitor["metadata"]["labels"]["release"] == "kps"
    assert monitor["spec"]["endpoints"][0]["honorLabels"] is True
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    chosen = [item for item in of_kind(objects, "Service") if wanted <= item["metadata"]["labels"].items()]
    assert len(chosen) == 1
    (port,) = chosen[0]["spec"]["ports"]
    assert port["name"] == monitor["spec"]["endpoints"][0]["port"]
    pods = next(
        item["spec"]["template"]["metadata"]["labels"]
        for item in of_kind(objects, "Deployment")
        if item["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == component
    )
    assert chosen[0]["spec"]["selector"].items() <= pods.items()


def test_a_facade_with_tls_is_asked_over_https() -> None:
    objects = render({"api": {"tls": {"secretName": "facade"}}, "metrics": {"serviceMonitor": ON}})
    schemes = {
        item["metadata"]["labels"]["app.kubernetes.io/component"]: item["spec"]["endpoints"][0].get("scheme", "http")
        for item in of_kind(objects, "ServiceMonitor")
    }
    assert schemes == {"operator": "http", "api": "https"}


def test_the_dashboard_is_the_file_with_the_label_that_the_sidecar_looks_for() -> None:
    found = of_kind(render({"metrics": {"dashboard": {**ON, "namespace": "monitoring"}}}), "ConfigMap")
    (board,) = (item for item in found if item["metadata"]["labels"].get("grafana_dashboard") == "1")
    assert board["metadata"]["namespace"] == "monitoring"
    assert json.loads(board["data"]["borg.json"]) == json.loads(Path(CHART / "files/dashboards/borg.json").read_text())


def test_the_dashboard_keeps_clusters_apart_that_have_the_same_names() -> None:
    board = json.loads(Path(CHART / "files/dashboards/borg.json").read_text())
    targets = [target for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(targets) > 40
    for target in targets:
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", target["expr"]):
            assert "cluster" in labels or not {"namespace", "instance"} & set(labels.split(", ")), target["expr"]
        assert "* on (job" not in target["expr"]  # of two of the same name there is no one to multiply by
