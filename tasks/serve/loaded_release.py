"""Admitted release with its weights in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params import params as parameters
from tasks.core.params.training_methods.method import ADAPTER, FULL_MODEL
from tasks.core.records.prompts import ChatTurn
from tasks.core.records.special_tokens import SpecialTokens
from tasks.registry.admit.admission import AdmittedRelease
from tasks.serve import chat
from tasks.stages.evaluate import models
from tasks.stages.evaluate.decode import Decoder, StopConditions, Tokens, shared_prefix
from tasks.stages.evaluate.models import ModelFolders, PromptLimits


def model_folders(admitted: AdmittedRelease) -> ModelFolders:
    form = FULL_MODEL if admitted.base is None else ADAPTER
    return ModelFolders(admitted.base or admitted.model, admitted.model, form)


class PromptTooLong(InputError):
    """The prompt and its answer do not fit into the model's context."""


@dataclass(frozen=True)
class LoadedRelease:
    admitted: AdmittedRelease
    model: Any
    limits: PromptLimits

    @property
    def tokenizer(self) -> Any:
        return self.limits.tokenizer

    @property
    def stop_conditions(self) -> StopConditions:
        decoding = self.admitted.inference_settings.decoding
        return StopConditions(frozenset(decoding.eos_token_id), decoding.max_new_tokens)

    def encode(self, turns: Sequence[ChatTurn], task: str | None, fields: Mapping[str, str]) -> Tokens:
        """Return the tokens of a prompt.

        Raises:
            InputError: The conversation is not one that the release answers (`chat.render_turns`), or a text contains a
                special token of the tokenizer, with which it could pretend to be another turn.
            PromptTooLong: The prompt and its answer do not fit into the model's context.
        """
        asked = chat.render_turns(self.admitted.inference_settings, turns, task, fields)
        if found := self._special_tokens.find(turn["content"] for turn in asked if turn["role"] in chat.ROLES):
            raise InputError(f"messages: a text contains {found!r}, a special token of the tokenizer; leave it out")
        tokens = self._tokenise(asked)
        most = self.stop_conditions.max_new_tokens
        if not self.limits.fits(tokens, most):
            raise PromptTooLong(
                f"messages: {len(tokens)} tokens and an answer of {most} do not fit into the "
                f"{self.limits.context_tokens} tokens of the model's context; shorten them"
            )
        return tokens

    @cached_property
    def _special_tokens(self) -> SpecialTokens:
        return SpecialTokens(self.tokenizer)

    def create_decoder(self) -> Decoder:
        """Return a decoder with a key-value cache for the prefix that all prompts share."""
        settings = self.admitted.inference_settings
        systems = [[{"role": "system", "content": text}] if text else [] for text in settings.system.values()]
        # Two questions that begin differently, so that no token of a question is in the prefix.
        asked = [[*system, {"role": "user", "content": text}] for system in systems for text in ("a", "Z")]
        return Decoder(self.model, shared_prefix(list(map(self._tokenise, asked))), self.stop_conditions)

    def _tokenise(self, turns: Sequence[ChatTurn]) -> Tokens:
        return list(self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


def load_release(admitted: AdmittedRelease) -> LoadedRelease:
    """Load an admitted release with the device, precision and threads of its evaluation.

    The files are verified again after they were read. transformers maps no file into memory, so what changes the files
    later changes no answer.

    Raises:
        Refused: A file was changed since the release was admitted.
        Unavailable: The evaluation was on a GPU, and this machine has none. The machine lacks memory while the files
            are verified.
    """
    settings = parameters.load_params(admitted.model.parent / "params.yaml").evaluation
    folders = model_folders(admitted)
    limits = models.read_prompt_limits(folders)
    model = models.load_model(folders, settings)
    admitted.require_unchanged()
    return LoadedRelease(admitted, model, limits)
