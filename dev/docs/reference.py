"""The reference: one page for each custom resource, one for the REST API, as text in Markdown by file name."""

from pathlib import Path

import crd_page
import rest_page
import yaml

from borg_api.app import create_app
from borg_api.configuration import Configuration

CRDS = {
    "reference/borgrepository.md": "crds/borgrepositories.yaml",
    "reference/borgschedule.md": "crds/borgschedules.yaml",
    "reference/borgscript.md": "crds/borgscripts.yaml",
    "reference/borgrun.md": "crds/borgruns.yaml",
}
REST = "reference/rest-api.md"
PAGES = frozenset({*CRDS, REST})


def render_pages(repository: Path) -> dict[str, str]:
    """Return all pages of the reference."""
    pages = {name: crd_page.render_page(yaml.safe_load((repository / path).read_text())) for name, path in CRDS.items()}
    return {**pages, REST: rest_page.render_page(create_app(Configuration("default")).openapi())}
