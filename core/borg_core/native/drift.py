"""Whether a live object still is what was rendered, the API server's own defaults aside."""

from typing import Any

from borg_core.quantity import parse_quantity


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
            parsed = parse_quantity(live)
            return parsed is not None and parsed == parse_quantity(rendered)
        case _:
            return bool(live == rendered)
