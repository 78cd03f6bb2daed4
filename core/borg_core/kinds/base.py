"""What all models share: frozen, camelCase on the wire, tolerant of fields that a newer version added."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "borgoperator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

ResourceName = Annotated[str, Field(min_length=1, max_length=253)]


class Model(BaseModel):
    """A part of a resource. Unknown fields are dropped: the API server has refused or pruned what it does not know."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class NameRef(Model):
    """A resource of a known kind in the same namespace."""

    name: ResourceName


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace."""

    name: ResourceName
    key: str


class Condition(Model):
    """A condition as in metav1.Condition; times are RFC 3339 texts."""

    type: str
    status: str
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int | None = None


class OwnerReference(Model):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class Metadata(Model):
    """What of metav1.ObjectMeta this project reads; times are RFC 3339 texts."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name), as everything in this project is looked up."""
        return self.namespace, self.name
