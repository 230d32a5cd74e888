"""Continuous batching: requests join the batch that is being answered, and leave it as soon as they end.

If the model has a sliding window, requests join only once the batch is empty (`DecodingBatch.append_rows`).

A thread owns the model. Between two tokens, it adds requests that wait, and removes those that ended or were cancelled.
A request's events are delivered from that thread.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tasks.core.errors import Unavailable
from tasks.stages.evaluate.decode import Decoder, DecodingBatch, Tokens

log = logging.getLogger(__name__)
MAX_JOINING_TOKENS = 4096
"""Maximum number of tokens, with padding, of the prompts that join a batch at once. A longer prompt joins alone. It
bounds the memory, and the time in which no other request advances."""
FinishReason = Literal["stop", "length"]


class NewToken(NamedTuple):
    token: int


class Finished(NamedTuple):
    reason: FinishReason
    """`stop` if a stop token ended the answer, `length` if it was cut off."""
    log_probability: float
    """Sum of the natural logarithms of the probabilities of the generated tokens, including the stop token."""


class Failed(NamedTuple):
    error: str


Event = NewToken | Finished | Failed


class QueueFull(Unavailable):
    """More requests wait than the engine accepts."""


class EngineClosed(Unavailable):
    """The engine accepts no more requests: another release answers, or the server ends."""


@dataclass(eq=False)
class Request:
    prompt: Tokens
    max_new_tokens: int
    deliver: Callable[[Event], None]
    """Function that takes the request's events. It is called in the engine's thread and must return at once."""
    cancelled: bool = False
    """Whether nobody waits for the answer any more. It may be set by any thread."""
    generated: int = 0
    log_probability: float = 0.0


class Engine:
    def __init__(self, load: Callable[[], Decoder], max_batch: int = 32, max_waiting: int = 128) -> None:
        """Start the engine's thread, and wait until it has loaded the model.

        The same thread loads the model and runs it, because OpenMP has a pool of threads for each thread that computes.
        With two pools on all cores, every step takes half as long again.

        Args:
            load: Function that returns the model with the prefix of its prompts. Its errors are raised here.
            max_batch: Maximum number of requests that are answered at once.
            max_waiting: Maximum number of requests in the queue.
        """
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._waiting, self._changed, self._closing = deque[Request](), threading.Condition(), False
        self._rows = list[Request]()
        self._batch: DecodingBatch | None = None
        loaded: Future[Decoder] = Future()
        self._thread = threading.Thread(target=self._load_and_run, args=(load, loaded), name="engine", daemon=True)
        self._thread.start()
        self._decoder = loaded.result()
        self._without_prefix = self._decoder.without_prefix()
        self._can_join_running_batch = not any(self._decoder.cache_for(1).is_sliding)

    def submit(self, request: Request) -> None:
        """Add a request to the queue.

        Raises:
            QueueFull: Too many requests wait.
            EngineClosed: The engine was closed.
        """
        with self._changed:
            if self._closing:
                raise EngineClosed("this release no longer answers; ask again")
            if len(self._waiting) >= self._max_waiting:
                self._waiting = deque(each for each in self._waiting if not each.cancelled)
            if len(self._waiting) >= self._max_waiting:
                raise QueueFull(f"{len(self._waiting)} requests wait already; ask again later")
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Accept no new request, and return once all accepted ones are answered."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._rows)

    def _load_and_run(self, load: Callable[[], Decoder], loaded: "Future[Decoder]") -> None:
        try:
            loaded.set_result(load())
        except BaseException as error:
            loaded.set_exception(error)
            return
        self._run()

    def _run(self) -> None:
        while (joining := self._take_waiting()) is not None:
            answered = [*self._rows, *joining]
            try:
                self._advance(joining)
            except Exception as error:
                # For example a lack of memory: whoever asked is told, and the next request is answered.
                log.exception("the engine failed")
                self._rows, self._batch = [], None
                for request in answered:
                    request.deliver(Failed(type(error).__name__))

    def _take_waiting(self) -> list[Request] | None:
        """Return the requests that join now; None if the engine is closed and idle.

        If there is nothing to do, the call waits for a request.
        """
        with self._changed:
            while not self._waiting and not self._rows:
                if self._closing:
                    return None
                self._changed.wait()
            room = self._max_batch - len(self._rows) if self._can_join_running_batch or not self._rows else 0
            joining = list[Request]()
            while self._waiting and len(joining) < room:
                widest = max(len(request.prompt) for request in [*joining, self._waiting[0]])
                if joining and widest * (len(joining) + 1) > MAX_JOINING_TOKENS:
                    break
                request = self._waiting.popleft()
                if not request.cancelled:
                    joining.append(request)
        return joining

    def _advance(self, joining: Sequence[Request]) -> None:
        """Compute one more token of every row, and the first token of the requests that join."""
        import torch

        with torch.inference_mode():
            if self._batch is not None:
                self._batch.step()
            for decoder, requests in self._by_decoder(joining):
                added = DecodingBatch(decoder, [request.prompt[len(decoder.prefix) :] for request in requests])
                if self._batch is None:
                    self._batch = added
                else:
                    self._batch.append_rows(added)
                self._rows += requests
            self._deliver_tokens()

    def _by_decoder(self, requests: Sequence[Request]) -> list[tuple[Decoder, list[Request]]]:
        prefix = self._decoder.prefix
        fitting = [request for request in requests if request.prompt[: len(prefix)] == prefix]
        others = [request for request in requests if request not in fitting]
        pairs = ((self._decoder, fitting), (self._without_prefix, others))
        return [(decoder, chosen) for decoder, chosen in pairs if chosen]

    def _deliver_tokens(self) -> None:
        import torch

        if self._batch is None:
            return
        tokens, logs = self._batch.next_tokens.tolist(), self._batch.next_log_probabilities.tolist()
        staying = [
            place
            for place, (request, token, log_probability) in enumerate(zip(self._rows, tokens, logs, strict=True))
            if self._deliver(request, token, log_probability)
        ]
        self._rows = [self._rows[place] for place in staying]
        if not self._rows:
            self._batch = None
        elif len(staying) < len(tokens):
            self._batch.keep_rows(torch.tensor(staying, device=self._batch.model.device))
            self._batch.trim()

    def _deliver(self, request: Request, token: int, log_probability: float) -> bool:
        """Deliver a token or the end of a request, and return whether the request goes on."""
        if request.cancelled:
            return False
        request.log_probability += log_probability
        if token in self._decoder.limits.stop_tokens:
            request.deliver(Finished("stop", request.log_probability))
            return False
        request.generated += 1
        request.deliver(NewToken(token))
        if request.generated < request.max_new_tokens:
            return True
        request.deliver(Finished("length", request.log_probability))
        return False
