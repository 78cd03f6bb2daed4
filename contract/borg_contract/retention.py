"""Which archives `borg prune` keeps: each rule once, for the plan, the resource, borg's arguments and the REST API."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, NamedTuple, get_type_hints

from borg_contract.schema import Rule, Schema


class BorgOption(NamedTuple):
    """The rule is `borg prune --keep-<name>`."""

    name: str


def _periods(description: str) -> Schema:
    return Schema(description, format="int32", minimum=0, maximum=100000)


@dataclass(frozen=True)
class Retention:
    """What `borg prune` keeps; 0 and "" mean: no such rule. The defaults are those of a schedule."""

    keep_within: Annotated[
        str,
        BorgOption("within"),
        Schema(
            "Keep every archive made within this time, for example `12H`, `7d`, `2w`, `3m` (months of 31 days), `1y`. "
            "Default: no such rule.",
            Rule(
                "self == '' || self.matches(r'^[1-9][0-9]*[Hdwmy]$')",
                "give a whole number above 0 and a unit: H (hours), d (days), w (weeks), m (months of 31 days) or "
                "y (years), for example 7d",
            ),
            maxLength=8,
        ),
    ] = ""
    keep_hourly: Annotated[
        int,
        BorgOption("hourly"),
        _periods("Of how many hours, counted back from now, the last archive is kept; default 0, no such rule."),
    ] = 0
    keep_daily: Annotated[
        int, BorgOption("daily"), _periods("Of how many days the last archive is kept; default 7.")
    ] = 7
    keep_weekly: Annotated[
        int, BorgOption("weekly"), _periods("Of how many weeks (Monday to Sunday) the last archive is kept; default 4.")
    ] = 4
    keep_monthly: Annotated[
        int, BorgOption("monthly"), _periods("Of how many months the last archive is kept; default 6.")
    ] = 6
    keep_quarterly: Annotated[
        int,
        BorgOption("3monthly"),
        _periods("Of how many quarters of a year the last archive is kept; default 0, no such rule."),
    ] = 0
    keep_yearly: Annotated[
        int, BorgOption("yearly"), _periods("Of how many years the last archive is kept; default 1.")
    ] = 1

    @classmethod
    def only(cls, **rules: Any) -> "Retention":
        """Return a retention with these `rules` and no others, not even the defaults."""
        return Retention(**{name: type(default)() for name, default in DEFAULTS.items()} | rules)

    @property
    def rules(self) -> dict[str, int | str]:
        """The rules there are: what is kept by borg's word for it, such as {"within": "2d", "daily": 7}."""
        kept = ((option, getattr(self, name)) for name, option in _OPTIONS.items())
        return {option: amount for option, amount in kept if amount}


def _option_of(hint: Any) -> str:
    return next(note.name for note in hint.__metadata__ if isinstance(note, BorgOption))


DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Retention)}
"""Every rule by its field's name, with what a schedule keeps that says nothing of it."""

_OPTIONS = {
    name: _option_of(hint) for name, hint in get_type_hints(Retention, include_extras=True).items() if name in DEFAULTS
}
