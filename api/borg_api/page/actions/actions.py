"""What one can do with a page: each is one operation of REST, asked for with the caller's token.

This list is all there is; a test holds it against the operations that write.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from borg_api.page.forms.numbers import read_number

Fields = Mapping[str, str]


def _nothing(_: Fields) -> None:
    return None


@dataclass(frozen=True)
class Action:
    """`path`: of the page's own route; its parts in braces are those of the operation's path, and `body` gets the form.

    `then`: the page that follows, with what was in the path and in the answer; `done`: a word of `answers.DONE`.
    `once`: the form carries a key, so that sending it twice does it once. `at_edition`: it also tells what was seen
    when it was asked for; the operation refuses what was made anew since, or changed where that matters.
    """

    path: str
    operation: str
    done: Callable[[Any], str]
    then: Callable[[Fields, Any], tuple[str, ...]]
    body: Callable[[Fields], Any] = _nothing
    once: bool = False
    at_edition: bool = False


def _always(word: str) -> Callable[[Any], str]:
    return lambda _: word


def _here(place: str, key: str) -> Callable[[Fields, Any], tuple[str, ...]]:
    return lambda values, _: (place, values[key])


def _made(place: str) -> Callable[[Fields, Any], tuple[str, ...]]:
    return lambda _, said: (place, str(said["job_id"]))


def _times(form: Fields) -> dict[str, Any]:
    return {
        "cron_expression": form.get("cron_expression", "").strip(),
        "timezone": form.get("timezone", "").strip() or None,
    }


def _approval(form: Fields) -> dict[str, Any]:
    return {"preview_id": read_number(form.get("preview_id", "0")), "preview_digest": form.get("digest") or None}


ACTIONS = (
    Action(
        "/schedules/{job_id}/run-now",
        "run_schedule_now",
        _always("started"),
        _made("/runs"),
        once=True,
        at_edition=True,
    ),
    Action(
        "/schedules/{job_id}/toggle",
        "toggle_schedule",
        lambda said: "resumed" if said["enabled"] else "paused",
        _here("/schedules", "job_id"),
        at_edition=True,
    ),
    Action(
        "/schedules/{job_id}/duplicate",
        "duplicate_schedule",
        _always("copied"),
        lambda _, said: ("/schedules", str(said["job"]["id"])),
        at_edition=True,
    ),
    Action(
        "/schedules/{job_id}/delete", "delete_schedule", _always("deleted"), lambda *_: ("/schedules",), at_edition=True
    ),
    Action("/runs/{job_id}/cancel", "cancel_run", _always("cancelled"), _here("/runs", "job_id"), at_edition=True),
    Action("/repositories/{repository_id}/check", "check_repository", _always("started"), _made("/runs"), once=True),
    Action(
        "/repositories/{repository_id}/check-times",
        "update_check_schedule",
        _always("changed"),
        _here("/repositories", "repository_id"),
        _times,
        at_edition=True,
    ),
    Action("/repositories/{repository_id}/drill", "drill_repository", _always("started"), _made("/runs"), once=True),
    Action(
        "/repositories/{repository_id}/drill-times",
        "update_drill_schedule",
        _always("changed"),
        _here("/repositories", "repository_id"),
        _times,
        at_edition=True,
    ),
    Action(
        "/restores/{job_id}/cancel",
        "cancel_restore_job",
        _always("cancelled"),
        _here("/restores", "job_id"),
        at_edition=True,
    ),
    Action("/restores/{job_id}/approve", "start_restore_job", _always("approved"), _made("/restores"), _approval),
)
BY_FORMS = {
    "create_schedule": "/schedules",
    "update_schedule": "/schedules/{job_id}",
    "preview_restore_job": "/restores",
    "validate_cron": "/new/schedule/times",
}
"""The operations whose forms are pages of their own, which say beside each field what is wrong: see `actions.route`."""
