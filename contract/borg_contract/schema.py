"""What the API server and people are told of a field beside its type: `Annotated[int, Schema("How many.", minimum=0)]`.

The custom resource definitions are made from it, and nobody reads it at run time: operator and facade parse thousands
of objects, which the API server has already judged, and must be able to read what another version let in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What the API server refuses with `message`: that for which the CEL expression `rule` does not hold.

    `field`: the path below the value at which it says so.
    """

    rule: str
    message: str
    field: str = ""


@dataclass(frozen=True)
class Rules:
    """Several rules at the price of one, for values that are nearly always the same few.

    `usual`: a CEL expression that holds for such values only as all `rules` let pass. What is not usual is judged by
    all of them, and refused with the messages of those that it breaks; all say so at one field.
    """

    usual: str
    rules: tuple[Rule, ...]


FILE_NAME = object()
"""Note at a text that is a name of bytes: surrogates stand for those that are no UTF-8."""


class Schema:
    """A field's description, rules, and JSON schema keywords (`maxLength=253`) besides what its type says.

    `required`: although the model has a default. `shape`: the class whose fields a free-form object has. `below`: more
    about fields of the object, by their name on the wire. `listMapKeys`: the fields that tell a list's items apart.
    """

    def __init__(
        self,
        description: str = "",
        *rules: Rule | Rules,
        required: bool = False,
        shape: type[Any] | None = None,
        below: Mapping[str, "Schema"] | None = None,
        **keywords: Any,
    ) -> None:
        self.description = description
        self.rules = rules
        self.required = required
        self.shape = shape
        self.below = below or {}
        self.keywords = keywords
