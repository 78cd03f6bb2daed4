"""What a schedule is refused with."""

_LONGEST_QUOTE = 60


class CronError(ValueError):
    """A schedule or time zone that a CronJob would refuse; the message is one sentence that says what to write."""


def tell_never(expression: str) -> str:
    """Return the sentence for a schedule that a CronJob takes, and by which nothing ever begins."""
    return f"{quote(expression)} never runs: no time within five years matches it"


def quote(text: str) -> str:
    """Return `text` in double quotes, printable and short enough for a message whatever was sent."""
    shown = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return '"' + "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown) + '"'
