"""An admitted model: loaded as it was evaluated, and asked as it was evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from hallmark.arguments import require_text
from tasks.core.errors import InputError
from tasks.core.payload.inference_config import InferenceSettings
from tasks.core.records.special_tokens import SpecialTokens
from tasks.registry.admit.admission import AdmittedRelease
from tasks.serve import loaded_release
from tasks.serve.chat import ROLES, render_turns
from tasks.stages.evaluate import models

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True)
class AdmittedModel:
    """The release in production of a model, every byte of it verified. No other folder may be served."""

    admission: AdmittedRelease
    """Promotion statement, folders of model, base model and tokenizer, and digests of what was admitted."""

    @property
    def release(self) -> str:
        """Name and version of the release."""
        return self.admission.label

    @property
    def folder(self) -> Path:
        """Folder of the adapter or whole model."""
        return self.admission.model

    @property
    def settings(self) -> InferenceSettings:
        """Prompts, decoding and precision with which the model was evaluated."""
        return self.admission.inference_settings

    def load(self) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """Return model and tokenizer, as transformers has them; a second call returns the same objects.

        An adapter is merged into its base model in float32, and the sum is rounded once. The generation settings are
        those of the evaluation.

        Raises:
            Refused: A file was changed since the model was admitted.
            Unavailable: The machine lacks memory or file descriptors, or its disk fails.
        """
        return self._loaded

    @cached_property
    def _loaded(self) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        from transformers import AutoTokenizer, GenerationConfig

        model: Any = models.load_weights(loaded_release.model_folders(self.admission), self.settings.dtype)
        model.generation_config = GenerationConfig(**self.settings.decoding.model_dump())
        tokenizer = AutoTokenizer.from_pretrained(self.admission.tokenizer)
        self.admission.require_unchanged()
        return model, tokenizer

    def ask(
        self, messages: str | Sequence[Message], task: str | None = None, fields: Mapping[str, str] | None = None
    ) -> str:
        """Return the model's answer, with the prompt and the decoding of its evaluation.

        Args:
            messages: A question, or the turns of a conversation, which end with a question.
            task: Task whose prompt is used; None if the model has one task.
            fields: Values for the fields of the task's template, such as `department`; None if it has none besides the
                prompt.

        Raises:
            InputError: The task is missing or unknown, a turn is not valid, a field of the template is missing, or a
                text contains a special token of the tokenizer, such as `<|im_end|>`, with which it could pretend to be
                another turn.
            Refused: A file was changed since the model was admitted.
            Unavailable: The machine lacks memory or file descriptors, or its disk fails.
        """
        turns = _turns(messages)
        given = {name: require_text(f"fields[{name!r}]", value) for name, value in (fields or {}).items()}
        chat = render_turns(self.settings, turns, task, given)
        model, tokenizer = self.load()
        if found := SpecialTokens(tokenizer).find(turn["content"] for turn in chat if turn["role"] in ROLES):
            raise InputError(f"messages: a text contains {found!r}, a special token of the tokenizer; leave it out")
        asked: Any = model
        prompt: Any = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        answer: list[int] = asked.generate(**prompt)[0, prompt["input_ids"].shape[1] :].tolist()
        stopped = answer[-1] in self.settings.decoding.eos_token_id
        return str(tokenizer.decode(answer[:-1] if stopped else answer))


def _turns(messages: str | Sequence[Message]) -> list[dict[str, str]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": require_text("messages", messages)}]
    try:
        return [{"role": str(each["role"]), "content": require_text("messages", each["content"])} for each in messages]
    except (KeyError, TypeError):
        raise InputError("messages: expected text, or turns with `role` and `content`") from None
