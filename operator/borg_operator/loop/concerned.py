"""Which objects to reconcile when one is added, changed or deleted: derived from what their kinds refer to."""

from collections.abc import Iterator
from typing import Any

from borg_cluster.index import Change
from borg_core.kinds.parts.base import Model
from borg_core.kinds.repository import REPOSITORIES
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Kind, Reference
from borg_core.view import View


def derive_concerned(view: View, kind: Kind[Any], change: Change[Any]) -> set[Reference]:
    """Return the objects to reconcile after a change of one of that kind: those with a reconciler among these.

    It itself; and those whom it concerns as it was and as it is, unless what they look at has stayed.
    """
    states = [state for state in (change.old, change.new) if state]
    if len(states) > 1 and _shown(kind, change.old) == _shown(kind, change.new):
        concerned = {reference_of(kind, change.new)}
    else:
        concerned = {reference for state in states for reference in _concerned_by(view, kind, state)}
    return {reference for reference in concerned if reference.kind in find_reconcilers()}


def _shown(kind: Kind[Any], found: Any) -> Any:
    """Return what others look at.

    The status of what is reconciled is written from what others look at themselves: only what its kind says of it
    counts, and by what it is found. Else every schedule of a repository would be planned again whenever a run or
    another schedule changes its status.
    """
    if kind.kind not in find_reconcilers():
        return found
    metadata = found.metadata
    return metadata.uid, metadata.annotations, found.spec, set(kind.groups(found)), kind.shown(found)


def _concerned_by(view: View, kind: Kind[Any], found: Any) -> set[Reference]:
    """Return it itself, what it refers to, what refers to it, and those that have something in common with it.

    What refers to it also through something else: a schedule, to a script that one of its repositories runs. In common:
    with others of its own kind, a title say. Of repositories what refers to those as well: a schedule, to another name.
    """
    own, alike = reference_of(kind, found), set(_alike(view, kind, found))
    followed = {own, *alike} if kind.kind == REPOSITORIES.kind else {own}
    waiting = [*followed, *kind.affects(found)]
    while waiting:
        for reference in _referring(view, waiting.pop()):
            if reference not in followed:
                followed.add(reference)
                waiting.append(reference)
    return {*followed, *alike, *kind.references(found)}


def _alike(view: View, kind: Kind[Any], found: Any) -> Iterator[Reference]:
    if kind.kind in find_reconcilers():
        for index, value in kind.groups(found):
            for other in view.grouped(kind, index, found.metadata.namespace, value):
                yield reference_of(kind, other)


def reference_of(kind: Kind[Any], found: Any) -> Reference:
    metadata = found.metadata if isinstance(found, Model) and hasattr(found, "metadata") else found
    return Reference(kind.kind, metadata.namespace, metadata.name)


def _referring(view: View, reference: Reference) -> Iterator[Reference]:
    for reconciler in find_reconcilers().values():
        for other in view.referring_to(reconciler.kind, reference):
            yield reference_of(reconciler.kind, other)
