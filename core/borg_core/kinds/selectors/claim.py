"""Which claims of a namespace are meant, by their labels."""

from collections.abc import Mapping
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model
from borg_core.kinds.parts.job import IS_A_KEY, IS_A_LABEL_VALUE, KEY, KEYS_ARE_KEYS

ANY_CLAIM = "*"
"""In place of a claim's name: whoever refers to it is looked at again when any claim of the namespace changes."""


class LabelRequirement(Model):
    key: Annotated[
        str,
        Schema(
            "The label's key.",
            Rule(f"self.indexOf('/') <= 253 && self.matches(r'{KEY}')", IS_A_KEY),
            maxLength=317,
        ),
    ]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"],
        Schema("How the label is judged: by `values`, or by whether it is there. NotIn holds where it is not there."),
    ]
    values: Annotated[
        tuple[Annotated[str, Schema("One value.", IS_A_LABEL_VALUE, maxLength=63)], ...],
        Schema("For In and NotIn, at least one.", maxItems=32),
    ] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None

    def describe(self) -> str:
        """Return it as `kubectl get -l` takes it."""
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
        return f"{self.key} {self.operator.lower()} ({', '.join(self.values)})"


class ClaimSelector(Model):
    """A metav1.LabelSelector; an empty one takes every claim."""

    match_labels: Annotated[
        dict[str, Annotated[str, Schema("The label's value.", IS_A_LABEL_VALUE, maxLength=63)]],
        Schema("Labels that a claim must have, for example `{backup: nightly}`.", KEYS_ARE_KEYS, maxProperties=16),
    ] = {}
    match_expressions: Annotated[
        tuple[
            Annotated[
                LabelRequirement,
                Schema(
                    "One requirement.",
                    Rule(
                        "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                        "give values with In and NotIn, and none with Exists and DoesNotExist",
                    ),
                ),
            ],
            ...,
        ],
        Schema("What else must hold of a claim's labels, for example `[{key: tier, operator: Exists}]`.", maxItems=16),
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        wanted = all(labels.get(key) == value for key, value in self.match_labels.items())
        return wanted and all(requirement.holds(labels) for requirement in self.match_expressions)

    def describe(self) -> str:
        """Return it as `kubectl get pvc -l` takes it, empty where it takes every claim."""
        pairs = (f"{key}={value}" for key, value in sorted(self.match_labels.items()))
        return ",".join([*pairs, *(requirement.describe() for requirement in self.match_expressions)])
