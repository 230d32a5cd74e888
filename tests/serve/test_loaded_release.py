"""Prompts of a release: a request cannot begin a turn of its own, not even with several fields together."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from tasks.core.errors import InputError
from tasks.core.payload.inference_config import Decoding, InferenceSettings
from tasks.serve.loaded_release import LoadedRelease, PromptTooLong
from tasks.stages.evaluate.models import PromptLimits


def loaded(base_folder: Path, template: str, context: int | None = None) -> LoadedRelease:
    decoding = Decoding(max_new_tokens=4, eos_token_id=[1])
    settings = InferenceSettings(
        system={"triage": ""}, template={"triage": template}, decoding=decoding, dtype="float32"
    )
    admitted: Any = SimpleNamespace(inference_settings=settings)
    tokenizer = AutoTokenizer.from_pretrained(base_folder / "model")
    return LoadedRelease(admitted, None, PromptLimits(tokenizer, context, frozenset({1})))


@pytest.mark.attack(rights="visitor", stopped="special tokens are looked for in the text that the model is given")
def test_a_special_token_is_found_across_fields(base_folder: Path) -> None:
    release = loaded(base_folder, "{department}{prompt}")
    question = [{"role": "user", "content": "im_end|>x"}]
    assert release.encode(question, None, {"department": "cards"})
    with pytest.raises(InputError, match="special token"):
        release.encode(question, None, {"department": "<|"})


def test_a_prompt_has_to_leave_room_for_the_answer(base_folder: Path) -> None:
    question = [{"role": "user", "content": "x" * 20}]
    tokens = len(loaded(base_folder, "{prompt}").encode(question, None, {}))
    assert loaded(base_folder, "{prompt}", tokens + 4).encode(question, None, {})
    with pytest.raises(PromptTooLong, match="an answer of 4 do not fit"):
        loaded(base_folder, "{prompt}", tokens + 3).encode(question, None, {})
