"""The reference: a page for each custom resource, for the REST API and for the chart, as Markdown by file name."""

from pathlib import Path

import crd_page
import rest_page
import yaml

from borg_api.app import create_app
from borg_api.configuration import Configuration
from borg_core.registry import own_kinds

CRDS = {f"reference/{kind.kind.lower()}.md": f"crds/{kind.plural}.yaml" for kind in own_kinds()}
REST = "reference/rest-api.md"
CHART = "reference/chart.md"
PAGES = frozenset({*CRDS, REST, CHART})


def render_pages(repository: Path) -> dict[str, str]:
    """Return all pages of the reference."""
    pages = {name: crd_page.render_page(yaml.safe_load((repository / path).read_text())) for name, path in CRDS.items()}
    pages[REST] = rest_page.render_page(create_app(Configuration("default")).openapi())
    pages[CHART] = (repository / "charts" / "borg-operator" / "README.md").read_text()
    return pages
