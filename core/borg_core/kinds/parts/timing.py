"""When something happens by itself: a line as a CronJob takes it, and the zone in which it is read."""

import re
from typing import Annotated

from borg_contract.schema import Rule, Rules, Schema


def _usual(number: str) -> str:
    """Return a pattern for a field of numbers: `*`, or numbers and ranges in a list, perhaps with a step."""
    span = f"{number}(-{number})?"
    return rf"(\*|{span}(,{span})*)(/[1-9][0-9]?)?"


_MINUTE, _HOUR, _DAY, _MONTH = "[0-5]?[0-9]", "(1?[0-9]|2[0-3])", "([12]?[1-9]|[123]0|31)", "([1-9]|1[0-2])"
_WEEKDAY = "([0-6]|SUN|MON|TUE|WED|THU|FRI|SAT)"
USUAL_TIMES = "^" + " ".join(_usual(number) for number in (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)) + "$"
"""What nearly everybody writes, and no rule refuses."""


_BLANKS_OF_RE2 = re.compile(r"\[(?:\\.|[^\]])*\]|\\[sS]")


def _rule(rule: str, message: str) -> Rule:
    """Return the rule with every blank that a CronJob takes for one: RE2's are those of ASCII, pages have others."""

    def widen(found: re.Match[str]) -> str:
        standing = {r"\s": r"[\s\pZ]", r"\S": r"[^\s\pZ]"}
        return standing.get(found[0]) or found[0].replace(r"\s", r"\s\pZ")

    return Rule(_BLANKS_OF_RE2.sub(widen, rule), message)


