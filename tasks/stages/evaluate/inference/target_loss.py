"""Loss of a model on targets that follow prompts, in batches. Targets of one prompt share its key-value cache."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tasks.stages.evaluate.decode import Decoder, StopConditions, Tokens, shared_prefix

PromptAndTarget = tuple[Tokens, Tokens]
"""Tokens of a prompt, at least one, and of the target that follows it, at least one."""
MAX_TARGET_TOKENS = 2048
"""Maximum number of target tokens in a batch, with padding. Each has a logit for every token of the vocabulary."""


def measure_losses(
    measure_batches: Callable[[Sequence[Sequence[PromptAndTarget]]], Iterable[tuple[int, list[float]]]],
    pairs: Sequence[PromptAndTarget],
    batch_size: int,
    report_progress: Callable[[int], None],
) -> list[float]:
    """Return the cross-entropy of each target in nats, in the order of `pairs`.

    Args:
        measure_batches: Function that measures batches, and yields the number and the losses of each batch in any
            order.
        pairs: Prompts with their targets.
        batch_size: Maximum number of different prompts in a batch.
        report_progress: Function that is called after each batch with the number of targets measured so far.
    """
    batches, losses = list(divide_into_batches(pairs, batch_size)), dict[int, float]()
    for number, measured in measure_batches([[pairs[place] for place in places] for places in batches]):
        losses |= zip(batches[number], measured, strict=True)
        report_progress(len(losses))
    return [losses[place] for place in range(len(pairs))]


def divide_into_batches(pairs: Sequence[PromptAndTarget], batch_size: int) -> Iterator[list[int]]:
    """Yield batches of indices. Targets of the same prompt are together, and other prompts have similar lengths."""
    order = sorted(range(len(pairs)), key=lambda place: (-len(pairs[place][0]), pairs[place][0], place))
    by_prompt = [list(places) for _, places in itertools.groupby(order, key=lambda place: pairs[place][0])]
    for places in (each for each in by_prompt if len(each) > 1):
        yield from _limit_tokens(pairs, places, len(places))
    yield from _limit_tokens(pairs, [place for places in by_prompt if len(places) == 1 for place in places], batch_size)


def _limit_tokens(pairs: Sequence[PromptAndTarget], places: list[int], most: int) -> Iterator[list[int]]:
    batch, longest = list[int](), 0
    for place in places:
        longest = max(longest, len(pairs[place][1]))
        if batch and (len(batch) == most or (len(batch) + 1) * longest > MAX_TARGET_TOKENS):
            yield batch
            batch, longest = [], len(pairs[place][1])
        batch.append(place)
    if batch:
        yield batch


def measure_batch(model: Any, batch: Sequence[PromptAndTarget]) -> list[float]:
    """Return the cross-entropy of each target of one batch in nats. The common prefix of the prompts is read once."""
    import torch

    decoder = Decoder(model, shared_prefix([prompt for prompt, _ in batch]), StopConditions(frozenset(), 1))
    inputs = [[*prompt[len(decoder.prefix) :], *target[:-1]] for prompt, target in batch]
    width, kept = max(map(len, inputs)), max(len(target) for _, target in batch)
    with torch.inference_mode():
        # Padding on the left is masked and not counted in positions, so it can be any token.
        padded = torch.tensor([[0] * (width - len(row)) + row for row in inputs], device=model.device)
        real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in inputs], device=model.device)
        shared = torch.ones(len(batch), len(decoder.prefix), dtype=real.dtype, device=model.device)
        mask = torch.cat([shared, real], dim=1)
        logits = model(
            padded,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, len(decoder.prefix) :],
            cache=decoder.cache_for(len(batch)),
            use_cache=True,
            logits_to_keep=torch.arange(-kept, 0, device=model.device),
        ).logits
        return [
            float(
                torch.nn.functional.cross_entropy(
                    row[kept - len(target) :].float(), torch.tensor(target, device=model.device), reduction="sum"
                )
            )
            for row, (_, target) in zip(logits, batch, strict=True)
        ]
