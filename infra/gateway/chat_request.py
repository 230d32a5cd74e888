"""Body of POST /v1/chat/completions.

A parameter that would change how the release answers is refused unless it has the value of the evaluation. Otherwise,
clients would believe that their settings were used.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from infra.gateway.api_errors import ApiError
from tasks.core.params import prompt_template
from tasks.core.records.prompts import ChatTurn

MAX_BODY_BYTES = 1 << 20
MAX_TURNS = 200
SYSTEM_ROLES = ("system", "developer")


def _greedy(value: float | None) -> float | None:
    if value not in (None, 0):
        raise ValueError("the release answers by greedy decoding, as it was evaluated; leave it out, or set it to 0")
    return value


class TextPart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: None = None
    refusal: None = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    include_usage: bool = False
    include_obfuscation: bool | None = None
    """Whether to pad chunks, which hides their length from eavesdroppers. It is accepted and has no effect."""


class TextFormat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]


class ChatRequest(BaseModel):
    """Request for one answer. Fields that are not listed here are refused."""

    model_config = ConfigDict(extra="forbid")
    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_TURNS)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float | None, AfterValidator(_greedy)] = None
    metadata: dict[str, str] | None = None
    """Values for the fields of the task's template, such as `department`. Other entries have no effect."""
    # Parameters without an effect on greedy decoding, or that name the end user.
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    store: Literal[False] | None = None
    # Parameters that are accepted only with their default value.
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    response_format: TextFormat | None = None
    stop: None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None

    @property
    def most_tokens(self) -> int | None:
        given = [most for most in (self.max_tokens, self.max_completion_tokens) if most is not None]
        return min(given, default=None)

    @property
    def model_and_task(self) -> tuple[str, str | None]:
        """Name of the model, and the task after a slash, if one is given."""
        name, slash, task = self.model.partition("/")
        return name, task if slash else None

    def turns(self, own_systems: set[str]) -> list[ChatTurn]:
        """Return the turns without a system turn.

        Args:
            own_systems: System prompts of the release. A client may send one of them.

        Raises:
            ApiError: The client sent a system prompt of its own.
        """
        turns = [{"role": message.role, "content": message.text} for message in self.messages]
        if turns[0]["role"] in SYSTEM_ROLES and turns[0]["content"] in own_systems:
            turns = turns[1:]
        if any(turn["role"] in SYSTEM_ROLES for turn in turns):
            raise ApiError(
                400,
                "the release has its own system prompt, with which it was evaluated; leave yours out",
                param="messages",
                code="unsupported_value",
            )
        return turns

    def fields_of(self, template: str | None) -> dict[str, str]:
        wanted = prompt_template.template_fields(template) if template else []
        return {name: value for name, value in (self.metadata or {}).items() if name in wanted}


def parse_request(body: bytes) -> ChatRequest:
    """Parse a body.

    Raises:
        ApiError: The body is not JSON in UTF-8, or a parameter has a value with which the release was not evaluated.
    """
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            raise ApiError(
                400,
                f"{'.'.join(place)}: this parameter is not supported; leave it out",
                param=place[0],
                code="unsupported_parameter",
            ) from None
        param = place[0] if place else None
        said = first["msg"].removeprefix("Value error, ")
        text = f"{'.'.join(place)}: {said}" if place else f"the body: {said}"
        raise ApiError(400, text, param=param, code="invalid_value") from None
