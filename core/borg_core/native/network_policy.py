"""A NetworkPolicy: it is made, and never looked at."""

from borg_core.registry import ResourceType

NETWORK_POLICIES = ResourceType("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
