"""Continuous batching: whoever joins or leaves, each request gets the answer that it gets alone."""

import queue
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.serve import engine as engines
from tasks.serve.engine import Engine, EngineClosed, Event, Failed, Finished, NewToken, QueueFull, Request
from tasks.stages.evaluate.decode import Decoder, DecodingBatch, StopConditions, Tokens, find_stop_tokens, shared_prefix

LIMIT = 24
SECONDS = 60


@pytest.fixture(scope="module")
def tokenizer(base_folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(base_folder / "model")


@pytest.fixture(scope="module")
def prompts(tokenizer: Any) -> list[Tokens]:
    turns = [[{"role": "user", "content": f"{number} " * (1 + 7 * number % 11)}] for number in range(24)]
    return [tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False) for turn in turns]


@pytest.fixture(scope="module")
def decoder(base_folder: Path, tokenizer: Any, prompts: list[Tokens]) -> Decoder:
    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(base_folder / "model", dtype=torch.float32).eval()
    return Decoder(
        model, shared_prefix(prompts), StopConditions(find_stop_tokens(model.generation_config, tokenizer), LIMIT)
    )


class Asked:
    """A request and its events."""

    def __init__(self, prompt: Tokens, most: int = LIMIT) -> None:
        self.events = queue.Queue[Event]()
        self.request = Request(prompt, most, self.events.put)

    def answer(self) -> tuple[Tokens, Finished | Failed]:
        tokens: Tokens = []
        while isinstance(event := self.events.get(timeout=SECONDS), NewToken):
            tokens.append(event.token)
        return tokens, event


def test_requests_that_join_at_any_time_are_answered_as_alone(decoder: Decoder, prompts: list[Tokens]) -> None:
    engine = Engine(lambda: decoder, max_batch=5)
    asked = [Asked(prompt) for prompt in prompts]
    for number, each in enumerate(asked):
        engine.submit(each.request)
        time.sleep(0.002 * (number % 4))
    for prompt, each in zip(prompts, asked, strict=True):
        tokens, end = each.answer()
        (alone,) = decoder.answer([prompt])
        assert isinstance(end, Finished)
        assert (tokens, end.reason == "stop") == (alone.tokens, alone.stopped)
        assert end.log_probability == pytest.approx(alone.log_probability, abs=1e-3)
    engine.close()


def test_a_prompt_without_the_shared_prefix_is_answered_too(decoder: Decoder, prompts: list[Tokens]) -> None:
    engine, odd = Engine(lambda: decoder), Asked(prompts[3][1:])
    beside = Asked(prompts[4])
    engine.submit(beside.request)
    engine.submit(odd.request)
    assert odd.answer()[0] == decoder.without_prefix().answer([prompts[3][1:]])[0].tokens
    assert beside.answer()[0] == decoder.answer([prompts[4]])[0].tokens
    engine.close()


def test_a_request_ends_at_its_own_limit(decoder: Decoder, prompts: list[Tokens]) -> None:
    engine, asked = Engine(lambda: decoder), Asked(prompts[0], 1)
    engine.submit(asked.request)
    tokens, end = asked.answer()
    assert (len(tokens), isinstance(end, Finished) and end.reason) == (1, "length")
    engine.close()


def test_a_full_queue_and_an_engine_that_ends_refuse(decoder: Decoder, prompts: list[Tokens]) -> None:
    hold = threading.Event()
    engine = Engine(lambda: decoder, max_batch=1, max_waiting=2)
    first = Request(prompts[0], LIMIT, lambda _: bool(hold.wait(SECONDS)) or None)
    engine.submit(first)
    while engine.waiting:
        time.sleep(0.01)
    waiting = [Asked(prompts[1]), Asked(prompts[2])]
    for each in waiting:
        engine.submit(each.request)
    with pytest.raises(QueueFull, match="2 requests wait already"):
        engine.submit(Asked(prompts[3]).request)
    closing = threading.Thread(target=engine.close)
    closing.start()
    hold.set()
    for each in waiting:
        assert isinstance(each.answer()[1], Finished), "what was accepted is answered"
    closing.join(SECONDS)
    with pytest.raises(EngineClosed, match="this release no longer answers"):
        engine.submit(Asked(prompts[3]).request)


