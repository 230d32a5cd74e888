"""Greedy decoding of many prompts: our own loop, which does less work than `generate` (docs/decisions/decoding.md).

What all prompts begin with (chat template, system prompt) is read once, finished rows leave the batch at once, and rows
of like length go together.
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Tokens = list[int]


@dataclass(frozen=True)
class Generated:
    """What a model said to one prompt."""

    tokens: Tokens
    """Without the stop token."""
    stopped: bool
    """The model ended its turn itself; false where max_new_tokens cut it off."""


@dataclass(frozen=True)
class Limits:
    """When a turn ends."""

    stop: frozenset[int]
    max_new_tokens: int


class Decoder:
    """A causal language model that has read what all prompts begin with, and continues any that does."""

    def __init__(self, model: Any, prefix: Tokens, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self.prefix, self._memory = self._read(prefix)

    def fresh(self) -> "Decoder":
        """One that has read nothing, and so reads a prompt whole."""
        return Decoder(self.model, [], self.limits)

    def _read(self, prefix: Tokens) -> tuple[Tokens, Any]:
        import torch
        from transformers import DynamicCache

        memory = DynamicCache(config=self.model.config)
        if not prefix or any(memory.is_sliding):
            # A window counts the padding between prefix and rest, so such models read every prompt whole.
            return [], memory
        with torch.inference_mode():
            self.model(torch.tensor([prefix], device=self.model.device), cache=memory, logits_to_keep=1)
        return prefix, memory

    def answer(self, prompts: Sequence[Tokens]) -> list[Generated]:
        """Continue one batch of prompts, each with the first likeliest token until a stop token or the limit."""
        import torch

        with torch.inference_mode():
            return self._answer([prompt[len(self.prefix) :] for prompt in prompts])

    def _answer(self, rests: list[Tokens]) -> list[Generated]:
        import torch

        batch = _Batch(self, rests)
        said: list[Tokens] = [[] for _ in rests]
        stopped = [False] * len(rests)
        alive = list(range(len(rests)))
        while True:
            tokens = batch.next_tokens.tolist()
            staying = [place for place, token in enumerate(tokens) if token not in self.limits.stop]
            for place in set(range(len(alive))) - set(staying):
                stopped[alive[place]] = True
            for place in staying:
                said[alive[place]].append(tokens[place])
            alive = [alive[place] for place in staying]
            if not alive or len(said[alive[0]]) == self.limits.max_new_tokens:
                return [Generated(*row) for row in zip(said, stopped, strict=True)]
            if len(staying) < len(tokens):
                batch.keep(torch.tensor(staying, device=self.model.device))
            batch.step()

    def memory_for(self, rows: int) -> Any:
        """The cache of the shared prefix for a batch of `rows`, safe to extend."""
        memory = copy.deepcopy(self._memory)
        if self.prefix:
            memory.batch_repeat_interleave(rows)
        return memory


class _Batch:
    """Rows in flight: their cache, mask (rows × tokens so far), positions and next tokens (rows)."""

    def __init__(self, decoder: Decoder, rests: list[Tokens]) -> None:
        import torch

        self.model, device = decoder.model, decoder.model.device
        self.last = torch.tensor([-1], device=device)
        width = max(len(rest) for rest in rests)
        # Padding is masked and not counted in positions, so any token will do.
        padded = [[0] * (width - len(rest)) + rest for rest in rests]
        real = torch.tensor([[0] * (width - len(rest)) + [1] * len(rest) for rest in rests], device=device)
        shared = torch.ones(len(rests), len(decoder.prefix), dtype=real.dtype, device=device)
        self.memory = decoder.memory_for(len(rests))
        self.mask = torch.cat([shared, real], dim=1)
        positions = (self.mask.cumsum(dim=1) - 1).clamp(min=0)[:, len(decoder.prefix) :]
        self._forward(torch.tensor(padded, device=device), positions)

    def _forward(self, tokens: Any, positions: Any) -> None:
        logits = self.model(
            tokens,
            attention_mask=self.mask,
            position_ids=positions,
            cache=self.memory,
            use_cache=True,
            # As an index, not as the number 1: a slice of the last position is not contiguous, and where weights are
            # frozen torch then multiplies it with a copy of the vocabulary's matrix for every row (2 s a batch).
            logits_to_keep=self.last,
        ).logits
        self.positions = positions[:, -1:]
        self.next_tokens = logits[:, -1].argmax(dim=-1)

    def step(self) -> None:
        """Take the next tokens in, and compute those after them."""
        import torch

        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
        self._forward(self.next_tokens[:, None], self.positions + 1)

    def keep(self, rows: Any) -> None:
        """Drop every row but `rows` (places, ascending)."""
        self.memory.batch_select_indices(rows)
        self.mask, self.positions, self.next_tokens = self.mask[rows], self.positions[rows], self.next_tokens[rows]


def shared_prefix(prompts: Sequence[Tokens]) -> Tokens:
    """The longest beginning that all prompts share, leaving every prompt at least one token of its own."""
    # What the first and the last in order share, all between them share too.
    least, most = min(prompts, default=[])[:-1], max(prompts, default=[])
    longest = min((len(prompt) for prompt in prompts), default=1) - 1
    pairs = zip(least[:longest], most, strict=False)
    return [token for token, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]


def by_length(prompts: Sequence[Tokens], batch_size: int) -> Iterator[list[int]]:
    """Places of the prompts in batches of like length, longest first: what memory is needed shows at the start."""
    order = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place]), place))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def answer_all(
    each: Callable[[Sequence[Sequence[Tokens]]], Iterable[tuple[int, list[Generated]]]],
    prompts: Sequence[Tokens],
    batch_size: int,
    done: Callable[[int], None],
) -> list[Generated]:
    """The answers to all prompts, in the order given. `each` answers batches, in any order, each with its number.

    Batches follow from the prompts and `batch_size` alone, so an answer does, whoever computes it. `done` is told after
    each batch how many rows are finished.
    """
    batches, answers = list(by_length(prompts, batch_size)), dict[int, Generated]()
    for number, said in each([[prompts[place] for place in places] for places in batches]):
        answers |= zip(batches[number], said, strict=True)
        done(len(answers))
    return [answers[place] for place in range(len(prompts))]


def stop_tokens(generation: Any, tokenizer: Any) -> frozenset[int]:
    """What ends a turn: the end tokens of tokenizer and model, and the token that the chat template puts there.

    `generation`: the model's GenerationConfig."""
    configured = generation.eos_token_id
    ends = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
    return frozenset(token for token in {*ends, _template_stop(tokenizer)} if token is not None)


def _template_stop(tokenizer: Any) -> int | None:
    """The special token that follows an assistant's words in the chat template, e.g. <|im_end|>; None without one."""
    words = "words"
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": words}]
    _, _, after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(words)
    tokens = tokenizer.encode(after.lstrip(), add_special_tokens=False)
    # `all_special_ids` knows only those with a role, such as eos.
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return tokens[0] if tokens and tokens[0] in special else None
