"""A schedule's own options over those that the installer set for all backup pods.

What is one value, the schedule's replaces. Maps are merged key by key, and the schedule's keys win. Tolerations and
pull secrets only ever permit something, so those of both hold.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from borg_core.kinds.parts.job import JobOptions
from borg_core.quantity import parse_quantity


def with_defaults(own: JobOptions, defaults: JobOptions) -> JobOptions:
    """Return the options of a pod. What names users, the image and what a pod may read is the schedule's alone."""
    return own.model_copy(
        update={
            "resources": _resources(own.resources or {}, defaults.resources or {}) or None,
            "image_pull_secrets": _both(defaults.image_pull_secrets, own.image_pull_secrets),
            "node_selector": {**defaults.node_selector, **own.node_selector},
            "tolerations": _both(defaults.tolerations, own.tolerations),
            "affinity": {**(defaults.affinity or {}), **(own.affinity or {})} or None,
            "priority_class_name": own.priority_class_name or defaults.priority_class_name,
            "labels": {**defaults.labels, **own.labels},
            "annotations": {**defaults.annotations, **own.annotations},
        }
    )


def _both(first: Iterable[Any], second: Iterable[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for item in (*first, *second):
        if item not in found:
            found.append(item)
    return tuple(found)


def _resources(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return requests and limits, resource by resource.

    A request beyond the limit is refused by the API server. Where a schedule names one of the two, and the default of
    the other would be on the wrong side of it, the other becomes the same: a quota wants both to be there.
    """
    asked, capped = own.get("requests") or {}, own.get("limits") or {}
    requests = _fitted(defaults.get("requests") or {}, asked, capped, lambda request, limit: request > limit)
    limits = _fitted(defaults.get("limits") or {}, capped, asked, lambda limit, request: limit < request)
    merged = {**defaults, **own, "requests": requests, "limits": limits}
    return {key: value for key, value in merged.items() if value}


def _fitted(
    defaults: Mapping[str, Any],
    own: Mapping[str, Any],
    other: Mapping[str, Any],
    contradicts: Callable[[Any, Any], bool],
) -> dict[str, Any]:
    """Return `defaults` below `own`; one that contradicts what the schedule says in `other` gives way to that."""
    fitted = dict(defaults)
    for name in defaults.keys() & other.keys():
        default, said = parse_quantity(defaults[name]), parse_quantity(other[name])
        if default is not None and said is not None and contradicts(default, said):
            fitted[name] = other[name]
    return {**fitted, **own}
