"""Every kind that this project deals with: found in the modules that define one, so that no list has to be kept.

A kind is a module in `borg_core.kinds` (our own) or `borg_core.native` (Kubernetes' own) with one `Kind` in it.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Generic, NamedTuple, TypeVar

from borg_contract.schema import Schema

T = TypeVar("T")

Body = Mapping[str, Any]
"""An object as the API server hands it out."""

_HOMES = ("borg_core.kinds", "borg_core.native")


class Reference(NamedTuple):
    """An object of a namespace, named from elsewhere: it need not exist."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class ResourceType:
    """Where the API server serves a kind: `group` is empty for the core group."""

    kind: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of one object, of a namespace's collection, or of the whole cluster's."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = [root, *(("namespaces", namespace) if namespace else ()), self.plural]
        return "/".join([*parts, *(part for part in (name, subresource) if part)])


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide`: only with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Definition:
    """What the API server is told of a kind of ours, besides the fields of its `model`."""

    model: type[Any]
    short_name: str
    schema: Schema
    """Of the whole object: what the kind is, and the rules for its name."""
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    """JSON paths that `kubectl get --field-selector` knows."""


def _nothing(_: Any) -> Iterable[Any]:
    return ()


@dataclass(frozen=True)
class Kind(ResourceType, Generic[T]):
    """A kind whose objects are watched. `parse` is its edge: it raises ValueError for an object that it cannot read."""

    parse: Callable[[Body], T]
    references: Callable[[T], Iterable[Reference]] = _nothing
    """What an object refers to: it is found by these, and looked at again when one of them changes."""
    groups: Callable[[T], Iterable[tuple[str, str]]] = _nothing
    """(index, value) by which objects of a namespace are found besides: those with one title, say."""
    affects: Callable[[T], Iterable[Reference]] = _nothing
    """Objects that it does something to: whoever refers to them is looked at again as well when it changes."""
    shown: Callable[[T], object] = _nothing
    """What others look at in the status of an object that is reconciled itself, besides what it is found by."""
    selector: str = ""
    """Label selector of its watch: of native kinds, only what is ours."""
    definition: Definition | None = None
    """Of our own kinds: their custom resource definition is rendered from it, see borg_core.crd."""


@cache
def watched_kinds() -> tuple[Kind[Any], ...]:
    """Return every kind that is watched, our own first."""
    return tuple(dict.fromkeys(kind for home in _HOMES for kind in _kinds_in(home)))


@cache
def own_kinds() -> tuple[Kind[Any], ...]:
    """Return the kinds that this project defines."""
    return tuple(dict.fromkeys(_kinds_in(_HOMES[0])))


def find_kind(name: str) -> Kind[Any]:
    """Return the kind of that name. Raises KeyError for one that is not watched."""
    return _by_name()[name]


@cache
def _by_name() -> dict[str, Kind[Any]]:
    return {kind.kind: kind for kind in watched_kinds()}


def _kinds_in(home: str) -> Iterator[Kind[Any]]:
    package = import_module(home)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        for value in vars(import_module(f"{home}.{module.name}")).values():
            if isinstance(value, Kind):
                yield value
