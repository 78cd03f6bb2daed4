"""What plans a kind: found in the modules of this package that define one, so that no list has to be kept."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from borg_core.actions import Plan
from borg_core.native.claim import CLAIMS
from borg_core.registry import Kind, Reference
from borg_core.runs.world import World
from borg_core.view import View

PACE_OF_CLAIMS = {CLAIMS.kind: 1.0}
"""A namespace may have hundreds of claims that live for minutes; a CronJob is written once a second for all of them."""


@dataclass(frozen=True)
class Reconciler:
    """`plan` is pure: it returns what is to be done for an object, which need not exist, from what is observed."""

    kind: Kind[Any]
    plan: Callable[[World, View, datetime], Plan]
    cron_job_name: Callable[[str], str] | None = None
    """Returns the name of the object's CronJob for the object's own name; None: there is none."""
    drill_cron_job_name: Callable[[str], str] | None = None
    """The same for a second one, by which no runs take turns."""
    claim: Callable[[View, Reference], str | None] | None = None
    """Returns the claim whose users planning has to know."""
    due: Callable[[Any], Iterable[str | None]] = lambda _: ()
    """Returns when its next runs begin, as its status tells: one that is refused brings no event."""
    delay_seconds: float = 0.0
    """How long to wait for more of the same: many things may change around one object at once."""
    paced_by: Mapping[str, float] = field(default_factory=dict)
    """By the kind of what comes and goes in crowds: while it does, the object is planned once in so many seconds."""


@cache
def find_reconcilers() -> dict[str, Reconciler]:
    """Return every reconciler, by the name of its kind."""
    package = import_module("borg_core.reconcile")
    modules = (import_module(f"borg_core.reconcile.{found.name}") for found in pkgutil.iter_modules(package.__path__))
    found = (value for module in modules for value in vars(module).values() if isinstance(value, Reconciler))
    return {reconciler.kind.kind: reconciler for reconciler in found}
