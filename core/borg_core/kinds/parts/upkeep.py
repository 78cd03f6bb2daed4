"""What happens to a repository after a backup: prune and compact."""

from typing import Annotated

from pydantic.alias_generators import to_camel

from borg_contract.retention import DEFAULTS, Retention
from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model


class Prune(Model, Retention):
    """Which of this schedule's own archives `borg prune` keeps: its fields are those of `Retention`."""

    enabled: Annotated[bool, Schema("Whether to prune at all (default false).")] = False

    @property
    def retention(self) -> Retention:
        """The rules alone, as a plan has them."""
        return Retention(**{name: getattr(self, name) for name in DEFAULTS})


_NAMES = [(to_camel(name), default) for name, default in DEFAULTS.items()]

KEEPS_SOMETHING = Rule(
    " || ".join(
        [
            "!self.prune.enabled",
            *(f"self.prune.{name} > 0" for name, default in _NAMES if default != ""),
            *(f"(has(self.prune.{name}) && self.prune.{name} != '')" for name, default in _NAMES if default == ""),
        ]
    ),
    "prune would delete every archive: give keepWithin or at least one keep* above 0",
    ".prune",
)
"""A rule of the object that has `prune`: within it, its own default `{}` would be judged before it has defaults."""


class Compact(Model):
    """`threshold`: percent of a segment that must be unused before it is rewritten."""

    enabled: Annotated[
        bool, Schema("Whether to compact after each backup (default false); useful together with prune.")
    ] = False
    threshold: Annotated[
        int,
        Schema(
            "A segment file is rewritten when at least this percentage of it is unused; default 10. Lower "
            "frees more and writes more.",
            format="int32",
            minimum=0,
            maximum=100,
        ),
    ] = 10
