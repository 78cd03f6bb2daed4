"""What the rules keep, beside what borg itself says: of random times by its own functions, and of real archives."""

import datetime as dt
import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from borg_contract.retention import Retention
from borg_runner.verbs.prune import find_kept
from runner_kit.borg_binary import find_borg

ZONES = ["", "CET-1CEST,M3.5.0,M10.5.0/3", "PST8PDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "IST-5:30"]
RULES = [
    Retention(),
    Retention.only(keep_daily=7),
    Retention.only(keep_hourly=30, keep_daily=3),
    Retention.only(keep_weekly=60, keep_yearly=3),
    Retention.only(keep_quarterly=9, keep_monthly=3),
    Retention.only(keep_within="40d", keep_daily=2, keep_monthly=12),
    Retention.only(keep_within="20H", keep_hourly=5),
    Retention.only(keep_within="2y"),
    Retention(keep_hourly=2, keep_daily=3, keep_weekly=2, keep_monthly=2, keep_quarterly=2, keep_yearly=2),
]
CLOCK_CHANGES = ["2025-03-30", "2025-10-26", "2026-03-08", "2025-11-02"]


def make_times(seed: int) -> list[dt.datetime]:
    """Return times of four years: some by the hour about a change of clocks, about new year, and until just now."""
    source = random.Random(seed)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    changes = dt.datetime.fromisoformat(source.choice(CLOCK_CHANGES))
    times = {changes + dt.timedelta(minutes=source.randrange(-1800, 3600)) for _ in range(12)}
    times |= {dt.datetime.fromisoformat("2025-12-28") + dt.timedelta(hours=source.randrange(300)) for _ in range(12)}
    times |= {now - dt.timedelta(hours=source.randrange(1, 1500), minutes=30) for _ in range(20)}
    times |= {now - dt.timedelta(days=source.randrange(1460), seconds=source.randrange(86400)) for _ in range(25)}
    return sorted(times)


BORGS_OWN = """
import json, sys
from datetime import datetime, timezone
from types import SimpleNamespace
from borg.helpers import PRUNING_PATTERNS, interval, prune_split, prune_within
def keep(case):
    moments = sorted(case["times"].items(), key=lambda item: (item[1], item[0]), reverse=True)
    archives = [
        SimpleNamespace(id=name, ts=datetime.fromisoformat(time).replace(tzinfo=timezone.utc)) for name, time in moments
    ]
    rules, because = case["rules"], {}
    if "within" in rules:
        prune_within(archives, interval(rules["within"]), because)
    for rule in PRUNING_PATTERNS:
        prune_split(archives, rule, rules.get(rule.removeprefix("quarterly_"), 0), because)
    return {name: f"{rule} #{number}".removeprefix("quarterly_") for name, (rule, number) in because.items()}
json.dump([keep(case) for case in json.load(sys.stdin)], sys.stdout)
"""


@pytest.mark.parametrize("zone", ZONES)
def test_of_random_times_the_same_are_kept_as_by_borgs_own_functions(zone: str) -> None:
    cases = [
        ({f"db-{number:03}": moment for number, moment in enumerate(make_times(seed))}, rules)
        for seed in range(20)
        for rules in RULES
    ]
    given = [
        {"times": {name: moment.isoformat() for name, moment in times.items()}, "rules": rules.rules}
        for times, rules in cases
    ]
    interpreter = find_borg().read_text(errors="replace").splitlines()[0].removeprefix("#!").strip()
    done = subprocess.run(
        [interpreter, "-c", BORGS_OWN],
        input=json.dumps(given),
        env={**os.environ, "TZ": zone or "UTC0"},
        capture_output=True,
        text=True,
        check=True,
    )
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for (times, rules), expected in zip(cases, json.loads(done.stdout), strict=True):
        assert find_kept(times, rules, now=now, local_time=zone) == expected, rules


def ask(root: Path, *arguments: str, zone: str = "UTC0") -> str:
    environment = {
        **os.environ,
        "TZ": zone or "UTC0",
        "BORG_BASE_DIR": str(root),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }
    words = [str(find_borg()), *(word.replace("REPO", str(root / "repo")) for word in arguments)]
    done = subprocess.run(words, env=environment, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_of_real_archives_the_same_are_kept_as_by_a_dry_run_of_borg(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    ask(tmp_path, "init", "--encryption=none", "REPO")
    times = {f"db-{number:03}": moment for number, moment in enumerate(make_times(1)[::3])}
    for name, moment in times.items():
        ask(tmp_path, "create", f"--timestamp={moment.isoformat()}", "--files-cache=disabled", f"REPO::{name}", "data")
    for zone, rules in zip(ZONES * 2, RULES, strict=False):
        options = [f"--keep-{rule}={amount}" for rule, amount in rules.rules.items()]
        told = ask(tmp_path, "prune", "--dry-run", "--list", *options, "REPO", zone=zone)
        listed = re.findall(r"Keeping archive \(rule: (.*?)\):\s+(db-\d+)", told)
        found = find_kept(times, rules, now=dt.datetime.now(dt.UTC).replace(tzinfo=None), local_time=zone)
        assert found == {name: because.removeprefix("quarterly_") for because, name in listed}, rules
        assert len(re.findall("Would prune", told)) == len(times) - len(found)
