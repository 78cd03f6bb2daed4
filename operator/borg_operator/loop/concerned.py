"""Which objects to reconcile when one is added, changed or deleted: derived from what their kinds refer to."""

from collections.abc import Iterator
from typing import Any

from borg_core.kinds.parts.base import Model
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Kind, Reference
from borg_core.view import View


def derive_concerned(view: View, kind: Kind[Any], found: Any) -> set[Reference]:
    """Return the objects to reconcile when `found`, of that kind, changes: those with a reconciler among these.

    It itself; what it refers to; what refers to it, also through something else (a schedule, to a script that one of
    its repositories runs); and those of its own kind that have something in common with it, a title say.
    """
    reconcilers = find_reconcilers()
    own = reference_of(kind, found)
    concerned = {own, *kind.references(found)}
    waiting = [own]
    while waiting:
        for reference in _referring(view, waiting.pop()):
            if reference not in concerned:
                concerned.add(reference)
                waiting.append(reference)
    if kind.kind in reconcilers:
        for index, value in kind.groups(found):
            others = view.grouped(kind, index, own.namespace, value)
            concerned |= {reference_of(kind, other) for other in others}
    return {reference for reference in concerned if reference.kind in reconcilers}


def reference_of(kind: Kind[Any], found: Any) -> Reference:
    metadata = found.metadata if isinstance(found, Model) and hasattr(found, "metadata") else found
    return Reference(kind.kind, metadata.namespace, metadata.name)


def _referring(view: View, reference: Reference) -> Iterator[Reference]:
    for reconciler in find_reconcilers().values():
        for other in view.referring_to(reconciler.kind, reference):
            yield reference_of(reconciler.kind, other)
