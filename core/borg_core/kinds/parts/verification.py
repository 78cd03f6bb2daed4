"""How a repository is verified, besides by its backups."""

from typing import Annotated

from borg_contract.restore.proof import Drilled
from borg_contract.run import Phase
from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model, Time
from borg_core.kinds.parts.containers.environment import Environment, Word
from borg_core.kinds.parts.job import Image
from borg_core.kinds.parts.timing import AGE, TimeZone, describe_times

MOST_DRILLED = 64
"""Of so many schedules it is known how far their drills are."""


class CheckTimes(Model):
    schedule: Annotated[
        str,
        describe_times("spec.verification.check.timeZone"),
        Schema("When checks begin, as in a BorgSchedule's `schedule`; for example `0 3 * * 0`, Sundays at 3:00."),
    ]
    time_zone: TimeZone = "Etc/UTC"
    max_duration: Annotated[
        str | None,
        Schema(
            "Look at the repository's segments for so long, for example `1h`, and go on there the next time; when all "
            "are through, at the archives. A BorgRun by hand checks all at once. Default: always all at once.",
            AGE,
            maxLength=10,
        ),
    ] = None
    verify_data_every: Annotated[
        str | None,
        Schema(
            "So often, for example `30d`, a check is a whole one that reads and verifies all data "
            "(`borg check --verify-data`), however long that takes. Default: never.",
            AGE,
            maxLength=10,
        ),
    ] = None


class DrillApp(Model):
    """What tries the restored files. It has the pod's user, no API token, and none of the repository's Secrets."""

    image: Annotated[
        Image, Schema("The image. Refused (DrillsScheduled=False) unless whoever installed the operator allowed it.")
    ]
    command: Annotated[
        tuple[Word, ...], Schema("As in a container: the program and its words; default: the image's.", maxItems=32)
    ] = ()
    args: Annotated[tuple[Word, ...], Schema("As in a container: more words; default: the image's.", maxItems=32)] = ()
    env: Annotated[
        Environment,
        Schema("Variables of its environment. With one from a Secret, nothing that it prints is told but in its log."),
    ] = ()
    paths: Annotated[
        tuple[
            Annotated[
                str,
                Schema(
                    "One path in the archive.",
                    Rule("!self.startsWith('/')", "give it as `borg list` shows it, without a slash before it"),
                    Rule(r"!self.matches(r'\p{Cc}')", "a path is one line without control characters"),
                    minLength=1,
                    maxLength=1024,
                ),
            ],
            ...,
        ],
        Schema(
            "Files and folders that it needs, as paths in the archive, for example `sources/data/dump.sql`: every "
            "drill restores them besides its sample, `maxBytes` of an archive at most. Default: it has the sample.",
            maxItems=64,
        ),
    ] = ()
    timeout_seconds: Annotated[
        int,
        Schema(
            "So many seconds after the files are there, it has to have ended, else the drill fails; default 3600.",
            format="int32",
            minimum=1,
            maximum=86400,
        ),
    ] = 3600

    @property
    def is_told_secrets(self) -> bool:
        """Whether what it prints may hold one."""
        return any(variable.value_from for variable in self.env)


class DrillTimes(Model):
    schedule: Annotated[
        str,
        describe_times("spec.verification.drill.timeZone"),
        Schema("When drills begin, as in a BorgSchedule's `schedule`; for example `H 5 * * 6`, Saturdays after 5:00."),
    ]
    time_zone: TimeZone = "Etc/UTC"
    sample: Annotated[
        int,
        Schema(
            "About so many percent of an archive's files are restored by one drill, others by the next one, so that "
            "in time all are; default 10.",
            format="int32",
            minimum=1,
            maximum=100,
        ),
    ] = 10
    max_bytes: Annotated[
        str,
        Schema(
            "Of one archive at most so much is restored at once, into the pod's /tmp on its node: with more, files are "
            "spread over more drills. A larger file is never drilled. Default `5Gi`.",
            Rule("isQuantity(self)", "give a quantity, for example 5Gi"),
            minLength=1,
            maxLength=32,
        ),
    ] = "5Gi"
    min_files: Annotated[
        int,
        Schema("How many files an archive must hold, else the drill fails; default 1.", format="int32", minimum=1),
    ] = 1
    max_age: Annotated[
        str | None,
        Schema(
            "How old the newest archive may be, for example `48h`, else the drill fails. Default: as old as it is.",
            AGE,
            maxLength=10,
        ),
    ] = None
    app: Annotated[
        DrillApp | None,
        Schema(
            "A container that tries the restored files, for example `pg_restore --list`: it finds them below "
            "/restored, read-only, as `/restored/<schedule>/sources/<source>/…`. An exit code other than 0 fails the "
            "drill. Default: none; they are compared with the archive in any case."
        ),
    ] = None


