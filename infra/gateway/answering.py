"""One request to the engine. It ends early if the client hangs up."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from infra.gateway.api_errors import ApiError
from infra.gateway.completion import Completion
from tasks.serve.engine import Engine, Event, Failed, Finished, QueueFull, Request

HANG_UP_CHECK_SECONDS = 0.5


class ClientGone(Exception):
    """The client hung up before the answer was complete."""


async def generate(
    engine: Engine, prompt: list[int], most: int, completion: Completion, is_gone: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[None]:
    """Add tokens to a completion, and yield after each of them and after its end.

    Raises:
        ApiError: The queue is full, or the engine failed.
        EngineClosed: Another release answers.
        ClientGone: The client hung up.
    """
    loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()
    request = Request(prompt, most, lambda event: _deliver(loop, events, event))
    try:
        engine.submit(request)
    except QueueFull as error:
        raise ApiError(429, str(error), code="queue_full") from None
    try:
        while completion.end is None:
            event = await _next_event(events, is_gone)
            if isinstance(event, Failed):
                raise ApiError(500, f"the engine failed ({event.error}); ask again", code="engine_failed")
            if isinstance(event, Finished):
                completion.end = event
            else:
                completion.tokens.append(event.token)
            yield
    finally:
        request.cancelled = True


def _deliver(loop: asyncio.AbstractEventLoop, events: asyncio.Queue[Event], event: Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(events.put_nowait, event)


async def _next_event(events: asyncio.Queue[Event], is_gone: Callable[[], Awaitable[bool]]) -> Event:
    while True:
        try:
            return await asyncio.wait_for(events.get(), HANG_UP_CHECK_SECONDS)
        except TimeoutError:
            if await is_gone():
                raise ClientGone from None
