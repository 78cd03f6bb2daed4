"""How a command of another container ended, in words: its own ones last."""

from borg_contract.reasons import Reason
from borg_runner.fault import Fault
from borg_runner.log import end_sentence
from borg_runner.streams.exchange import SILENCE_SECONDS, Exchange

_CANNOT_RUN = {
    "exited 126": "may not be run by this user",
    "exited 127": "is not in its image",
}
"""What shells, and our helper, say by these codes of a program; which one, they only write."""
_SIGKILL = "9"
_FOR_MEMORY = ": for its memory, as a rule. `kubectl describe pod` tells; raise its limit"


def explain(exchange: Exchange, reason: Reason, what: str) -> Fault:
    """Return the fault of a command that did not succeed; `what`: of which it is the command."""
    said = f" {tell_last_words(exchange)}" if exchange.last_words else ""
    return Fault(reason, f"{what}: {_describe(exchange)}{said}")


def tell_last_words(exchange: Exchange) -> str:
    return f"Its last words: {end_sentence(exchange.last_words)}"


def _describe(exchange: Exchange) -> str:
    program, container = exchange.container.plan.program, exchange.container.name
    word, _, number = exchange.said.partition(" ")
    if not word:
        how = "had not ended when its container did: was that killed for its memory? See `kubectl describe pod`"
        return f'{program} of container "{container}" {how}.'
    if exchange.succeeded:
        return f"{program} ended {_find_lack(exchange)}."
    if word == "killed":
        why = _FOR_MEMORY if number == _SIGKILL else ""
        return f"{program} was killed by signal {number}{why}."
    what = _CANNOT_RUN.get(exchange.said)
    why = f": it, or a program that it calls, {what}" if what else ""
    return f"{program} failed with exit code {number}{why}."


def _find_lack(exchange: Exchange) -> str:
    """Return why that a command ended well is not enough."""
    if exchange.lingers:
        silence = f"without a word for {SILENCE_SECONDS:.0f} s"
        return f"well, and left something running that keeps its output open, {silence}"
    if exchange.broken:
        return "well, but before it had read all that it was given"
    if not exchange.is_read:
        return "well, but what it wrote could not be read to its end: the log of the container borg says why"
    return "well, but wrote nothing"
