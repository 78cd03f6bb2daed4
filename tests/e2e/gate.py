"""A script that holds a run until the test lets it pass: what happens meanwhile is no matter of time."""

from typing import Any

from e2e.team import Team

_SCRIPT = """
# One token lets one run pass.
until rm "/repositories/main/pass-$BORG_SCHEDULE" 2>/dev/null; do sleep 0.1; done
"""


def gated(team: Team, name: str, **spec: Any) -> None:
    """Make a schedule into `main` whose runs wait before their backup."""
    team.script("gate", _SCRIPT, timeout=600)
    team.schedule(name, "main", hooks={"preBackup": {"scriptRef": {"name": "gate"}}}, **spec)


def let_pass(team: Team, schedule: str) -> None:
    """Let the run of the schedule that waits, or the next one, go on."""
    team.work(f"touch /repositories/pass-{schedule}")
