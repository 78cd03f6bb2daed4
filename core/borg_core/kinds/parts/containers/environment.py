"""The environment of a container whose image its owner names."""

from typing import Annotated, Any

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model
from borg_core.kinds.parts.hooks import ParameterValueSource, VariableName, VariableValue

Word = Annotated[
    str,
    Schema("One word.", Rule(r"!self.matches(r'\x00')", "a word cannot contain a NUL character"), maxLength=4096),
]


class EnvironmentVariable(Model):
    name: Annotated[VariableName, Schema("The variable's name, for example `PGPASSWORD`.")]
    value: Annotated[VariableValue | None, Schema("A plain text, visible to whoever may read this resource.")] = None
    value_from: Annotated[ParameterValueSource | None, Schema("Where the value comes from instead.")] = None

    def render(self, *, optional: bool) -> dict[str, Any]:
        """Return it as a container has it. `optional`: whether the container begins also where the Secret lacks it."""
        if self.value_from is None:
            return {"name": self.name, "value": self.value or ""}
        ref = self.value_from.secret_key_ref
        chosen = {"name": ref.name, "key": ref.key} | ({"optional": True} if optional else {})
        return {"name": self.name, "valueFrom": {"secretKeyRef": chosen}}


Environment = Annotated[
    tuple[
        Annotated[
            EnvironmentVariable,
            Schema(
                "One variable.",
                Rule(
                    "has(self.value) != has(self.valueFrom)",
                    "give exactly one of value (a plain text) and valueFrom (from a Secret)",
                ),
            ),
        ],
        ...,
    ],
    Schema(maxItems=64, listMapKeys=["name"]),
]
