"""Scripts before and after a backup, and the BorgScript resource they come from."""

from enum import StrEnum
from typing import Literal

from borg_core.kinds.base import Metadata, Model, NameRef, SecretKeyRef


class ParameterValueSource(Model):
    secret_key_ref: SecretKeyRef


class HookParameter(Model):
    """A value for one parameter of the script: plain (`value`) or from a Secret (`valueFrom`)."""

    name: str
    value: str | None = None
    value_from: ParameterValueSource | None = None


class Hook(Model):
    script_ref: NameRef
    parameters: tuple[HookParameter, ...] = ()


class Hooks(Model):
    pre_backup: Hook | None = None
    post_backup: Hook | None = None

    @property
    def given(self) -> tuple[Hook, ...]:
        return tuple(hook for hook in (self.pre_backup, self.post_backup) if hook)


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
