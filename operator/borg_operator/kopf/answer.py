"""What an answer must look like before kopf gets it: kopf takes each at its word, and some words end it.

What stands between API server and operator may answer in its place. Taken for an empty list, that would make the
operator delete what such a list does not name.
"""

from typing import Any

import aiohttp

from borg_cluster.transport import parse_object

_LISTED = {"APIVersions": "versions", "APIGroupList": "groups", "APIResourceList": "resources"}
"""What kopf asks of the API server's own discovery, by its kind."""
_WORDS_LIMIT = 200


class Answer(aiohttp.ClientResponse):
    """`content_read`: the JSON where it was looked at already; it is not parsed again."""

    content_read: dict[str, Any] | None = None

    async def json(self, **options: Any) -> Any:
        """Return what was sent."""
        return await super().json(**options) if self.content_read is None else self.content_read


def is_list(found: dict[str, Any]) -> bool:
    """Tell whether it is a List of objects."""
    items, metadata = found.get("items"), found.get("metadata")
    return (
        str(found.get("kind")).endswith("List")
        and isinstance(metadata, dict)
        and bool(metadata.get("resourceVersion"))
        and isinstance(items, list)
        and all(map(_is_resource, items))
    )


def is_discovery(found: dict[str, Any]) -> bool:
    """Tell whether it says what the API server has; of what kopf may ask beside that, only that it is no Status."""
    kind = str(found.get("kind"))
    return kind != "Status" and (kind not in _LISTED or isinstance(found.get(_LISTED[kind]), list))


def is_event(line: bytes) -> bool:
    """Tell whether a line of a watch is an event other than ERROR."""
    found = parse_object(line)
    return found is not None and found.get("type", "ERROR") != "ERROR" and _is_resource(found.get("object"))


def derive_error(data: bytes) -> dict[str, Any]:
    """Return an error as a Status, with nothing in it but words for the log."""
    found = parse_object(data) or {}
    message = found.get("message") if found.get("kind") == "Status" else data.decode(errors="replace")
    return {"kind": "Status", "message": str(message)[:_WORDS_LIMIT]}


def _is_resource(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("metadata"), dict)
