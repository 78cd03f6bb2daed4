"""What the documentation tells people to apply is let in by a real API server, as it stands."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.cluster import BASELINE, REPOSITORY, Kubectl, fresh_namespace

pytestmark = pytest.mark.usefixtures("crds")

EXAMPLES = sorted((REPOSITORY / "docs" / "examples").glob("*.yaml"))
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEREDOC = re.compile(r"^ *kubectl create -f - <<END\n(.*?)^ *END", re.MULTILINE | re.DOTALL)


def manifests_in_pages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, match in enumerate([*BLOCK.finditer(page.read_text()), *HEREDOC.finditer(page.read_text())]):
            yield f"{page.relative_to(REPOSITORY)}, manifest {number + 1}", match[1]


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with fresh_namespace(kubectl, BASELINE) as name:
        yield name


def create(kubectl: Kubectl, namespace: str, manifest: str) -> str:
    """Return what the API server has against `manifest`, warnings included, "" when it lets it in."""
    documents = [document for document in yaml.safe_load_all(manifest) if document["kind"] != "Namespace"]
    text = yaml.safe_dump_all(documents)
    return kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=text, check=False).stderr


@pytest.mark.parametrize(
    "path", [path for path in EXAMPLES if not path.name.startswith("00-")], ids=lambda path: path.name
)
def test_an_example_is_let_in(kubectl: Kubectl, namespace: str, path: Path) -> None:
    assert create(kubectl, namespace, path.read_text()) == ""


@pytest.mark.parametrize(("where", "manifest"), list(manifests_in_pages()))
def test_a_manifest_in_a_page_is_let_in(kubectl: Kubectl, namespace: str, where: str, manifest: str) -> None:
    assert create(kubectl, namespace, manifest) == "", where


def test_the_example_namespace_is_let_in(kubectl: Kubectl) -> None:
    text = EXAMPLES[0].read_text()
    kubectl("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
