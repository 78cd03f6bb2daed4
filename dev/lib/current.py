"""Tell whether what a cluster says of itself is of this time: current.py <RFC 3339 time> <nodes, pods and leases.json.

After a node was away, the API server still has what was true before: nodes that are Ready, containers that run, and
Deployments and Endpoints whose controllers are yet to begin. Exits with 1, and the name of the first object that is
behind, until kubelet and controllers have looked again.
"""

import json
import sys
from typing import Any

Object = dict[str, Any]


def is_current(item: Object, since: str) -> bool:
    """Tell whether a node is Ready, a pod's running containers run, or a controller works, since a time in UTC."""
    if item["kind"] == "Lease":
        return item["metadata"]["name"] != "kube-controller-manager" or str(item["spec"]["renewTime"]) >= since
    status = item["status"]
    if item["kind"] == "Node":
        ready: Object = next((found for found in status.get("conditions", ()) if found["type"] == "Ready"), {})
        return ready.get("status") == "True" and str(ready["lastHeartbeatTime"]) >= since
    running = [container["state"].get("running") for container in status.get("containerStatuses", ())]
    return status["phase"] != "Running" or all(state["startedAt"] >= since for state in running if state)


def main() -> None:
    """Read a List of objects."""
    since = sys.argv[1][: len("2026-01-02T03:04:05")]
    for item in json.load(sys.stdin)["items"]:
        if not is_current(item, since):
            sys.exit(f"{item['kind']} {item['metadata']['name']} is not current")


if __name__ == "__main__":
    main()
