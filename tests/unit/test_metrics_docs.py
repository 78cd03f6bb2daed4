"""docs/metrics.md, the dashboard and the alerts know exactly the metrics that there are."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from borg_api.metrics import Metrics as FacadeMetrics
from borg_operator.loop.queue import WorkQueue
from borg_operator.store import Store
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.snapshot import Snapshot

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| ([\w ]+) \| (.*) \|$", re.MULTILINE)
USED = re.compile(r"\bborg_\w+")
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")

Row = tuple[str, tuple[str, ...], str]


def own(registry: CollectorRegistry) -> Iterator[tuple[str, Row]]:
    for collector in registry._collector_to_names:
        if hasattr(collector, "_labelnames"):
            name = collector._name + ("_total" if collector._type == "counter" else "")  # type: ignore[attr-defined]
            yield name, (collector._type, collector._labelnames, collector._documentation)  # type: ignore[attr-defined]


def existing() -> dict[str, Row]:
    metrics = Metrics()
    metrics.watch_queue(WorkQueue())
    snapshot = Snapshot.of(Store(), datetime.now(UTC))
    families = {
        family.name: (family.type, family._labelnames, family.documentation)  # type: ignore[attr-defined]
        for family in snapshot.collect()
    }
    return {**families, **dict(own(metrics.registry)), **dict(own(FacadeMetrics().registry))}


def documented() -> dict[str, Row]:
    return {
        name: (type_, tuple(label for label in labels.split(", ") if label), meaning)
        for name, type_, labels, _, meaning in ROW.findall(PAGE.read_text())
    }


def test_the_page_has_every_metric_with_its_type_its_labels_and_its_help() -> None:
    assert documented() == existing()


def test_units_are_those_of_the_names() -> None:
    def unit(name: str) -> str | None:
        for suffix, said in (
            ("_timestamp_seconds", "seconds since 1970"),
            ("_seconds", "seconds"),
            ("_bytes", "bytes"),
        ):
            if name.endswith(suffix):
                return said
        return None

    said = {name: unit_ for name, _, _, unit_, _ in ROW.findall(PAGE.read_text())}
    assert {name: unit_ for name, unit_ in said.items() if unit(name) not in (None, unit_)} == {}


def test_alerts_and_dashboard_ask_for_nothing_else() -> None:
    known = set(existing())
    rules = re.sub(r"(?m)^#.*$", "", (ROOT / "charts/borg-operator/files/alerts/borg.yaml").read_text())
    board = json.loads((ROOT / "charts/borg-operator/files/dashboards/borg.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    queries += [variable.get("definition", "") for variable in board["templating"]["list"]]
    asked = {HISTOGRAM.sub("", name) for text in (rules, *queries) for name in USED.findall(text)}
    assert asked - known == set()


def test_every_metric_of_schedules_and_repositories_is_bounded_by_resources() -> None:
    bounded = {
        "namespace",
        "schedule",
        "repository",
        "phase",
        "title",
        "cron",
        "time_zone",
        "place",
        "persistentvolumeclaim",
    }
    for name, (_, labels, _) in existing().items():
        if name.startswith(("borg_schedule_", "borg_repository_")):
            assert set(labels) <= bounded, name