class Verification(Model):
    check: Annotated[
        CheckTimes | None,
        Schema(
            "`borg check` at regular times, by a CronJob that belongs to this repository: whether the repository and "
            "its archives are whole. Each is a BorgRun. Default: none; a BorgRun with `operation: Check` checks once."
        ),
    ] = None
    drill: Annotated[
        DrillTimes | None,
        Schema(
            "Restores on trial at regular times, by a CronJob that belongs to this repository: a part of the newest "
            "archive of each schedule is restored into the pod and compared. Each is a BorgRun. Default: none; a "
            "BorgRun with `operation: Drill` drills once."
        ),
    ] = None


class Damage(Model):
    """What the newest run found that found any."""

    time: Annotated[Time, Schema("When the run ended that found it.")]
    run_name: Annotated[str, Schema("That BorgRun.", maxLength=253)]
    run_uid: Annotated[str, Schema("Its uid, which tells it from a later one of its name.", maxLength=64)] = ""
    reason: Annotated[str, Schema("What it found, in one word.", maxLength=1024)]
    message: Annotated[str, Schema("The same in a sentence.", maxLength=2048)] = ""


class VerificationStatus(Model):
    """What checks and drills told; runs that are no longer kept have left it here."""

    check_cron_job_name: Annotated[
        str | None, Schema("The CronJob that the operator keeps for the checks.", maxLength=253)
    ] = None
    checks_since: Annotated[Time | None, Schema("Since when `spec.verification` asks for checks.")] = None
    last_check_time: Annotated[Time | None, Schema("When the newest check ended.")] = None
    last_check_result: Annotated[
        Phase | None, Schema("How the newest check ended: `Failed` when it found damage, or could not be made.")
    ] = None
    last_data_check_time: Annotated[
        Time | None, Schema("When a check last read and verified all data, and found no damage.")
    ] = None
    next_check_time: Annotated[
        Time | None, Schema("When the CronJob controller will begin the next check; absent without a CronJob.")
    ] = None
    drill_cron_job_name: Annotated[
        str | None, Schema("The CronJob that the operator keeps for the drills.", maxLength=253)
    ] = None
    drills_since: Annotated[Time | None, Schema("Since when `spec.verification` asks for drills.")] = None
    last_drill_time: Annotated[Time | None, Schema("When the newest drill ended.")] = None
    last_drill_result: Annotated[
        Phase | None, Schema("How the newest drill ended: `Failed` when something was not as it should be.")
    ] = None
    last_drill_archive: Annotated[
        str | None, Schema("The archive that was drilled last, and was as it should be.", maxLength=1024)
    ] = None
    next_drill_time: Annotated[
        Time | None, Schema("When the CronJob controller will begin the next drill; absent without a CronJob.")
    ] = None
    last_verified_time: Annotated[
        Time | None,
        Schema("When a check that came to its end, or a drill, last found all as it should be."),
    ] = None
    coverage: Annotated[
        int | None,
        Schema(
            "How many percent of the files in the archives that were drilled last have been drilled as they are: by "
            "the last drill, or by one before and not changed since. Rather too few are counted than too many.",
            format="int32",
            minimum=0,
            maximum=100,
        ),
    ] = None
    restore_rate: Annotated[
        int | None, Schema("Bytes per second at which the last drill restored.", format="int64", minimum=0)
    ] = None
    estimated_restore_time: Annotated[
        str | None,
        Schema(
            "How long it would take at that rate to restore all of the archives that were drilled last, for people.",
            maxLength=32,
        ),
    ] = None
    drilled: Annotated[
        tuple[Annotated[Drilled, Schema("One schedule.")], ...],
        Schema("How far the drills of each schedule's archives are.", maxItems=MOST_DRILLED, listMapKeys=["schedule"]),
    ] = ()
    damage: Annotated[
        Damage | None,
        Schema(
            "Damage that was found. Until a check of all data passes, which each check is as long as this is here, "
            "nothing is pruned or compacted; nothing is repaired by itself."
        ),
    ] = None
