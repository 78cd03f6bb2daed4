"""BorgScript: a script with parameters, to be run around a backup."""

from enum import StrEnum
from typing import Literal

from borg_core.kinds.base import GROUP, VERSION, Metadata, Model
from borg_core.registry import Kind


class ParameterType(StrEnum):
    TEXT = "Text"
    PASSWORD = "Password"  # noqa: S105 - a kind of parameter, no password


class ScriptParameter(Model):
    name: str
    type: ParameterType = ParameterType.TEXT
    required: bool = False
    default: str | None = None
    description: str = ""


class BorgScriptSpec(Model):
    description: str = ""
    content: str
    timeout_seconds: int = 300
    parameters: tuple[ScriptParameter, ...] = ()


class BorgScript(Model):
    kind: Literal["BorgScript"] = "BorgScript"
    metadata: Metadata
    spec: BorgScriptSpec


SCRIPTS = Kind("BorgScript", GROUP, VERSION, "borgscripts", BorgScript.model_validate)
