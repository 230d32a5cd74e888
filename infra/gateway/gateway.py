"""State of the gateway: the release that answers, keys and limits of callers, metrics."""

import logging
import os
import re
import time
from typing import Any

from starlette.requests import Request

from infra.gateway.api_errors import ApiError
from infra.gateway.caller_keys import CallerKey, CallerKeys
from infra.gateway.chat_request import ChatRequest
from infra.gateway.metrics import GatewayMetrics
from infra.http.rate_limits import RateLimits
from tasks.core.errors import HallmarkError, InputError
from tasks.serve import chat
from tasks.serve.follower import ReleaseFollower, Serving
from tasks.serve.loaded_release import PromptTooLong

log = logging.getLogger(__name__)
REQUESTS_PER_MINUTE = 6000
"""Maximum number of requests of one caller per minute."""
MAX_PARALLEL_REQUESTS = 64
"""Maximum number of requests of one caller that are answered or wait at the same time."""


PROMPT_TOKENS_VARIABLE = "HALLMARK_GATEWAY_PROMPT_TOKENS"
"""Environment variable with the maximum number of tokens in a prompt."""
DEFAULT_PROMPT_TOKENS = 2048


def read_max_prompt_tokens() -> int:
    """Return the maximum number of tokens in a prompt.

    A prompt is read in one step, in which no other answer advances.

    Raises:
        InputError: The setting is not a number of tokens.
    """
    given = os.environ.get(PROMPT_TOKENS_VARIABLE) or str(DEFAULT_PROMPT_TOKENS)
    if not re.fullmatch("[1-9][0-9]{0,6}", given):
        raise InputError(f"{PROMPT_TOKENS_VARIABLE}: expected a number of tokens, such as 2048, got {given!r}")
    return int(given)


class Gateway:
    def __init__(
        self,
        name: str,
        follower: ReleaseFollower,
        keys: CallerKeys,
        token: bytes,
        max_prompt_tokens: int = DEFAULT_PROMPT_TOKENS,
    ) -> None:
        self.name, self.follower, self.keys, self.token = name, follower, keys, token
        self.max_prompt_tokens = max_prompt_tokens
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
            log.error("%s", error)
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
        try:
            task = chat.require_task(settings, task)
            fields = asked.fields_of(settings.template.get(task))
            prompt = serving.release.encode(asked.turns(set(settings.system.values()) - {""}), task, fields)
        except PromptTooLong as error:
            raise ApiError(400, str(error), param="messages", code="context_length_exceeded") from None
        except InputError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_value") from None
        if len(prompt) > self.max_prompt_tokens:
            said = f"messages: {len(prompt)} tokens; this gateway takes at most {self.max_prompt_tokens}; shorten them"
            raise ApiError(400, said, param="messages", code="context_length_exceeded")
        return prompt
