"""What a schedule and its archives are called."""

from typing import Annotated

from borg_contract.archive_name import PLACEHOLDERS
from borg_contract.schema import Rule, Rules, Schema

TITLE_LIMIT = 253

Title = Annotated[
    str,
    Schema(
        "The name that people see, for example `Daily Backup`; default: the resource's own name. It must "
        "be unique in its namespace, or the later one becomes Ready=False.",
        Rules(
            "self.matches(r'^[!-~][ -~]*$')",
            (
                Rule(
                    "self.trim().size() > 0",
                    "a title needs at least one character that is not blank; leave it out to use the resource's name",
                ),
                Rule(r"!self.matches(r'\p{Cc}')", "a title is one line without control characters"),
            ),
        ),
        maxLength=TITLE_LIMIT,
    ),
]

ArchiveNameTemplate = Annotated[
    str,
    Schema(
        "What archives are called. Placeholders: `{job_name}` this schedule's resource name, "
        "`{repo_name}` the repository's, `{now}` 2026-03-29T02:00:00, `{date}` 2026-03-29, `{time}` "
        "02:00:00, `{timestamp}` seconds since 1970, all in UTC. A name can be used only once in a "
        "repository, so keep a time in it. Default `{job_name}-{now}`.",
        Rules(
            r"self.matches(r'^([A-Za-z0-9_-]|\{(" + "|".join(PLACEHOLDERS) + r")\})+$')",
            (
                Rule(
                    r"self.matches(r'^([^{}]|\{(" + "|".join(PLACEHOLDERS) + r")\})*$')",
                    "known placeholders are {job_name}, {repo_name}, {now}, {date}, {time} and {timestamp}; "
                    "other braces cannot be used",
                ),
                Rule(
                    "!self.contains('/') && !self.contains('::')",
                    "Borg allows neither '/' nor '::' in an archive's name",
                ),
                Rule(r"!self.matches(r'\p{Cc}')", "an archive's name cannot contain control characters"),
                Rule("self.trim() == self && self != ''", "an archive's name neither begins nor ends with a blank"),
                Rule(
                    "!self.contains('.checkpoint')",
                    "Borg marks unfinished archives with .checkpoint, so a name cannot contain it",
                ),
                Rule(
                    "!self.endsWith('.recreate')",
                    "Borg marks archives that it writes anew with .recreate, so a name cannot end with it",
                ),
            ),
        ),
        minLength=1,
        maxLength=200,
    ),
]
