"""The OpenAPI document: what an operation may answer, and what FastAPI does not know of our answers."""

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import TypeAdapter

from borg_api.edge.problem import MEDIA_TYPE, ProblemAnswer

_NAMESPACE = {
    "name": "namespace",
    "in": "query",
    "required": False,
    "description": "The Kubernetes namespace; without it, the facade's own default.",
    "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
}
_WORDS = {
    400: "A value is refused.",
    401: "The token is missing, malformed or expired.",
    403: "RBAC does not allow it: the detail names verb and resource.",
    404: "There is nothing of that id.",
    409: "A conflict of the moment.",
    412: "It was changed since it was read.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    422: "A field has the wrong type, or is missing.",
    429: "The API server is busy: see Retry-After.",
    503: "The API server is away: see Retry-After.",
}
_ALWAYS = (400, 401, 403, 422, 429, 503)


class ApiRouter(APIRouter):
    """A router whose operations are called in the document as their functions are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(generate_unique_id_function=lambda route: route.name, **options)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of these statuses, for the `responses` of an operation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {status: {"description": _WORDS[status], "content": content} for status in sorted(set(statuses))}


def links(place: str, *operations: str) -> dict[str, Any]:
    """Return OpenAPI links: the id at `place` of an answer is what these operations take as `job_id`."""
    return {name: {"operationId": name, "parameters": {"job_id": f"$response.body#{place}"}} for name in operations}


OF_RUN = links("/job_id", "get_run", "read_run_log", "cancel_run")
"""Of an answer that tells of a run."""


def answers(
    model: Any, *more: int, conditional: bool = False, leads_to: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return what an operation may answer, for its `responses`."""
    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "As the ETag of If-None-Match says."}}
    good: dict[str, Any] = {"model": model, "description": "Done.", **({"links": leads_to} if leads_to else {})}
    return {200: good, **(unchanged if conditional else {}), **problems(*_ALWAYS, *more)}


def render_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: FastAPI's, with our problems in place of its own validation errors."""
    if app.openapi_schema:
        return app.openapi_schema
    document = FastAPI.openapi(app)
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    described = TypeAdapter(ProblemAnswer).json_schema(ref_template="#/components/schemas/{model}")
    schemas |= described.pop("$defs", {})
    schemas["ProblemAnswer"] = described
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A Kubernetes token."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/"):
                operation["security"] = [{"token": []}]
                operation.setdefault("parameters", []).append(_NAMESPACE)
    return document
