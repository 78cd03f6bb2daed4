"""Kubernetes' quantities: `500m`, `1.5Gi`, `2e3`."""

import re
from decimal import Decimal
from typing import Any

_FACTORS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([numkMGTPE]?|[KMGTPE]i)")


def parse_quantity(value: Any) -> Decimal | None:
    """Return how much a quantity is, None where it is none."""
    found = _QUANTITY.fullmatch(str(value))
    return Decimal(found[1]) * _FACTORS[found[2]] if found else None
