"""What mkdocs does here besides turning Markdown into pages: add the generated reference, and fill in the navigation.

mkdocs.yml names this file under `hooks`. The reference is made anew by every build, so it cannot lag behind the CRDs
and the facade that it is made from.
"""

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[2]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand patterns in `nav` (`adr/*.md`), and leave out what is not there (yet)."""
    config.nav = list(_present(config.nav or [], Path(config.docs_dir)))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    for name, text in reference.render_pages(REPOSITORY).items():
        files.append(File.generated(config, name, content=text))
    return files


def _present(entries: list[Any], docs: Path) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, str):
            yield from _files(entry, docs)
            continue
        ((title, value),) = entry.items()
        if isinstance(value, list):
            inside = list(_present(value, docs))
        else:
            inside = list(_files(value, docs))
            if inside == [value]:
                yield entry
                continue
        if inside:
            yield {title: inside}


def _files(pattern: str, docs: Path) -> list[str]:
    if "://" in pattern:
        return [pattern]
    generated = fnmatch.filter(sorted(reference.PAGES), pattern)
    return generated or sorted(str(path.relative_to(docs)) for path in docs.glob(pattern))
