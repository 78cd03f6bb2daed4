"""The documentation's links lead somewhere, and what it tells people to type exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"(?:^ {4}|`|&& |=\w+ )make ([a-z0-9]+)", re.MULTILINE)
FILE = re.compile(r"\b((?:docs|dev|charts|crds|tests|core|runner)/[\w./-]+\w)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(page.read_text())) - known == set()


@pytest.mark.parametrize("page", [page for page in PAGES if "adr" not in page.parts], ids=name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    paths = set(FILE.findall(page.read_text()))
    assert [path for path in sorted(paths) if not (ROOT / path).exists() and ".state" not in path] == []
