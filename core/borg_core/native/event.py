"""Events: written, never watched."""

from borg_core.registry import ResourceType

EVENTS = ResourceType("Event", "events.k8s.io", "v1", "events")