def describe_times(zone: str) -> Schema:
    """Return what is to be said of a line of times; `zone` is the field with their time zone."""
    return Schema(
        "When runs begin, exactly as a CronJob takes it: minute (0-59), hour (0-23), day of month (1-31), "
        "month (1-12 or JAN-DEC) and weekday (0-6 or SUN-SAT; Sunday is 0), each with `*`, lists, ranges and "
        "steps. Examples: `0 2 * * *` daily at 2:00, `*/15 8-18 * * MON-FRI`, `30 3 1 * *` monthly. Also "
        "`@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` and `@every 90m`. When both day fields are "
        "restricted, a day that matches either will do. `H` is a value chosen by the name, always the same: "
        "`H H * * *` daily at some minute, `H H(1-5) * * *` between 1:00 and 5:59, `H/15 * * * *`; so many do not "
        "begin at once. Not known here: seconds, weekday 7, `L`, `W`, `#`, `R`, `@reboot`.",
        Rules(
            f"self.matches(r'{USUAL_TIMES}')",
            (
                _rule(r"!self.matches(r'[^\P{Cc}\t]')", 'write the schedule on one line, for example "0 2 * * *"'),
                _rule(
                    "!self.contains('TZ')",
                    f"a time zone is not part of the schedule; put it into {zone}, for example Europe/Berlin",
                ),
                _rule(
                    "!self.startsWith('@') || "
                    "self.matches(r'^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$') || "
                    r"self.matches(r'^@every [+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$')",
                    "after @ a CronJob knows yearly, annually, monthly, weekly, daily, midnight, hourly and every "
                    "(as in @every 1h30m) only",
                ),
                _rule(
                    r"self.startsWith('@') || self.contains('TZ') || self.matches(r'[^\P{Cc}\t]') || "
                    r"self.matches(r'^\s*(\S+\s+){4}\S+\s*$')",
                    'a CronJob takes exactly five fields: minute, hour, day of month, month, weekday, for example "0 '
                    '2 * * *" (there is no field for seconds or years)',
                ),
                _rule(
                    r"!self.matches(r'^\s*([^@\s]\S*\s+)(\S+\s+){3}\S+\s*$') || self.contains('TZ') || "
                    r"self.matches(r'^\s*([0-9*?/,+()H-]+\s+){3}([()H]|(?i:[0-9*?/,+-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))+\s+([()H]|(?i:[0-9*?/,+-]|sun|mon|tue|wed|thu|fri|sat))+\s*$')",
                    'a CronJob knows numbers, "*", "?", ",", "-" and "/", the months JAN-DEC and the weekdays '
                    "SUN-SAT only, and here there is H; there is no L, W, # or R",
                ),
                _rule(
                    r"self.matches(r'^[\s,]*((H(\([0-9]+-[0-9]+\))?(/[0-9]+)?|([^H()\s,]|[Tt]H)+)([\s,]+|$))*$')",
                    "write H alone, with a range, with a step or with both: H, H(0-29), H/15, H(0-29)/10",
                ),
                _rule(
                    r"!self.matches(r'^\s*([^@\s]\S*\s+)(\S+\s+){3}(\S*,)?([^\s*?,/-]+-|H\()?[+]?0*7([-,/)]\S*)?\s*$')",
                    "a CronJob numbers the weekdays 0 (Sunday) to 6 (Saturday); write 0 or SUN for Sunday, not 7",
                ),
                _rule(
                    r"!self.matches(r'^\s*([^@\s]\S*,)?([^@\s*?,/-]+-|H\()?[+]?0*([6-9][0-9]|[1-9][0-9]{2,})([-,/)]\S*)?\s')",
                    "a minute is 0 to 59",
                ),
                _rule(
                    r"!self.matches(r'^\s*[^@\s]\S*\s+(\S*,)?([^\s*?,/-]+-|H\()?[+]?0*(2[4-9]|[3-9][0-9]|[1-9][0-9]{2,})([-,/)]\S*)?\s')",
                    "an hour is 0 to 23",
                ),
                _rule(
                    r"!self.matches(r'^\s*[^@\s]\S*\s+\S+\s+(\S*,)?([^\s*?,/-]+-|H\()?[+]?0*(0|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,})([-,/)]\S*)?\s')",
                    "a day of the month is 1 to 31",
                ),
                _rule(
                    r"!self.matches(r'^\s*[^@\s]\S*\s+(\S+\s+){2}(\S*,)?([^\s*?,/-]+-|H\()?[+]?0*(0|1[3-9]|[2-9][0-9]|[1-9][0-9]{2,})([-,/)]\S*)?\s')",
                    "a month is 1 to 12 or JAN to DEC",
                ),
                _rule(
                    r"!self.matches(r'^\s*[^@\s]\S*\s+(\S+\s+){3}(\S*,)?([^\s*?,/-]+-|H\()?[+]?0*([89]|[1-9][0-9]+)([-,/)]\S*)?\s*$')",
                    "a weekday is 0 (Sunday) to 6 (Saturday) or SUN to SAT",
                ),
                _rule(
                    r"!self.matches(r'^\s*[^@\s].*/[+]?0*([,\s]|$)')",
                    "a step is a number of at least 1, for example */15",
                ),
            ),
        ),
        minLength=1,
        maxLength=512,
    )


_AGE_SECONDS = {"m": 60, "h": 3600, "d": 86400}

AGE = Rule(
    "self.matches(r'^[1-9][0-9]{0,8}[mhd]$')",
    "give a number and m (minutes), h (hours) or d (days), for example 48h",
)
"""Of a text that says how long something may take, or how old it may be."""


def parse_age(text: str) -> int:
    """Return the seconds of a text of which `AGE` holds. Raises ValueError, KeyError."""
    return int(text[:-1]) * _AGE_SECONDS[text[-1]]


CronText = Annotated[str, describe_times("spec.timeZone")]

TimeZone = Annotated[
    str,
    Schema(
        "The IANA time zone in which `schedule` is read, for example `Europe/Berlin`; default `Etc/UTC`. A "
        "time that a change to summer time skips does not run on that day; one that the change back repeats "
        "runs twice.",
        Rules(
            "self.matches('^(Etc/UTC|[A-Z][A-Za-z]{2,12}/[A-Z][A-Za-z_]{1,13})$')",
            (
                Rule(
                    "self.lowerAscii() != 'local'",
                    '"Local" depends on the machine; name an IANA time zone, for example Europe/Berlin or Etc/UTC',
                ),
                Rule(
                    "self.matches(r'^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,13}(/[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,13})*$') "
                    r"&& !self.matches(r'(^|/)\.\.?(/|$)')",
                    "name an IANA time zone, for example Europe/Berlin or Etc/UTC",
                ),
            ),
        ),
        minLength=1,
        maxLength=64,
    ),
]
