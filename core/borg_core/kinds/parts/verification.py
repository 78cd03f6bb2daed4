"""How a repository is verified, besides by its backups."""

from typing import Annotated

from borg_contract.schema import Schema
from borg_core.kinds.parts.base import Model
from borg_core.kinds.parts.timing import TimeZone, describe_times


class CheckTimes(Model):
    schedule: Annotated[
        str,
        describe_times("spec.verification.check.timeZone"),
        Schema("When checks begin, as in a BorgSchedule's `schedule`; for example `0 3 * * 0`, Sundays at 3:00."),
    ]
    time_zone: TimeZone = "Etc/UTC"


class Verification(Model):
    check: Annotated[
        CheckTimes | None,
        Schema(
            "`borg check` at regular times, by a CronJob that belongs to this repository: whether the repository and "
            "its archives are whole. Each is a BorgRun. Default: none; a BorgRun with `operation: Check` checks once."
        ),
    ] = None
