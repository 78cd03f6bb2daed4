"""dev/crds.py write|check: what is made from the kinds in core/borg_core/kinds.

That is the CRDs in crds/, the chart's copy of them, and what Artifact Hub is told of them in Chart.yaml. `check` says
what is stale, and exits with 1.
"""

import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml

from borg_core.crd import render_crd
from borg_core.registry import Kind, own_kinds

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "crds", ROOT / "charts" / "borg-operator" / "files" / "crds")
CHART = ROOT / "charts" / "borg-operator" / "Chart.yaml"
_ANNOTATION = re.compile(r"^(  artifacthub\.io/crds: \|\n)(?:    .*\n)+", re.MULTILINE)
_WIDTH = 110
_HEADER = """\
# Generated from {source} by dev/crds.py; `make fmt` renews it.
# `kubectl explain {singular} --recursive` is the manual, so every field teaches.
"""


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: long texts folded, short lists in one line, no anchors."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else ">" if len(text) > _WIDTH - 30 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    short = all(isinstance(item, str) for item in items) and sum(map(len, items)) < _WIDTH - 30
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, lambda dumper, text: _text(dumper, str(text)))
_Dumper.add_representer(list, _list)


def render_file(kind: Kind[Any]) -> str:
    """Return the YAML of the kind's CRD."""
    crd = render_crd(kind)
    source = f"core/{kind.definition.model.__module__.replace('.', '/')}.py"
    head = _HEADER.format(source=source, singular=crd["spec"]["names"]["singular"])
    return head + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)


def render_annotation(kind: Kind[Any]) -> str:
    """Return what Artifact Hub is told of the kind: the first sentence of what it is."""
    first, _, _ = kind.definition.schema.description.partition(". ")
    told = {
        "kind": kind.kind,
        "version": kind.version,
        "name": f"{kind.plural}.{kind.group}",
        "displayName": kind.kind.removeprefix("Borg"),
        "description": first.rstrip("."),
    }
    return textwrap.indent(yaml.dump([told], Dumper=_Dumper, sort_keys=False, width=1000), " " * 4)


def render_files() -> dict[Path, str]:
    """Return what each file is to hold."""
    texts = {f"{kind.plural}.yaml": render_file(kind) for kind in own_kinds()}
    chart = _ANNOTATION.sub(
        lambda found: found[1] + "".join(render_annotation(kind) for kind in own_kinds()), CHART.read_text()
    )
    return {CHART: chart} | {folder / name: text for folder in FOLDERS for name, text in texts.items()}


def main(verb: str) -> int:
    wanted = render_files()
    there = {CHART, *(path for folder in FOLDERS for path in folder.glob("*.yaml"))}
    stale = [path for path, text in wanted.items() if path not in there or path.read_text() != text]
    left_over = sorted(there - wanted.keys())
    if verb == "check":
        for path in [*stale, *left_over]:
            print(f"{path.relative_to(ROOT)} is stale: run `make fmt`")
        return 1 if stale or left_over else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.exit("usage: dev/crds.py write|check")
    sys.exit(main(sys.argv[1]))
