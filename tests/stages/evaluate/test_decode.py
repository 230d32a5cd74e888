"""Greedy decoding: the same answers in batches, one by one, and from transformers' own `generate`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.stages.evaluate.decode import (
    Decoder,
    GeneratedAnswer,
    StopConditions,
    Tokens,
    answer_prompts,
    batches_by_length,
    find_stop_tokens,
    shared_prefix,
)

LIMIT = 10


@pytest.fixture(scope="module")
def model(base_folder: Path) -> Any:
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(base_folder / "model", dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer(base_folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(base_folder / "model")


@pytest.fixture(scope="module")
def prompts(tokenizer: Any) -> list[Tokens]:
    turns = [[{"role": "user", "content": f"{number} " * (1 + number % 5)}] for number in range(20)]
    return [tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False) for turn in turns]


def alone(decoder: Decoder) -> Any:
    return lambda batches: enumerate(map(decoder.answer, batches))


def by_generate(model: Any, prompt: Tokens, limits: StopConditions) -> GeneratedAnswer:
    """One prompt, the library's way."""
    said = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=limits.max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(limits.stop_tokens),
        pad_token_id=0,
    )[0, len(prompt) :].tolist()
    stopped = said[-1] in limits.stop_tokens
    return GeneratedAnswer(said[:-1] if stopped else said, stopped)


def test_batches_answer_as_generate_does_one_by_one(model: Any, tokenizer: Any, prompts: list[Tokens]) -> None:
    limits = StopConditions(find_stop_tokens(model.generation_config, tokenizer), LIMIT)
    expected = [by_generate(model, prompt, limits) for prompt in prompts]
    assert len({len(each.tokens) for each in expected}) > 3, "rows end at different times, or nothing is dropped"
    assert {each.stopped for each in expected} == {True, False}
    decoder = Decoder(model, shared_prefix(prompts), limits)
    for batch_size in (1, 3, 20):
        assert answer_prompts(alone(decoder), prompts, batch_size, lambda _: None) == expected


def test_the_log_probability_is_that_of_all_generated_tokens(model: Any, tokenizer: Any, prompts: list[Tokens]) -> None:
    limits = StopConditions(find_stop_tokens(model.generation_config, tokenizer), LIMIT)
    decoder = Decoder(model, shared_prefix(prompts), limits)
    answers = answer_prompts(alone(decoder), prompts, 7, lambda _: None)
    for prompt, answer in zip(prompts, answers, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + answer.tokens])).logits[0, len(prompt) - 1 :].double()
        said = logits.log_softmax(dim=-1).max(dim=-1).values[: len(answer.tokens) + answer.stopped]
        assert answer.log_probability == pytest.approx(float(said.sum()), abs=1e-4)


def test_prompts_that_share_nothing_are_read_whole(model: Any, prompts: list[Tokens]) -> None:
    limits = StopConditions(frozenset(), 4)
    others = [[65, 66, 67], *prompts[:5]]
    decoder = Decoder(model, shared_prefix(others), limits)
    assert decoder.prefix == []
    assert decoder.answer(others) == [by_generate(model, prompt, limits) for prompt in others]


def test_a_decoder_answers_again_and_the_same(model: Any, prompts: list[Tokens]) -> None:
    decoder = Decoder(model, shared_prefix(prompts), StopConditions(frozenset({47}), LIMIT))
    assert len(decoder.prefix) > 5
    assert decoder.answer(prompts[:4]) == decoder.answer(prompts[:4])


def test_an_answer_may_be_empty(model: Any, prompts: list[Tokens]) -> None:
    first = by_generate(model, prompts[0], StopConditions(frozenset(), 1)).tokens[0]
    decoder = Decoder(model, shared_prefix(prompts), StopConditions(frozenset({first}), LIMIT))
    assert decoder.answer(prompts[:1]) == [GeneratedAnswer([], True)]


def test_a_sliding_window_is_not_fooled_by_padding() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(1)
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=8, initializer_range=0.5,
    )  # fmt: skip
    sliding = MistralForCausalLM(config).eval()
    # Shared beginnings, then one to twelve tokens: padding lies inside the window of the short ones.
    prompts = [[1, 2, 3, 4, 5, 6, *range(10, 10 + length)] for length in range(1, 13)]
    limits = StopConditions(frozenset(), 6)
    found = answer_prompts(alone(Decoder(sliding, shared_prefix(prompts), limits)), prompts, 7, lambda _: None)
    assert found == [by_generate(sliding, prompt, limits) for prompt in prompts]


def test_the_chat_template_says_what_ends_a_turn(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    other = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    monkeypatch.setattr(model.generation_config, "eos_token_id", None)
    assert find_stop_tokens(model.generation_config, tokenizer) == {end}
    tokenizer.eos_token = "<|endoftext|>"
    try:
        assert find_stop_tokens(model.generation_config, tokenizer) == {end, other}
    finally:
        tokenizer.eos_token = "<|im_end|>"


prompt_lists = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6)


@given(prompt_lists)
def test_the_shared_prefix_is_the_longest(prompts: list[Tokens]) -> None:
    found = shared_prefix(prompts)
    size = len(found)
    assert all(prompt[:size] == found and len(prompt) > size for prompt in prompts)
    longer = {tuple(prompt[: size + 1]) for prompt in prompts}
    assert len(longer) > 1 or any(len(prompt) == size + 1 for prompt in prompts)


def test_no_prompts_share_nothing() -> None:
    assert shared_prefix([]) == []


@given(prompt_lists, st.integers(1, 4))
def test_batches_hold_every_prompt_once_longest_first(prompts: list[Tokens], size: int) -> None:
    batches = list(batches_by_length(prompts, size))
    order = [place for batch in batches for place in batch]
    assert sorted(order) == list(range(len(prompts)))
    assert [len(prompts[place]) for place in order] == sorted(map(len, prompts), reverse=True)
    assert all(len(batch) == size for batch in batches[:-1])
