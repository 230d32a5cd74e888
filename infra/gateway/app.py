"""Routes of the gateway: chat completions, models, health and metrics."""

import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, aclosing
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from infra.gateway import answering
from infra.gateway.answering import ClientGone
from infra.gateway.api_errors import ApiError, add_error_handlers
from infra.gateway.caller_keys import CallerKey, CallerKeys
from infra.gateway.chat_request import MAX_BODY_BYTES, ChatRequest, parse_request
from infra.gateway.completion import Completion
from infra.gateway.metrics import GatewayMetrics, Outcome
from infra.http.rate_limits import RateLimits, TooManyRequests
from infra.metrics.exposition import CONTENT_TYPE
from tasks.core.errors import HallmarkError, InputError
from tasks.serve.engine import EngineClosed
from tasks.serve.follower import ReleaseFollower, Serving
from tasks.serve.loaded_release import PromptTooLong

record = logging.getLogger(__name__)
REQUESTS_PER_MINUTE = 6000
"""Maximum number of requests of one caller per minute."""
MAX_PARALLEL_REQUESTS = 64
"""Maximum number of requests of one caller that are answered or wait at the same time."""
OUTCOME_BY_STATUS: Mapping[int, Outcome] = {401: "unauthorized", 429: "too_many"}
NO_BUFFERING = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Gateway:
    def __init__(self, name: str, follower: ReleaseFollower, keys: CallerKeys, token: bytes) -> None:
        self.name, self.follower, self.keys, self.token = name, follower, keys, token
        self.metrics = GatewayMetrics(follower)
        self.limits = RateLimits(REQUESTS_PER_MINUTE, MAX_PARALLEL_REQUESTS)
        self.started = int(time.time())

    def require_caller(self, request: Request) -> CallerKey:
        """Return the key that a request was sent with.

        Raises:
            ApiError: The request has no valid key.
        """
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            key = self.keys.find(given.strip()) if scheme.lower() == "bearer" else None
        except HallmarkError as error:
            record.error("%s", error)
            raise ApiError(503, "keys of callers cannot be read; ask who runs the gateway") from None
        if key is None:
            raise ApiError(
                401,
                "expected `Authorization: Bearer KEY` with a valid key (`hallmark serve add-key`)",
                code="invalid_api_key",
            )
        return key

    def model_names(self, serving: Serving) -> list[str]:
        tasks = sorted(serving.release.admitted.inference_settings.system)
        return [self.name] if len(tasks) == 1 else [f"{self.name}/{task}" for task in tasks]

    def model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.started, "owned_by": "hallmark"}

    def encode(self, asked: ChatRequest, serving: Serving) -> list[int]:
        """Return the tokens of the prompt.

        Raises:
            ApiError: The model does not exist, or the release does not answer such a conversation.
        """
        settings = serving.release.admitted.inference_settings
        name, task = asked.model_and_task
        if name != self.name or (task is not None and task not in settings.system):
            raise ApiError(
                404,
                f"there is no model {asked.model!r}; expected {' or '.join(self.model_names(serving))}",
                param="model",
                code="model_not_found",
            )
        only = next(iter(settings.system)) if task is None and len(settings.system) == 1 else task
        fields = asked.fields_of(settings.template.get(only or ""))
        try:
            return serving.release.encode(asked.turns(set(settings.system.values()) - {""}), task, fields)
        except PromptTooLong as error:
            raise ApiError(400, str(error), param="messages", code="context_length_exceeded") from None
        except InputError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_value") from None


