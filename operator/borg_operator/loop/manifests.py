"""What is sent: patches that change no other object than the one meant, repairs, and Events. Pure."""

from datetime import datetime
from typing import Any

from borg_core import labels
from borg_core.actions import RecordEvent
from borg_core.kinds.parts.base import API_VERSION
from borg_core.native.drift import covers
from borg_core.native.metadata import controller_of, is_foreign

_EVENT_NOTE_LIMIT = 1024


def meant(uid: str, patch: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch so that it changes the object of that uid alone: a uid cannot be changed."""
    return {**patch, "metadata": {**patch.get("metadata", {}), "uid": uid}}


def as_read(body: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch so that it changes the object as it was read, and no later state of it."""
    return {**patch, "metadata": {"resourceVersion": body["metadata"]["resourceVersion"]}}


def render_turn(turn: str) -> dict[str, Any]:
    """Return the merge patch by which a Job is let begin, or taken back, with the note that it was the operator."""
    return {
        "metadata": {"annotations": {labels.TURN: turn}},
        "spec": {"suspend": turn == labels.TURN_TAKEN_BACK},
    }


def is_same(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether a live object is what was to be made: of the same owner, and for the same Job or run."""
    owners = {owner["uid"] for owner in live.get("ownerReferences", [])}
    own = {owner["uid"] for owner in wanted["ownerReferences"]}
    notes, marks = live.get("annotations", {}), wanted.get("annotations", {})
    keys = (labels.JOB_UID, labels.RUN_UID, labels.DEAD_HOLDER)
    return bool(owners & own) and all(notes.get(key) == marks.get(key) for key in keys)


def is_orphan(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether a live object bears the labels of what was to be made, and nobody controls it."""
    return not controller_of(live) and covers(live.get("labels", {}), wanted["labels"])


def repaired(live: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the live object with our spec, labels, notes and owner; the API server fills in its defaults anew."""
    metadata, ours = live["metadata"], manifest["metadata"]
    own = {owner["uid"] for owner in ours["ownerReferences"]}
    beside = (owner for owner in metadata.get("ownerReferences", []) if not owner.get("controller"))
    given = {
        "labels": marked(metadata, ours["labels"]),
        "annotations": {**metadata.get("annotations", {}), **ours.get("annotations", {})},
        "ownerReferences": [*ours["ownerReferences"], *(owner for owner in beside if owner["uid"] not in own)],
        # Whoever else holds fields of the spec would keep those whose values stay. [{}] leaves nobody, [] everybody.
        "managedFields": [entry for entry in metadata.get("managedFields", []) if not is_foreign(entry)] or [{}],
    }
    return {**live, "metadata": {**metadata, **given}, "spec": manifest["spec"]}


def marked(metadata: dict[str, Any], marks: dict[str, str]) -> dict[str, str]:
    """Return the object's labels with ours among them."""
    return {**metadata.get("labels", {}), **marks}


def render_event(event: RecordEvent, now: datetime) -> dict[str, Any]:
    """Return the Event."""
    regarding = event.regarding
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{regarding.name}-", "namespace": regarding.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "action": "Reconcile",
        "note": event.message[:_EVENT_NOTE_LIMIT],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": event.uid,
        },
        "reportingController": f"borgoperator.io/{labels.MANAGER}",
        "reportingInstance": labels.MANAGER,
    }
