"""The cluster under test; what end-to-end tests need as well is in support.cluster."""

import json
from typing import Any

from integration import resources
from support.cluster import RESTRICTED, Kubectl, fresh_namespace

__all__ = ["RESTRICTED", "Kubectl", "fresh_namespace", "make_archive"]


def make_archive(kubectl: Kubectl, namespace: str, name: str, archive_name: str = "nightly-1", **spec: Any) -> None:
    """Make what stands for an archive of the repository `main`, as the operator would."""
    repository = kubectl.get("-n", namespace, "brepo", "main")
    archive = resources.archive(name, repository, archive_name, **spec)
    kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(archive))