def test_prompts_join_few_at_a_time_so_that_others_advance(
    decoder: Decoder, prompts: list[Tokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[list[int]] = []

    class Watched(DecodingBatch):
        def __init__(self, decoder: Decoder, rests: list[Tokens]) -> None:
            joined.append([len(decoder.prefix) + len(rest) for rest in rests])
            super().__init__(decoder, rests)

    most = max(map(len, prompts)) - 1
    monkeypatch.setattr(engines, "MAX_JOINING_TOKENS", most)
    monkeypatch.setattr(engines, "DecodingBatch", Watched)
    engine, asked = Engine(lambda: decoder), [Asked(prompt) for prompt in prompts]
    for each in asked:
        engine.submit(each.request)
    for prompt, each in zip(prompts, asked, strict=True):
        assert each.answer()[0] == decoder.answer([prompt])[0].tokens
    engine.close()
    assert all(len(widths) == 1 or max(widths) * len(widths) <= most for widths in joined)
    assert [len(max(prompts, key=len))] in joined, "a prompt that is too long joins alone"


def test_cancelled_requests_hold_no_place_in_the_queue(decoder: Decoder, prompts: list[Tokens]) -> None:
    hold = threading.Event()
    engine = Engine(lambda: decoder, max_batch=1, max_waiting=2)
    engine.submit(Request(prompts[0], LIMIT, lambda _: bool(hold.wait(SECONDS)) or None))
    while engine.waiting:
        time.sleep(0.01)
    for prompt in prompts[1:3]:
        engine.submit(Request(prompt, LIMIT, lambda _: None, cancelled=True))
    kept = Asked(prompts[3])
    engine.submit(kept.request)
    hold.set()
    assert isinstance(kept.answer()[1], Finished)
    engine.close()


def test_what_cannot_be_loaded_is_an_error_of_the_start() -> None:
    def fail() -> Decoder:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        Engine(fail)


def test_a_cancelled_request_leaves_and_the_others_go_on(decoder: Decoder, prompts: list[Tokens]) -> None:
    engine, kept = Engine(lambda: decoder), Asked(prompts[5])
    left: list[Event] = []
    gone = Request(prompts[6], LIMIT, left.append)
    never = Request(prompts[7], LIMIT, left.append, cancelled=True)
    gone.deliver = lambda event: (left.append(event), setattr(gone, "cancelled", True))[0]  # type: ignore[func-returns-value]
    for each in (gone, never, kept.request):
        engine.submit(each)
    assert kept.answer()[0] == decoder.answer([prompts[5]])[0].tokens
    engine.close()
    assert len(left) == 1, "one token came before it was cancelled, and none after"


def test_after_a_failure_those_who_asked_are_told_and_the_next_is_answered(
    decoder: Decoder, prompts: list[Tokens]
) -> None:
    engine = Engine(lambda: decoder)
    broken = Asked([10**9])
    engine.submit(broken.request)
    assert broken.answer() == ([], Failed("IndexError"))
    again = Asked(prompts[8])
    engine.submit(again.request)
    assert again.answer()[0] == decoder.answer([prompts[8]])[0].tokens
    engine.close()


def test_a_batch_that_is_never_empty_does_not_grow(
    decoder: Decoder, prompts: list[Tokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    step = DecodingBatch.step

    def watched(batch: DecodingBatch) -> None:
        step(batch)
        widths.append(batch.mask.shape[1])

    monkeypatch.setattr(DecodingBatch, "step", watched)
    engine, asked = Engine(lambda: decoder, max_batch=2), [Asked(prompt) for prompt in prompts * 2]
    for each in asked:
        engine.submit(each.request)
    for each in asked:
        each.answer()
    engine.close()
    assert len(widths) > 4 * LIMIT, "or no row ever joined"
    assert max(widths) <= max(map(len, prompts)) + LIMIT


def test_a_batch_is_as_wide_as_its_longest_row(decoder: Decoder, prompts: list[Tokens]) -> None:
    longest = max(prompts, key=len)
    rests = [prompt[len(decoder.prefix) :] for prompt in (longest, min(prompts, key=len))]
    with torch.inference_mode():
        batch = DecodingBatch(decoder, [rests[0]])
        batch.append_rows(DecodingBatch(decoder, [rests[1]]))
        assert batch.mask.shape[1] == len(longest) == batch.cache.get_seq_length()
        batch.keep_rows(torch.tensor([1]))
        batch.trim()
    shortest = len(decoder.prefix) + len(rests[1])
    assert batch.mask.shape[1] == shortest == batch.cache.get_seq_length()
