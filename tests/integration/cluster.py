"""The cluster under test; what end-to-end tests need as well is in support.cluster."""

from support.cluster import RESTRICTED, Kubectl, fresh_namespace

__all__ = ["RESTRICTED", "Kubectl", "fresh_namespace"]
