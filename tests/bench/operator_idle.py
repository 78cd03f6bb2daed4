"""What the operator does, and takes, while thousands of schedules have nothing to do.

Usage: python tests/bench/operator_idle.py [number of schedules, 5000]      (a cluster of `make up`, with kubectl)

Prints how long it takes until all are Ready, then, for 90 s in which nothing happens, how many writes the operator sent
(by the audit log), the processor time that it used, and the memory that it holds.
"""

import asyncio
import sys
from dataclasses import dataclass

from bench.operator_throughput import CONNECTIONS, OPERATOR, PODS, by_operator, fresh_namespace
from borg_cluster.client import ApiServer
from borg_cluster.connection import connect
from support import cluster
from support.audit import audit_log, operator_writes

SETTLE_SECONDS = 20
IDLE_SECONDS = 90
_MIB = 2**20


@dataclass(frozen=True)
class _Usage:
    memory: float
    """Bytes resident."""
    seconds: float
    """Of processor time."""


async def main(count: int) -> None:
    """Run the measurement with that many schedules."""
    kubectl = cluster.connect()
    kubectl("rollout", "restart", *OPERATOR)
    kubectl("rollout", "status", *OPERATOR, "--timeout=120s")
    api = ApiServer(await connect(CONNECTIONS))
    try:
        async with fresh_namespace(api) as namespace:
            _, ready = await by_operator(api, namespace, count)
            print(f"{count} schedules: all Ready with their CronJobs after {ready:.1f} s")
            await asyncio.sleep(SETTLE_SECONDS)
            before, since = _usage(kubectl), audit_log().stat().st_size
            await asyncio.sleep(IDLE_SECONDS)
            after = _usage(kubectl)
            writes = list(operator_writes(None, since))
            spent = after.seconds - before.seconds
            print(f"idle for {IDLE_SECONDS} s: {len(writes)} writes, {spent:.2f} s of processor time")
            print(f"memory: {after.memory / _MIB:.0f} MiB")
    finally:
        await api.close()


def _usage(kubectl: cluster.Kubectl) -> _Usage:
    """Return what the operator says of its own process in its metrics."""
    pod = kubectl("get", "pods", *PODS, "--output=name").stdout.split()[0].removeprefix("pod/")
    path = f"/api/v1/namespaces/borg-system/pods/{pod}:8081/proxy/metrics"
    lines = kubectl("get", "--raw", path).stdout.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("process_"))
    return _Usage(float(values["process_resident_memory_bytes"]), float(values["process_cpu_seconds_total"]))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
