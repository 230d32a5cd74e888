"""One request for a chat completion: its answer, whole or as a stream, and its end in metrics and log."""

import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, aclosing
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from infra.gateway import answering
from infra.gateway.answering import ClientGone
from infra.gateway.api_errors import ApiError
from infra.gateway.chat_request import MAX_BODY_BYTES, ChatRequest, parse_request
from infra.gateway.completion import Completion
from infra.gateway.gateway import MAX_PARALLEL_REQUESTS, REQUESTS_PER_MINUTE, Gateway
from infra.gateway.metrics import Outcome
from infra.http.rate_limits import TooManyRequests
from tasks.serve.engine import EngineClosed

log = logging.getLogger(__name__)
OUTCOME_BY_STATUS: Mapping[int, Outcome] = {401: "unauthorized", 429: "too_many"}
NO_BUFFERING = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
CLIENT_CLOSED_REQUEST = 499


class ChatCall:
    """One request. Its end is counted and logged once, without any text."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self._gateway, self._request, self._began = gateway, request, time.monotonic()
        self._caller = ""
        self._completion: Completion | None = None
        self._ended = False

    async def answer(self) -> Response:
        """Return the response.

        Raises:
            ApiError: The request is refused, or the engine failed.
        """
        try:
            return await self._answer()
        except ApiError as error:
            outcome = OUTCOME_BY_STATUS.get(error.status, "bad_request" if error.status < 500 else "failed")
            self.end(outcome, error.code)
            raise
        except (ClientGone, ClientDisconnect):
            self.end("cancelled")
            return Response(status_code=CLIENT_CLOSED_REQUEST)

    async def _answer(self) -> Response:
        self._caller = self._gateway.require_caller(self._request).caller
        with ExitStack() as rate_limit:
            try:
                rate_limit.enter_context(self._gateway.limits.count_request(self._caller))
            except TooManyRequests:
                said = f"at most {REQUESTS_PER_MINUTE} requests a minute, and {MAX_PARALLEL_REQUESTS} at a time"
                raise ApiError(429, said, code="rate_limit_exceeded") from None
            asked = parse_request(await _read_body(self._request))
            completion, events = await self._begin(asked)
            self._gateway.metrics.first_token.observe(time.monotonic() - self._began)
            if asked.stream:
                usage = bool(asked.stream_options and asked.stream_options.include_usage)
                body = self._chunks(completion, events, usage)
                # The request counts against its caller's limit until the stream ends.
                return _EventStream(self, body, events, rate_limit.pop_all(), completion.headers)
            async with aclosing(events):
                async for _ in events:
                    pass
            self.end("answered")
            return JSONResponse(completion.document(), headers=dict(completion.headers))

    async def _begin(self, asked: ChatRequest) -> tuple[Completion, AsyncGenerator[None]]:
        """Return a completion with its first token, and the generator of the others.

        Until the first token, an error can still have a status of its own. If another release takes over, the request
        goes to that one.
        """
        while True:
            serving = self._gateway.follower.current
            # In a thread: a megabyte of text takes long enough to hold up the answers of others.
            prompt = await run_in_threadpool(self._gateway.encode, asked, serving)
            completion = self._completion = Completion(serving.release, asked.model, len(prompt))
            limit = serving.release.stop_conditions.max_new_tokens
            most = min(limit, asked.most_tokens or limit)
            events = answering.generate(serving.engine, prompt, most, completion, self._request.is_disconnected)
            try:
                await anext(events)
            except EngineClosed as error:
                if self._gateway.follower.current is serving:
                    raise ApiError(503, str(error), code="stopping") from None
            else:
                return completion, events

    async def _chunks(self, completion: Completion, events: AsyncGenerator[None], usage: bool) -> AsyncGenerator[bytes]:
        """Yield the server-sent events of a stream."""
        try:
            yield _event(completion.first_chunk())
            while True:
                if chunk := completion.next_chunk():
                    yield _event(chunk)
                if completion.end is not None:
                    break
                await anext(events)
        except ApiError as error:
            self.end("failed", error.code)
            yield _event(error.document())
            return
        except ClientGone:
            return
        yield _event(completion.last_chunk())
        if usage:
            yield _event(completion.usage_chunk())
        yield b"data: [DONE]\n\n"
        self.end("answered")

    def end(self, outcome: Outcome, code: str | None = None) -> None:
        """Count and log the request, unless that was done."""
        if self._ended:
            return
        self._ended = True
        done, metrics, seconds = self._completion, self._gateway.metrics, time.monotonic() - self._began
        metrics.count(outcome)
        if done is None:
            log.info("- caller=%s outcome=%s code=%s ms=%d", self._caller or "-", outcome, code, seconds * 1000)
            return
        if outcome == "answered":
            metrics.seconds.observe(seconds)
            metrics.tokens.labels("prompt").inc(done.prompt_tokens)
            metrics.tokens.labels("answer").inc(done.answer_tokens)
            metrics.for_review.inc(bool(done.needs_review))
        admitted = done.release.admitted
        log.info(
            "%s caller=%s outcome=%s code=%s release=%s sequence=%d prompt_tokens=%d answer_tokens=%d ms=%d",
            done.id, self._caller, outcome, code, admitted.label, admitted.sequence, done.prompt_tokens,
            done.answer_tokens, seconds * 1000,
        )  # fmt: skip


class _EventStream(StreamingResponse):
    """Server-sent events. However the response ends, the request to the engine ends with it."""

    def __init__(
        self,
        call: ChatCall,
        body: AsyncGenerator[bytes],
        events: AsyncGenerator[None],
        rate_limit: ExitStack,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(body, media_type="text/event-stream", headers={**NO_BUFFERING, **headers})
        self._call, self._body, self._events, self._rate_limit = call, body, events, rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._rate_limit:
                async with aclosing(self._events), aclosing(self._body):
                    await super().__call__(scope, receive, send)
        finally:
            self._call.end("cancelled")  # unless it was answered


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass") + b"\n\n"


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"expected a body of at most {MAX_BODY_BYTES} bytes", code="body_too_large")
    return bytes(body)
