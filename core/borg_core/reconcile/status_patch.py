"""The smallest merge patch from one status to another, so that nothing is written when nothing changed."""

from typing import Any

from borg_core.kinds.base import Model


def derive_status_patch(before: Model, after: Model) -> dict[str, Any]:
    """Return the fields of `after` that differ from `before`, None for those that go; empty when they are the same."""
    old, new = _dump(before), _dump(after)
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    return changed | dict.fromkeys(old.keys() - new.keys())


def _dump(status: Model) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
