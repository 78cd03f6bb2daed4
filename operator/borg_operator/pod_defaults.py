"""What the installer sets for all backup pods, as the chart hands it over: JSON, refused at the start if it is wrong.

The API server would refuse it as well, but with each of the CronJobs, and to people who can do nothing about it.
"""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from borg_core.kinds.parts.base import SUBDOMAIN, NameRef
from borg_core.kinds.parts.job import KEY, KEYS_OF_OTHERS, LABEL_VALUE, OF_OTHERS, JobOptions, Toleration
from borg_core.quantity import parse_quantity
from borg_core.settings import PodDefaults


def _check_quantity(value: Any) -> Any:
    found = parse_quantity(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is None or found < 0:
        raise ValueError(f"{value!r} is no quantity, such as 500m or 2Gi")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _check_key(key: str) -> str:
    if not re.fullmatch(KEY, key):
        raise ValueError(f"{key!r} is no key, such as example.com/team")
    if key.startswith(OF_OTHERS) or key in KEYS_OF_OTHERS:
        raise ValueError(f"{key!r} is set by the operator or by Kubernetes: choose another prefix")
    return key


_Quantities = dict[str, Annotated[str, BeforeValidator(_check_quantity)]]
_Key = Annotated[str, Field(max_length=317), AfterValidator(_check_key)]
_LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
_Name = Annotated[str, Field(max_length=253, pattern=f"^{SUBDOMAIN}$")]
_NameOrNone = Annotated[str, Field(max_length=253, pattern=f"^({SUBDOMAIN})?$")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Resources(_Given):
    requests: _Quantities = {}
    limits: _Quantities = {}

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        for name in self.requests.keys() & self.limits.keys():
            request, limit = parse_quantity(self.requests[name]), parse_quantity(self.limits[name])
            if request is not None and limit is not None and request > limit:
                raise ValueError(
                    f"{name}: the request {self.requests[name]} is more than the limit {self.limits[name]}"
                )
        return self


class _PullSecret(_Given):
    name: _Name


class _Toleration(Toleration):
    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, Field(max_length=317, pattern=f"^$|{KEY}")] | None = None
    value: _LabelValue | None = None

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        exists = self.operator == "Exists"
        if exists and self.value:
            raise ValueError("with operator Exists there is no value: leave it out, or write Equal")
        if not self.key and not exists:
            raise ValueError("without a key, which is every taint, write operator Exists")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("tolerationSeconds is for effect NoExecute only")
        return self


class _Affinity(_Given):
    node_affinity: dict[str, Any] | None = None
    pod_affinity: dict[str, Any] | None = None
    pod_anti_affinity: dict[str, Any] | None = None


class _BackupPods(_Given):
    resources: _Resources = _Resources()
    image_pull_secrets: list[_PullSecret] = []
    node_selector: dict[Annotated[str, Field(pattern=KEY)], _LabelValue] = {}
    tolerations: list[_Toleration] = []
    affinity: _Affinity = _Affinity()
    priority_class_name: _NameOrNone = ""
    runtime_class_name: _NameOrNone = ""
    labels: dict[_Key, _LabelValue] = {}
    annotations: dict[_Key, str] = {}


def parse_pod_defaults(text: str, *, users_from_platform: bool) -> PodDefaults:
    """Return the defaults that the JSON object says; none for an empty text. Raises ValueError with a sentence."""
    try:
        given = _BackupPods.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"] if step != "[key]")
        raise ValueError(": ".join(part for part in (place, first["msg"]) if part)) from None
    options = JobOptions(
        resources=given.resources.model_dump(exclude_defaults=True) or None,
        image_pull_secrets=tuple(NameRef(name=ref.name) for ref in given.image_pull_secrets),
        node_selector=given.node_selector,
        tolerations=tuple(item.model_dump(by_alias=True, exclude_none=True) for item in given.tolerations),
        affinity=given.affinity.model_dump(by_alias=True, exclude_none=True) or None,
        priority_class_name=given.priority_class_name or None,
        labels=given.labels,
        annotations=given.annotations,
    )
    return PodDefaults(options, given.runtime_class_name or None, users_from_platform)
