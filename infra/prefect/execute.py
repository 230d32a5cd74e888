"""Process of one flow run of a work pool: `python -I -m hallmark.process infra.prefect.execute`.

The process executes the flow that is installed on this machine. PREFECT__FLOW_RUN_ID contains the id of the flow run.
Entry points, pull steps and commands from the server are ignored.
"""

import os
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.engine import handle_engine_signals
from prefect.flow_engine import run_flow

from flows import lifecycle
from flows.retrain import retrain
from infra.logs.uncaught import log_uncaught_exceptions
from tasks.core.escaping import escape_logs


def main() -> None:
    escape_logs()
    log_uncaught_exceptions()
    os.environ[lifecycle.POOL_VARIABLE] = "1"
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
    with handle_engine_signals(flow_run.id):
        run_flow(retrain, flow_run=flow_run)


if __name__ == "__main__":
    main()
