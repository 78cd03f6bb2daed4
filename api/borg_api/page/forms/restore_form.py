"""The form of a restore, and the body of REST's preview that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from borg_api.page.frame.guard import Form
from borg_api.picture.picture import View

TEXTS = ("repository", "archive", "paths", "exclude", "source", "destination", "destination_type", "mode", "writers",
         "ownership")  # fmt: skip
TICKS = ("undo", "verify")
_DEFAULTS: dict[str, Any] = {
    "destination": "",
    "destination_type": "claim",
    "mode": "Merge",
    "writers": "Refuse",
    "ownership": "Keep",
    "undo": True,
    "verify": True,
}


@dataclass(frozen=True)
class Draft:
    """What stands in the form; `paths` and `exclude` a line each. `faults`: by the field."""

    fields: Mapping[str, Any]
    problem: str = ""
    hint: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return str(self.fields.get(name) or "")

    def is_on(self, name: str) -> bool:
        return bool(self.fields.get(name))


def offer_draft(
    view: View, repository: str, archive: str, paths: Sequence[str], *, hint: str = "", **more: str
) -> Draft:
    """Return the form for what was chosen before: repository, archive, what was ticked in it, and `more` fields."""
    repositories = [item.metadata.name for item in view.repositories.in_order()]
    chosen = repository or (repositories[0] if len(repositories) == 1 else "")
    known = {"repository": chosen, "archive": archive, "paths": "\n".join(paths)}
    return Draft({**_DEFAULTS, **known, **{key: value for key, value in more.items() if value}}, hint=hint)


def read_draft(form: Form) -> Draft:
    """Return what was entered."""
    entered = dict(form)
    return Draft({**{key: entered.get(key, "") for key in TEXTS}, **{key: key in entered for key in TICKS}})


def body_of(draft: Draft) -> dict[str, Any]:
    """Return the body of a preview. A path may end in blanks, and is taken as it is."""
    body: dict[str, Any] = {
        "repository": draft.text("repository"),
        "archive": draft.text("archive"),
        "paths": _lines(draft.text("paths")),
        "exclude": _lines(draft.text("exclude")),
        "destination": draft.text("destination").strip() or "/",
        **{key: draft.text(key) or _DEFAULTS[key] for key in ("destination_type", "mode", "writers", "ownership")},
        **{key: draft.is_on(key) for key in TICKS},
    }
    if source := draft.text("source").strip():
        body["source"] = source
    return body


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
