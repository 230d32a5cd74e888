"""Notice of a preemption to the cluster at RAY_ADDRESS, followed by a wait for the end of this machine's workers.

The command `python -I -m hallmark.process tasks.stages.train.machines.notice SECONDS` is run when a pod ends
(infra/kubernetes/hallmark). SECONDS is the time until its machine is taken away. `ray drain-node` has the same effect
but takes five seconds, because it first connects to the cluster to find out on which machine it runs. This module takes
one second. Some clouds allow only 30.
"""

import os
import sys
import time
from typing import Any

import psutil

PREEMPTION_REASON = "DRAIN_NODE_REASON_PREEMPTION"
POLL_SECONDS = 0.5


def give_notice(seconds: float) -> bool:
    """Notify the cluster of a preemption, and return whether this machine's workers ended within `seconds`.

    The training run receives the notice within four steps, writes a checkpoint, and ends its workers.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
    from ray.core.generated import autoscaler_pb2

    until = time.time() + seconds
    client = GcsClient(address=os.environ["RAY_ADDRESS"])
    here = {address.address for card in psutil.net_if_addrs().values() for address in card}
    mine = [name for name, node in _alive_nodes(client).items() if node.node_manager_address in here]
    reason = autoscaler_pb2.DrainNodeReason.Value(PREEMPTION_REASON)  # type: ignore[attr-defined]  # made at run time
    for name in mine:
        client.drain_node(name.hex(), reason, "this machine is taken away", int(until * 1000))
    while not (has_ended := _alive_nodes(client).keys().isdisjoint(mine)) and time.time() < until:
        time.sleep(POLL_SECONDS)
    return has_ended


def _alive_nodes(client: Any) -> dict[Any, Any]:
    from ray.core.generated import gcs_pb2

    alive = gcs_pb2.GcsNodeInfo.ALIVE  # type: ignore[attr-defined]  # made at run time
    return {name: node for name, node in client.get_all_node_info().items() if node.state == alive}


if __name__ == "__main__":
    sys.exit(0 if give_notice(float(sys.argv[1])) else 1)
