"""A PersistentVolumeClaim: only whether it exists matters."""

from borg_core.kinds.base import Metadata
from borg_core.registry import Body, Kind


def parse_claim(body: Body) -> Metadata:
    return Metadata.model_validate(body["metadata"])


CLAIMS = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", parse_claim)
