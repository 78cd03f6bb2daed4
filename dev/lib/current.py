"""Tell whether the statuses of nodes and pods are of this time: current.py <RFC 3339 time> <objects.json.

After a node was away, the API server still has what was true before: Ready, and containers that run. Exits with 1, and
the name of the first object that is behind, until the kubelet has looked again.
"""

import json
import sys
from typing import Any

Object = dict[str, Any]


def is_current(item: Object, since: str) -> bool:
    """Tell whether a node is Ready, or a pod's running containers run, since a time of whole seconds in UTC."""
    status = item["status"]
    if item["kind"] == "Node":
        ready: Object = next((found for found in status.get("conditions", ()) if found["type"] == "Ready"), {})
        return ready.get("status") == "True" and str(ready["lastHeartbeatTime"]) >= since
    running = [container["state"].get("running") for container in status.get("containerStatuses", ())]
    return status["phase"] != "Running" or all(state["startedAt"] >= since for state in running if state)


def main() -> None:
    """Read a List of nodes and pods."""
    since = sys.argv[1][: len("2026-01-02T03:04:05")]
    for item in json.load(sys.stdin)["items"]:
        if not is_current(item, since):
            sys.exit(f"{item['kind']} {item['metadata']['name']} is not current")


if __name__ == "__main__":
    main()
