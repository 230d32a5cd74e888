"""Greedy decoding of many prompts, faster than the library's own `generate` (docs/decisions/decoding.md).

The prefix that all prompts share (chat template, system prompt) is computed only once. Finished rows are removed from
the batch immediately. In an evaluation, each batch consists of prompts of similar length. A server adds new prompts to
the batch that is being answered (tasks/serve/engine.py).
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Tokens = list[int]


@dataclass(frozen=True)
class GeneratedAnswer:
    tokens: Tokens
    stopped: bool
    """Whether the model ended its turn with a stop token; False if the answer was cut off at max_new_tokens."""
    log_probability: float | None = field(default=None, compare=False)
    """Sum of the natural logarithms of the probabilities that the model gave to the generated tokens, including the
    stop token; None if the engine does not say. It is left out of comparisons, because its last digits depend on the
    batch."""


@dataclass(frozen=True)
class StopConditions:
    stop_tokens: frozenset[int]
    max_new_tokens: int


class Decoder:
    """Causal language model with a key-value cache for the prefix with which every prompt must begin."""

    def __init__(self, model: Any, prefix: Tokens, limits: StopConditions) -> None:
        self.model, self.limits = model, limits
        self.prefix, self._prefix_cache = self._cache_prefix(prefix)

    def without_prefix(self) -> "Decoder":
        return Decoder(self.model, [], self.limits)

    def _cache_prefix(self, prefix: Tokens) -> tuple[Tokens, Any]:
        import torch
        from transformers import DynamicCache

        memory = DynamicCache(config=self.model.config)
        if not prefix or any(memory.is_sliding):
            # The padding between prefix and rest would count in a sliding window, so these models get no prefix.
            return [], memory
        with torch.inference_mode():
            self.model(torch.tensor([prefix], device=self.model.device), cache=memory, logits_to_keep=1)
        return prefix, memory

    def answer(self, prompts: Sequence[Tokens]) -> list[GeneratedAnswer]:
        """Answer one batch of prompts by greedy decoding, up to a stop token or the token limit.

        If several tokens are equally likely, the token with the lowest id is chosen.
        """
        import torch

        with torch.inference_mode():
            return self._answer([prompt[len(self.prefix) :] for prompt in prompts])

    def _answer(self, rests: list[Tokens]) -> list[GeneratedAnswer]:
        import torch

        batch = DecodingBatch(self, rests)
        generated: list[Tokens] = [[] for _ in rests]
        stopped, log_probabilities = [False] * len(rests), [0.0] * len(rests)
        alive = list(range(len(rests)))
        while True:
            tokens = batch.next_tokens.tolist()
            for row, log_probability in zip(alive, batch.next_log_probabilities.tolist(), strict=True):
                log_probabilities[row] += log_probability
            staying = [place for place, token in enumerate(tokens) if token not in self.limits.stop_tokens]
            for place in set(range(len(alive))) - set(staying):
                stopped[alive[place]] = True
            for place in staying:
                generated[alive[place]].append(tokens[place])
            alive = [alive[place] for place in staying]
            if not alive or len(generated[alive[0]]) == self.limits.max_new_tokens:
                return [GeneratedAnswer(*row) for row in zip(generated, stopped, log_probabilities, strict=True)]
            if len(staying) < len(tokens):
                batch.keep_rows(torch.tensor(staying, device=self.model.device))
            batch.step()

    def cache_for(self, rows: int) -> Any:
        memory = copy.deepcopy(self._prefix_cache)
        if self.prefix:
            memory.batch_repeat_interleave(rows)
        return memory


class DecodingBatch:
    """State of a batch's unfinished rows.

    It has the cache, the mask (rows × tokens so far), and for each row its position, its next token and the logarithm
    of that token's probability. Every prompt begins with the prefix of `decoder`; `rests` contains what follows.
    """

    def __init__(self, decoder: Decoder, rests: list[Tokens]) -> None:
        import torch

        self.model, device = decoder.model, decoder.model.device
        self.last = torch.tensor([-1], device=device)
        width = max(len(rest) for rest in rests)
        # Padding is masked and not counted in positions, so it can be any token.
        padded = [[0] * (width - len(rest)) + rest for rest in rests]
        real = torch.tensor([[0] * (width - len(rest)) + [1] * len(rest) for rest in rests], device=device)
        shared = torch.ones(len(rests), len(decoder.prefix), dtype=real.dtype, device=device)
        self.cache = decoder.cache_for(len(rests))
        self.mask = torch.cat([shared, real], dim=1)
        positions = (self.mask.cumsum(dim=1) - 1).clamp(min=0)[:, len(decoder.prefix) :]
        self._forward(torch.tensor(padded, device=device), positions)

    def _forward(self, tokens: Any, positions: Any) -> None:
        logits = self.model(
            tokens,
            attention_mask=self.mask,
            position_ids=positions,
            cache=self.cache,
            use_cache=True,
            # An index instead of the number 1: a slice of the last position is not contiguous, and with frozen weights
            # torch then multiplies it with a copy of the output matrix for every row (2 s a batch).
            logits_to_keep=self.last,
        ).logits
        self.positions = positions[:, -1:]
        last = logits[:, -1]
        self.next_tokens = last.argmax(dim=-1)
        chosen = last.gather(1, self.next_tokens[:, None])[:, 0].float()
        self.next_log_probabilities = chosen - last.float().logsumexp(dim=-1)

    def step(self) -> None:
        import torch

        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
        self._forward(self.next_tokens[:, None], self.positions + 1)

    def keep_rows(self, rows: Any) -> None:
        self.cache.batch_select_indices(rows)
        # `next_log_probabilities` is read before rows are dropped, and computed anew by the next step.
        self.mask, self.positions, self.next_tokens = self.mask[rows], self.positions[rows], self.next_tokens[rows]

    def append_rows(self, other: "DecodingBatch") -> None:
        """Add the rows of another batch of the same model, which must not have a sliding window.

        The shorter of the two caches is padded on the left, where the mask hides the padding.
        """
        import torch

        width = max(self.mask.shape[1], other.mask.shape[1])
        for mine, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            mine.keys = torch.cat([_pad_left(layer.keys, -2, width) for layer in (mine, theirs)])
            mine.values = torch.cat([_pad_left(layer.values, -2, width) for layer in (mine, theirs)])
        self.mask = torch.cat([_pad_left(batch.mask, -1, width) for batch in (self, other)])
        for name in ("positions", "next_tokens", "next_log_probabilities"):
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))

    def trim(self) -> None:
        """Remove the tokens on the left that are padding in every row.

        Without this, a batch that rows join and leave would grow with every step.
        """
        padding = int(self.mask.any(dim=0).int().argmax())
        if padding:
            self.mask = self.mask[:, padding:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[..., padding:, :], layer.values[..., padding:, :]


def _pad_left(values: Any, axis: int, width: int) -> Any:
    import torch

    missing = width - values.shape[axis]
    return torch.nn.functional.pad(values, (0, 0) * (-axis - 1) + (missing, 0)) if missing else values


def shared_prefix(prompts: Sequence[Tokens]) -> Tokens:
    """Return the longest common prefix of all prompts that leaves at least one token of each prompt."""
    # A prefix of both the smallest and the largest prompt in lexicographic order is one of all prompts.
    least, most = min(prompts, default=[])[:-1], max(prompts, default=[])
    longest = min((len(prompt) for prompt in prompts), default=1) - 1
    pairs = zip(least[:longest], most, strict=False)
    return [token for token, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]


def batches_by_length(prompts: Sequence[Tokens], batch_size: int) -> Iterator[list[int]]:
    """Yield batches of prompt indices, sorted by prompt length.

    The longest prompts come first, so that a lack of memory shows at the start.
    """
    order = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place]), place))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def answer_prompts(
    answer_batches: Callable[[Sequence[Sequence[Tokens]]], Iterable[tuple[int, list[GeneratedAnswer]]]],
    prompts: Sequence[Tokens],
    batch_size: int,
    report_progress: Callable[[int], None],
) -> list[GeneratedAnswer]:
    """Return the answers to all prompts, in the order of the prompts.

    The batches depend only on the prompts and `batch_size`. Answers therefore do not depend on the worker that computes
    them.

    Args:
        answer_batches: Function that answers batches, and yields the number and the answers of each batch in any order.
        prompts: Prompts as tokens.
        batch_size: Maximum number of prompts in a batch.
        report_progress: Function that is called after each batch with the number of prompts answered so far.
    """
    batches, answers = list(batches_by_length(prompts, batch_size)), dict[int, GeneratedAnswer]()
    for number, batch_answers in answer_batches([[prompts[place] for place in places] for places in batches]):
        answers |= zip(batches[number], batch_answers, strict=True)
        report_progress(len(answers))
    return [answers[place] for place in range(len(prompts))]


def find_stop_tokens(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """Return the stop tokens: the end tokens of the tokenizer and the model, and the chat template's end-of-turn token.

    `generation_config` is the model's GenerationConfig.
    """
    configured = generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
    return frozenset(token for token in {*ends, _template_stop_token(tokenizer)} if token is not None)


def _template_stop_token(tokenizer: Any) -> int | None:
    words = "words"
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": words}]
    _, _, after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(words)
    tokens = tokenizer.encode(after.lstrip(), add_special_tokens=False)
    # `all_special_ids` has only tokens with a role, such as eos.
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return tokens[0] if tokens and tokens[0] in special else None
