"""The alerts' rules are valid, fire and clear as tests/alerts says, and each leads to a page that helps."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "charts/borg-operator/files/alerts/borg.yaml"
TESTS = sorted((ROOT / "tests/alerts").glob("*.yaml"))
SECTIONS = ("What it means", "What to look at", "What to do", "When it clears")

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: dev/packages tests installs it")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def name(path: Path) -> str:
    return path.stem


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_the_rules_are_valid() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", str(RULES))


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=name)
def test_alerts_fire_and_clear(path: Path) -> None:
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_is_shown_to_fire_and_to_clear(rule: dict[str, Any]) -> None:
    cases = [
        (case["eval_time"], bool(case["exp_alerts"]))
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    ]
    assert {fires for _, fires in cases} == {True, False}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_leads_to_a_runbook(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.stem == rule["alert"]
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    assert headings == [rule["alert"], *SECTIONS]


def test_each_runbook_is_that_of_an_alert() -> None:
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")}
    assert pages == {rule["alert"] for rule in alerts()}
