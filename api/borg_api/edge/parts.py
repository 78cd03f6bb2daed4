"""The parts that are made once, when the application starts, and found by their class ever after."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import FastAPI, Request

T = TypeVar("T")


def install_parts(app: FastAPI, *parts: object) -> None:
    """Let the parts be found, each by its class."""
    app.state.parts = {type(part): part for part in parts}


def part_of(request: Request, kind: type[T]) -> T:
    """Return the application's only object of a class. Raises KeyError when there is none."""
    parts: dict[type, Any] = request.app.state.parts
    found: T = parts[kind]
    return found


def provide(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return a dependency that gives a route the application's only object of a class."""

    async def find(request: Request) -> T:
        return part_of(request, kind)

    return find
