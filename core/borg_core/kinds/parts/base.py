"""What all models share: frozen, camelCase on the wire, tolerant of fields that a newer version added."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from borg_contract.result import REASON_PATTERN
from borg_contract.schema import Rule, Schema

GROUP = "borgoperator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
"""What Kubernetes takes as the name of most objects, and of a domain before a label's name."""

IS_A_NAME = Rule(
    f"self.matches(r'^{SUBDOMAIN}$')",
    "a name in Kubernetes has lower-case letters, digits, '-' and '.' only, and each part between dots begins and ends "
    "with a letter or digit, for example app-data",
)

ResourceName = Annotated[str, Schema("", IS_A_NAME, minLength=1, maxLength=253)]
Time = Annotated[str, Schema(format="date-time")]
"""RFC 3339, in UTC."""


_UNASKED: set[str] = set()


def to_wire(name: str) -> str:
    """Return how a field is called in a resource. One whose name pydantic has for itself ends with an underscore."""
    return to_camel(name).rstrip("_")


class Model(BaseModel):
    """A part of a resource. Unknown fields are dropped: the API server has refused or pruned what it does not know."""

    model_config = ConfigDict(frozen=True, alias_generator=to_wire, populate_by_name=True, extra="ignore")

    def model_post_init(self, _context: Any) -> None:
        """Forget which fields were given: nobody asks, and thousands of such sets are half of what a schedule takes."""
        object.__setattr__(self, "__pydantic_fields_set__", _UNASKED)


class NameRef(Model):
    """A resource of a known kind in the same namespace."""

    name: Annotated[ResourceName, Schema("The resource's name.")]


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace."""

    name: Annotated[ResourceName, Schema("The name of a Secret in the same namespace.")]
    key: Annotated[
        str,
        Schema(
            "The key in the Secret's data.",
            Rule(
                "self.matches(r'^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",
                "a key in a Secret has letters, digits, '-', '_' and '.' only",
            ),
            minLength=1,
            maxLength=253,
        ),
    ]


class Condition(Model):
    """A condition as in metav1.Condition; times are RFC 3339 texts."""

    type: Annotated[str, Schema("What is judged, for example `Ready`.", minLength=1, maxLength=316)]
    status: Annotated[str, Schema("True, False, or Unknown.", enum=["True", "False", "Unknown"])]
    reason: Annotated[
        str,
        Schema(
            "Why, in one CamelCase word for programs.",
            minLength=1,
            maxLength=1024,
            pattern=REASON_PATTERN,
        ),
    ]
    message: Annotated[
        str, Schema("Why, and what to do, in a sentence for people.", required=True, maxLength=32768)
    ] = ""
    last_transition_time: Annotated[Time, Schema("When `status` last changed.", required=True)] = ""
    observed_generation: Annotated[
        int | None, Schema("The metadata.generation that was judged.", format="int64", minimum=0)
    ] = None


Conditions = Annotated[
    tuple[Annotated[Condition, Schema("One aspect of the state, as in metav1.Condition.")], ...],
    Schema(
        "`Ready` is True when runs can use this resource; otherwise its message says what is missing and "
        "what to do. `kubectl wait --for=condition=Ready` works.",
        maxItems=16,
        listMapKeys=["type"],
    ),
]

ObservedGeneration = Annotated[
    int | None,
    Schema(
        "The metadata.generation that this status is about; -1 until the operator has looked at it for the first time.",
        format="int64",
        minimum=-1,
    ),
]

UNSEEN = {"observedGeneration": -1}
"""The status that the API server gives to what is new, so that nobody (kstatus) takes it for settled."""


class OwnerReference(Model):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


def _own(annotations: Any) -> Any:
    if not isinstance(annotations, Mapping):
        return annotations
    return {key: value for key, value in annotations.items() if key.startswith(f"{GROUP}/")}


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
    annotations: Annotated[dict[str, str], BeforeValidator(_own)] = {}
    """Of this project alone: kubectl keeps the whole manifest in another one."""
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name), as everything in this project is looked up."""
        return self.namespace, self.name
