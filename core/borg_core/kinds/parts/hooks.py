"""Scripts before and after a backup: which, and with what parameters."""

from typing import Annotated

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model, NameRef, SecretKeyRef

VariableName = Annotated[
    str,
    Schema(
        "The parameter's name as the BorgScript declares it, for example `HOST`.",
        Rule(
            "self.matches(r'^[A-Za-z_][A-Za-z0-9_]*$')",
            "an environment variable's name has letters, digits and '_' only, and does not begin with a digit, for "
            "example HOST",
        ),
        minLength=1,
        maxLength=128,
    ),
]
VariableValue = Annotated[
    str,
    Schema(
        "A plain text, visible to whoever may read this resource. For a Password parameter use valueFrom.",
        Rule(r"!self.matches(r'\x00')", "an environment variable cannot contain a NUL character"),
        maxLength=4096,
    ),
]


class ParameterValueSource(Model):
    secret_key_ref: Annotated[
        SecretKeyRef, Schema("A key of a Secret in the same namespace, read when the script starts.")
    ]


class HookParameter(Model):
    """A value for one parameter of the script: plain (`value`) or from a Secret (`valueFrom`)."""

    name: VariableName
    value: VariableValue | None = None
    value_from: Annotated[ParameterValueSource | None, Schema("Where the value comes from instead.")] = None


class Hook(Model):
    script_ref: Annotated[
        NameRef, Schema("The script.", below={"name": Schema("The name of a BorgScript in the same namespace.")})
    ]
    parameters: Annotated[
        tuple[
            Annotated[
                HookParameter,
                Schema(
                    "A value for one parameter.",
                    Rule(
                        "has(self.value) != has(self.valueFrom)",
                        "give exactly one of value (a plain text) and valueFrom (from a Secret)",
                    ),
                ),
            ],
            ...,
        ],
        Schema(
            "Values for the script's parameters. They reach the script as environment variables, exactly "
            "as written here; nothing expands or splits them.",
            maxItems=64,
            listMapKeys=["name"],
        ),
    ] = ()


class Hooks(Model):
    pre_backup: Annotated[
        Hook | None,
        Schema(
            "Runs before the backup, for example to dump a database or to wake a server. If it fails, the "
            "backup is not made and the run is Failed."
        ),
    ] = None
    post_backup: Annotated[
        Hook | None,
        Schema(
            "Runs after the backup in any case, also when it failed or the script before it did. "
            "BORG_RUN_PHASE, BORG_RUN_MESSAGE, BORG_ARCHIVES and BORG_FAILED_REPOSITORIES tell it how things "
            "went. If it fails, a run that was Completed becomes CompletedWithWarnings: its archives are "
            "good."
        ),
    ] = None

    @property
    def given(self) -> tuple[Hook, ...]:
        return tuple(hook for hook in (self.pre_backup, self.post_backup) if hook)