def application(gateway: Gateway) -> FastAPI:
    app = FastAPI(title="Hallmark gateway", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    add_error_handlers(app)

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        """Answer a conversation with the release in production."""
        began = time.monotonic()
        try:
            return await _answer(gateway, request, began)
        except ApiError as error:
            gateway.metrics.count(_outcome(error.status))
            raise
        except (ClientGone, ClientDisconnect):
            gateway.metrics.count("cancelled")
            return Response(status_code=499)

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        """List the models: one for each task of the release."""
        gateway.require_caller(request)
        names = gateway.model_names(gateway.follower.current)
        return {"object": "list", "data": [gateway.model(name) for name in names]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str, request: Request) -> dict[str, Any]:
        """Describe one model."""
        gateway.require_caller(request)
        if name not in gateway.model_names(gateway.follower.current):
            raise ApiError(404, f"there is no model {name!r}", param="model", code="model_not_found")
        return gateway.model(name)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Report that the gateway answers, and with which release."""
        admitted, following = gateway.follower.current.release.admitted, not gateway.follower.problem
        return {"status": "ok", "release": admitted.label, "sequence": admitted.sequence, "following": following}

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), b"Bearer " + gateway.token):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(gateway.metrics.text(), media_type=CONTENT_TYPE)

    return app


def _outcome(status: int) -> Outcome:
    return OUTCOME_BY_STATUS.get(status, "bad_request" if status < 500 else "failed")


async def _answer(gateway: Gateway, request: Request, began: float) -> Response:
    key = gateway.require_caller(request)
    counted = ExitStack()
    try:
        counted.enter_context(gateway.limits.count_request(key.caller))
    except TooManyRequests:
        raise ApiError(429, "you ask for too much at once, or within a minute", code="rate_limit_exceeded") from None
    with counted:
        asked = parse_request(await _read_body(request))
        completion, events = await _begin(gateway, asked, request)
        call = _Call(gateway, key, completion, began)
        gateway.metrics.first_token.observe(time.monotonic() - began)
        if asked.stream:
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return _EventStream(_stream(call, events, usage), events, counted.pop_all(), completion.headers)
        async with aclosing(events):
            async for _ in events:
                pass
        call.end("answered")
        return JSONResponse(completion.document(), headers=dict(completion.headers))


async def _begin(gateway: Gateway, asked: ChatRequest, request: Request) -> tuple[Completion, AsyncGenerator[None]]:
    """Return a completion with its first token, and the generator of the others.

    Until the first token, an error can still have a status of its own. If another release takes over, that one is
    asked.
    """
    while True:
        serving = gateway.follower.current
        # In a thread: a megabyte of text takes long enough to hold up the answers of others.
        prompt = await run_in_threadpool(gateway.encode, asked, serving)
        completion = Completion(serving.release, asked.model, len(prompt))
        limit = serving.release.stop_conditions.max_new_tokens
        most = min(limit, asked.most_tokens or limit)
        events = answering.generate(serving.engine, prompt, most, completion, request.is_disconnected)
        try:
            await anext(events)
        except EngineClosed as error:
            if gateway.follower.current is serving:
                raise ApiError(503, str(error), code="stopping") from None
        else:
            return completion, events


class _Call:
    """Bookkeeping of one request: metrics, and one line in the log without any text."""

    def __init__(self, gateway: Gateway, key: CallerKey, completion: Completion, began: float) -> None:
        self.gateway, self.key, self.completion, self.began = gateway, key, completion, began

    def end(self, outcome: Outcome) -> None:
        done, metrics, seconds = self.completion, self.gateway.metrics, time.monotonic() - self.began
        metrics.count(outcome)
        if outcome == "answered":
            metrics.seconds.observe(seconds)
            metrics.tokens.labels("prompt").inc(done.prompt_tokens)
            metrics.tokens.labels("answer").inc(done.answer_tokens)
            metrics.for_review.inc(bool(done.needs_review))
        record.info(
            "%s caller=%s key=%s release=%s sequence=%d outcome=%s prompt_tokens=%d answer_tokens=%d ms=%d",
            done.id, self.key.caller, self.key.id, done.release.admitted.label, done.release.admitted.sequence, outcome,
            done.prompt_tokens, done.answer_tokens, seconds * 1000,
        )  # fmt: skip


class _EventStream(StreamingResponse):
    """Server-sent events. However the response ends, the request to the engine ends with it."""

    def __init__(
        self,
        body: AsyncGenerator[bytes],
        events: AsyncGenerator[None],
        counted: ExitStack,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(body, media_type="text/event-stream", headers={**NO_BUFFERING, **headers})
        self._body, self._events, self._counted = body, events, counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counted:
            async with aclosing(self._events), aclosing(self._body):
                await super().__call__(scope, receive, send)


async def _stream(call: _Call, events: AsyncGenerator[None], usage: bool) -> AsyncGenerator[bytes]:
    done = call.completion
    outcome: Outcome = "cancelled"
    try:
        yield _event(done.first_chunk())
        while True:
            if chunk := done.next_chunk():
                yield _event(chunk)
            if done.end is not None:
                break
            await anext(events)
        yield _event(done.last_chunk())
        if usage:
            yield _event(done.usage_chunk())
        yield b"data: [DONE]\n\n"
        outcome = "answered"
    except ApiError as error:
        outcome = "failed"
        yield _event(error.document())
    except ClientGone:
        pass
    finally:
        call.end(outcome)


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode(errors="surrogatepass") + b"\n\n"


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"expected a body of at most {MAX_BODY_BYTES} bytes", code="body_too_large")
    return bytes(body)
