"""The operator taken away for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from e2e.conftest import Operator
from support.cluster import Kubectl


@contextmanager
def away(kubectl: Kubectl, operator: Operator) -> Iterator[None]:
    """Scale the operator to zero, and back at the end in any case."""
    pods = ("--namespace", operator.namespace, "wait", "pod", f"--selector={operator.selector}")
    scale(kubectl, operator, 0)
    try:
        kubectl(*pods, "--for=delete", "--timeout=60s")
        yield
    finally:
        scale(kubectl, operator, 1)


def scale(kubectl: Kubectl, operator: Operator, replicas: int) -> None:
    where = ("--namespace", operator.namespace)
    kubectl(*where, "scale", "deployment", operator.deployment, f"--replicas={replicas}")
