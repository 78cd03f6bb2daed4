"""dev/chart_findings.py <folder of rendered charts> <checkov…>: holds the chart against kube-score and checkov.

What they find has to be explained in chart_findings.yaml, beside this file, or it fails; so does an explanation that
nothing is found for. The rest of the arguments is the command that runs checkov.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

_EXPLAINED = Path(__file__).with_suffix(".yaml")
_GOOD_GRADE = 10


@dataclass(frozen=True)
class Finding:
    """`subject` is kind/name, `place` the rendering that it is in."""

    tool: str
    check: str
    subject: str
    place: str
    message: str


def ask_kube_score(rendered: Path) -> Iterator[Finding]:
    """Yield what kube-score finds in one file."""
    command = ["kube-score", "score", "--output-format", "json", str(rendered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for item in _read("kube-score", done):
        for check in item["checks"]:
            if check["skipped"] or check["grade"] >= _GOOD_GRADE:
                continue
            subject = f"{item['type_meta']['kind']}/{item['object_meta']['name']}"
            for comment in check["comments"] or [{"summary": check["check"]["name"]}]:
                yield Finding("kube-score", check["check"]["id"], subject, rendered.stem, comment["summary"])


def ask_checkov(folder: Path, checkov: list[str]) -> Iterator[Finding]:
    """Yield what checkov finds in a folder."""
    arguments = [
        "--directory",
        str(folder),
        "--framework",
        "kubernetes",
        "--output",
        "json",
        "--quiet",
        "--skip-download",
    ]
    done = subprocess.run([*checkov, *arguments], capture_output=True, text=True, check=False)
    found = _read("checkov", done)
    if found["summary"]["parsing_errors"] or not found["summary"]["passed"]:
        sys.exit(f"checkov has not read the charts: {found['summary']}")
    for check in found["results"]["failed_checks"]:
        kind, _, name = check["resource"].split(".", 2)
        place = Path(check["file_path"]).stem
        yield Finding("checkov", check["check_id"], f"{kind}/{name}", place, check["check_name"])


def _read(tool: str, done: subprocess.CompletedProcess[str]) -> Any:
    # Both exit with 1 where they find something.
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{tool} has failed: {done.stderr or done.stdout}")


def main() -> None:
    """Print the counts; exit with 1 and what is not explained."""
    folder, checkov = Path(sys.argv[1]), sys.argv[2:]
    files = sorted(folder.glob("*.yaml"))
    findings = [finding for file in files for finding in ask_kube_score(file)]
    findings += ask_checkov(folder, checkov)
    explained: dict[str, list[dict[str, Any]]] = yaml.safe_load(_EXPLAINED.read_text())
    used: set[tuple[str, str, str]] = set()
    unexplained: list[Finding] = []
    for finding in findings:
        patterns = [
            pattern
            for entry in explained[finding.tool]
            if entry["check"] == finding.check
            for pattern in entry["objects"]
            if fnmatchcase(finding.subject, pattern)
        ]
        used |= {(finding.tool, finding.check, pattern) for pattern in patterns}
        if not patterns:
            unexplained.append(finding)
    for tool in explained:
        places = Counter(finding.place for finding in findings if finding.tool == tool)
        per_place = ", ".join(f"{file.stem} {places[file.stem]}" for file in files)
        missing = sum(finding.tool == tool for finding in unexplained)
        print(f"    {tool}: {places.total()} findings ({per_place}), {missing} of them not explained")
    for finding in unexplained:
        print(f"    {finding.tool} {finding.check} {finding.subject} ({finding.place}): {finding.message}")
    stale = [
        f"{tool} {entry['check']} {pattern}"
        for tool, entries in explained.items()
        for entry in entries
        for pattern in entry["objects"]
        if (tool, entry["check"], pattern) not in used
    ]
    for line in stale:
        print(f"    {line}: explained in {_EXPLAINED.name}, and not found")
    sys.exit(bool(unexplained or stale))


if __name__ == "__main__":
    main()
