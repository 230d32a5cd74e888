"""The model with its loss on the target alone, and nothing computed that this loss does not need.

Measured with the default model on one core, BANKING77 rows of 53 tokens, bf16, tokens of whole rows per second:

    transformers' own loss                                   274
    the vocabulary projected at positions before a target    377
    and attention written out for short rows                 500
    and the prompt's common beginning computed once          900
"""

from typing import Any

import torch
from torch import nn

from tasks.core.params.training import Training
from tasks.stages.train.rows.batches import Batch
from tasks.stages.train.sequence import Part, Together, Whole

SHORT = 192
"""Tokens up to which written-out attention is faster than PyTorch's fused kernel on a CPU, whose backward pass is slow
for short rows: 16 rows of 53 tokens, 7 ms a layer against 19; of 128, 30 against 47; of 512, 135 against 84."""


class TargetLoss(nn.Module):
    """Wraps a causal model; calling it gives the summed cross-entropy over a batch's targets."""

    def __init__(self, model: Any, attention: str | None = None, together: Together | None = None) -> None:
        """`attention`: what transformers calls it; None: what is faster on a CPU for the length of the rows.
        `together`: the workers that take a pass together; without them none takes parts."""
        super().__init__()
        self.model, self.attention, self.together = model, attention, together
        self.random = bool(getattr(model.config, "attention_dropout", 0)) or any(
            isinstance(it, nn.Dropout) and it.p > 0 for it in model.modules()
        )
        """Dropout is drawn."""
        self._predicts: torch.Tensor | None = None
        """Where the head is needed; None, outside a call of this module: everywhere."""
        # A hook, not a call of decoder and head in turn: models scale or cap their logits after the head.
        model.get_output_embeddings().register_forward_pre_hook(self._keep_needed)

    def _keep_needed(self, _head: nn.Module, arguments: tuple[Any, ...]) -> tuple[torch.Tensor]:
        hidden: torch.Tensor = arguments[0]
        return (hidden if self._predicts is None else hidden[self._predicts],)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Sum over targets, fp32 scalar; 0, with gradients of 0, where a batch has none. Of a part, over its own."""
        short = batch.prefix.shape[0] + batch.tokens.shape[1] <= SHORT and not isinstance(batch, Part)
        self._attend(self.attention or ("eager" if short else "sdpa"))
        whole = {"whole": self._whole(batch)} if isinstance(batch, Part) else {}
        past = self._read_prefix(batch) if batch.prefix.numel() else None
        self._predicts = batch.predicts
        logits = self.model(
            input_ids=batch.tokens, position_ids=batch.positions, cache=past, use_cache=past is not None, **whole
        ).logits
        self._predicts = None
        return nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum")

    def _whole(self, part: Part) -> Whole:
        assert self.together, "parts are taken together"
        return self.together.whole(part, self.model)

    def _attend(self, implementation: str) -> None:
        if self.model.config._attn_implementation != implementation:  # setting it walks through all modules
            self.model.set_attn_implementation(implementation)

    def _read_prefix(self, batch: Batch) -> Any:
        """Keys and values of the common prefix, once for all rows; gradients flow back through them."""
        from transformers import DynamicCache

        past = DynamicCache(config=self.model.config)
        self._predicts = torch.zeros(1, len(batch.prefix), dtype=torch.bool, device=batch.prefix.device)
        self.model(input_ids=batch.prefix[None], cache=past, use_cache=True)
        past.batch_repeat_interleave(len(batch.tokens))
        return past


def can_share_prefix(module: TargetLoss, training: Training) -> bool:
    """Whether one computation of a prefix serves all rows: full attention, nothing random, nothing computed twice, and
    whole rows. Not where layers are compiled: each would be anew, with its own place in the cache of the prefix.

    Tried on CPUs only; on GPUs a second pass over the layers may cost more than it saves.
    """
    kinds = getattr(module.model.config, "layer_types", None) or []
    plain = not module.random and not training.gradient_checkpointing and not training.packed
    plain = plain and training.sequence_parallel == 1 and training.kernels != "compiled"
    return training.device == "cpu" and plain and all(kind == "full_attention" for kind in kinds)
