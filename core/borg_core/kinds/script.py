"""BorgScript: a script with parameters, to be run around a backup."""

from enum import StrEnum
from typing import Annotated, Literal

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import GROUP, VERSION, Metadata, Model
from borg_core.kinds.parts.hooks import VariableName, VariableValue
from borg_core.registry import Column, Definition, Kind


class ParameterType(StrEnum):
    TEXT = "Text"
    PASSWORD = "Password"  # noqa: S105 - a kind of parameter, no password


class ScriptParameter(Model):
    name: Annotated[
        VariableName,
        Schema(
            "The environment variable in which the script finds the value, for example `HOST`.",
            Rule(
                "!self.matches(r'^(PATH|HOME|PWD|SHELL|IFS|ENV|BASH_ENV|PYTHON[A-Z]+|(BORG|LD)_.*)$')",
                "this name steers the shell, the loader, Python or borg itself; choose another one, for "
                "example with a prefix of your own",
            ),
            minLength=1,
            maxLength=128,
        ),
    ]
    type: Annotated[
        ParameterType,
        Schema(
            "`Text` (default): a plain value, visible in the resource. `Password`: only from a Secret; its "
            "value appears in no resource, Job, log or status."
        ),
    ] = ParameterType.TEXT
    required: Annotated[
        bool, Schema("Whether a value must be given (default false); without one the variable is not set.")
    ] = False
    default: Annotated[VariableValue | None, Schema("The value when none is given. A Password has none.")] = None
    description: Annotated[str, Schema("What to give, with an example.", maxLength=1024)] = ""


class BorgScriptSpec(Model):
    description: Annotated[str, Schema("What the script does and needs, for people.", maxLength=4096)] = ""
    content: Annotated[
        str,
        Schema(
            "The script itself. Its first line may name the interpreter\n"
            "(default `#!/bin/sh`); exit code 0 is success. Parameters are\n"
            'environment variables: quote them, as in "$HOST". Example:\n'
            "\n"
            "#!/bin/sh\n"
            "set -eu\n"
            'ssh "$HOST" wakeup',
            Rule("self.trim() != ''", "the script is empty"),
            Rule(r"!self.matches(r'\x00')", "a script cannot contain a NUL character"),
            minLength=1,
            maxLength=32768,
        ),
    ]
    timeout_seconds: Annotated[
        int,
        Schema(
            "After so many seconds the script and all that it started are stopped, and it counts as failed; "
            "default 300.",
            format="int32",
            minimum=1,
            maximum=86400,
        ),
    ] = 300
    parameters: Annotated[
        tuple[
            Annotated[
                ScriptParameter,
                Schema(
                    "One parameter.",
                    Rule(
                        "!has(self.type) || self.type != 'Password' || !has(self.default)",
                        "a Password has no default, which everyone could read here: remove it, and give the "
                        "value from a Secret where the script is used (valueFrom.secretKeyRef)",
                    ),
                ),
            ],
            ...,
        ],
        Schema("What whoever uses the script may or must give.", maxItems=64, listMapKeys=["name"]),
    ] = ()


class BorgScript(Model):
    kind: Literal["BorgScript"] = "BorgScript"
    metadata: Metadata
    spec: Annotated[BorgScriptSpec, Schema("The script.")]


SCRIPTS = Kind(
    "BorgScript",
    GROUP,
    VERSION,
    "borgscripts",
    BorgScript.model_validate,
    definition=Definition(
        model=BorgScript,
        short_name="bscript",
        schema=Schema(
            "A script of the library: schedules and repositories name it in their hooks, each with its "
            "own parameters. It runs in the backup pod, with what that pod's image offers (Debian with a "
            "POSIX shell, Python, ssh and borg)."
        ),
        columns=(
            Column("Description", ".spec.description"),
            Column(
                "Timeout",
                ".spec.timeoutSeconds",
                type="integer",
                description="Seconds after which the script is stopped.",
            ),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    ),
)
