"""Scripts in Borg UI's shape."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.picture.records import derive_id
from borg_core.kinds.script import SCRIPTS, BorgScript


@answer
class ScriptParameter(TypedDict):
    name: str
    type: Annotated[str, Field(examples=["text", "password"])]
    required: bool
    default: str
    description: str


@answer
class Script(TypedDict):
    id: int
    name: str
    description: str | None
    timeout: Annotated[int, Field(description="Seconds.")]
    parameters: list[ScriptParameter] | None
    category: str
    run_on: str
    created_at: str


def render_script(script: BorgScript) -> Script:
    spec, metadata = script.spec, script.metadata
    parameters: list[ScriptParameter] = [
        {
            "name": parameter.name,
            "type": parameter.type.value.lower(),
            "required": parameter.required,
            "default": parameter.default or "",
            "description": parameter.description,
        }
        for parameter in spec.parameters
    ]
    return {
        "id": derive_id(SCRIPTS.kind, metadata.namespace, metadata.name),
        "name": metadata.name,
        "description": spec.description or None,
        "timeout": spec.timeout_seconds,
        "parameters": parameters or None,
        "category": "custom",
        "run_on": "always",
        "created_at": metadata.creation_timestamp,
    }
