"""The process that executes flow runs: `python -m infra.prefect.runner`, in the checkout it serves."""

import asyncio
from datetime import timedelta

from prefect.logging import get_logger
from prefect.runner import Runner

from flows.chronicle import root
from flows.retrain import retrain
from flows.watch import publish_heads, resume_decided, revive_orphans

POLL_SECONDS = 2.0
"""Prefect's own default of 10 s would be most of the time from a decision to the run going on."""
HEAD_SECONDS = 10.0
"""How often a head of the ledger is published where it grew. Beside the watch over runs: a place that is away keeps
nobody waiting."""


async def serve() -> None:
    """Serve the retrain deployment and watch parked runs until told to stop."""
    runner = Runner(name="hallmark", query_seconds=POLL_SECONDS, pause_on_shutdown=False)
    deployment = await retrain.ato_deployment("retrain", description="One governed run, from sources to release.")
    await runner.aadd_deployment(deployment)
    for run_id in await asyncio.to_thread(revive_orphans, root()):
        get_logger("hallmark").warning("run %s goes on: its process was gone", run_id)
    watching = [asyncio.create_task(watch()), asyncio.create_task(publish())]
    try:
        await runner.start()
    finally:
        for task in watching:
            task.cancel()


async def watch() -> None:
    """Look after parked runs as often as the runner polls; a server that is away is asked again."""
    log = get_logger("hallmark")
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            for run_id in await asyncio.to_thread(resume_decided, root()):
                log.info("run %s goes on: its gate is decided", run_id)
        except Exception as error:
            log.warning(
                "could not look after parked runs (%s); trying again in %s", error, timedelta(seconds=POLL_SECONDS)
            )


async def publish() -> None:
    """Take heads of the ledger to where they are published."""
    log = get_logger("hallmark")
    while True:
        try:
            for told in await asyncio.to_thread(publish_heads, root()):
                log.warning("%s", told)
        except Exception as error:
            log.warning("could not publish a head of the ledger (%s)", error)
        await asyncio.sleep(HEAD_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve())
