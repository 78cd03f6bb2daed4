"""What is only written: Events, and the NetworkPolicies of sessions."""

from borg_core.registry import ResourceType

EVENTS = ResourceType("Event", "events.k8s.io", "v1", "events")
NETWORK_POLICIES = ResourceType("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
