"""Names of schedules: none is given that has a meaning of its own over REST."""

from itertools import islice

import pytest
from fastapi.routing import APIRoute

from borg_api.commands.schedules.names import NOT_NAMES, derive_resource_names
from support.rest_world import World

PLACE = "/api/schedule/"


def test_what_has_a_place_of_its_own_among_the_schedules_is_known() -> None:
    routes = [route for route in World().app.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
    below = [route.path.removeprefix(PLACE) for route in routes if route.path.startswith(PLACE)]
    assert sorted(path for path in below if path and not set("/{") & set(path)) == sorted(NOT_NAMES)


@pytest.mark.parametrize("title", ["Upcoming Jobs", "cron-presets"])
def test_no_schedule_gets_such_a_name(title: str) -> None:
    assert not set(NOT_NAMES) & set(islice(derive_resource_names(title), 3))
