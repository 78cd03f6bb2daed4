"""Whether a live object still is what was rendered, the API server's own defaults aside."""

from decimal import Decimal, InvalidOperation
from typing import Any

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def covers(live: Any, rendered: Any, *, quantities: bool = False) -> bool:
    """Tell whether everything `rendered` stands in `live`. Lists must have the same length; extra keys are defaults.

    An empty text is the same as none: the API server drops it. `quantities`: compare as resource quantities, which it
    rewrites (`1000m` to `1`).
    """
    match rendered:
        case dict():
            return isinstance(live, dict) and all(
                covers(live.get(key, ""), value, quantities=quantities or key == "resources")
                for key, value in rendered.items()
            )
        case list():
            return (
                isinstance(live, list)
                and len(live) == len(rendered)
                and all(covers(a, b, quantities=quantities) for a, b in zip(live, rendered, strict=True))
            )
        case _ if quantities and live != rendered:
            parsed = _quantity(live)
            return parsed is not None and parsed == _quantity(rendered)
        case _:
            return bool(live == rendered)


def _quantity(value: Any) -> Decimal | None:
    text = str(value)
    number = text.rstrip("numkKMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None
