"""A PersistentVolumeClaim: only whether it exists matters."""

from borg_core.kinds.parts.base import Metadata
from borg_core.registry import Body, Kind


def parse_claim(body: Body) -> Metadata:
    """Return nothing of it that changes: a namespace may have many, and each change would be news to their users.

    By its annotations a claim says which restore made it.
    """
    metadata = body["metadata"]
    known = {key: metadata[key] for key in ("name", "namespace", "uid")}
    return Metadata(**known, annotations=metadata.get("annotations") or {})


CLAIMS = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", parse_claim)
