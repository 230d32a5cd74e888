"""Periodic work of a long-running service."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from prefect.logging import get_logger

from flows.lifecycle import checkout_root
from flows.partial_work import PartialFailure
from infra.logs.lines import RUN_ATTRIBUTE


async def run_periodically(
    seconds: float, work_name: str, work: Callable[[Path], list[str]], results_are_runs: bool = False
) -> None:
    """Call `work` with the checkout's root every `seconds`, and log its results and errors.

    The loop continues after an error. `results_are_runs` says whether each result is the id of a run. If so, the
    log line of a result is marked with that id.
    """
    log, problems = get_logger("hallmark"), set[str]()
    while True:
        await asyncio.sleep(seconds)
        try:
            done, failed = await asyncio.to_thread(work, checkout_root()), list[str]()
        except PartialFailure as error:
            done, failed = error.done, error.failed
        except Exception as error:
            done, failed = [], [str(error)]
        for line in done:
            log.info("%s: %s", work_name, line, extra={RUN_ATTRIBUTE: line} if results_are_runs else None)
        for reason in failed:
            if reason not in problems:  # logged at the first of several equal failures only
                log.warning("%s: %s; trying again every %g s", getattr(work, "__name__", work_name), reason, seconds)
        problems = set(failed)
