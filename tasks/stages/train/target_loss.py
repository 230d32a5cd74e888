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
from tasks.stages.train import prefix
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
        implementation = self.attention or ("eager" if short else "sdpa")
        more: dict[str, Any] = {"whole": self._whole(batch)} if isinstance(batch, Part) else {}
        if shared := batch.prefix.numel():
            implementation, more = prefix.attention(implementation), {"over": "rows"}
        self._attend(implementation)
        if shared:
            self._predicts = torch.zeros(1, shared, dtype=torch.bool, device=batch.prefix.device)
            self.model(input_ids=batch.prefix[None], use_cache=False, over="prefix")
        self._predicts = batch.predicts
        logits = self.model(input_ids=batch.tokens, position_ids=batch.positions, use_cache=False, **more).logits
        self._predicts = None
        if shared:
            prefix.forget(self.model)
        loss: torch.Tensor = SummedCrossEntropy.apply(logits, batch.targets)
        return loss

    def _whole(self, part: Part) -> Whole:
        assert self.together, "parts are taken together"
        return self.together.whole(part, self.model)

    def _attend(self, implementation: str) -> None:
        if self.model.config._attn_implementation != implementation:  # setting it walks through all modules
            self.model.set_attn_implementation(implementation)
            assert self.model.config._attn_implementation == implementation, "transformers would only warn"


class SummedCrossEntropy(torch.autograd.Function):
    """As `cross_entropy(logits.float(), targets, reduction="sum")`, which makes two more fp32 tensors of the logits'
    size on the way back. Here the one that is kept becomes the gradient."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """`logits`: [targets, vocabulary]; `targets`: [targets] int64; gives an fp32 scalar."""
        logarithms = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
        ctx.save_for_backward(logarithms, targets)
        ctx.dtype = logits.dtype
        return (-logarithms.gather(1, targets[:, None])).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        logarithms, targets = ctx.saved_tensors
        slope = logarithms.exp_()
        slope[torch.arange(len(targets), device=targets.device), targets] -= 1
        return slope.mul_(gradients[0]).to(ctx.dtype), None


def can_share_prefix(module: TargetLoss, training: Training) -> bool:
    """Whether one computation of a prefix serves all rows: a model that can be told of it, nothing random, nothing
    computed twice, and whole rows.

    Tried on CPUs only; on GPUs a second pass over the layers may cost more than it saves.
    """
    plain = not module.random and not training.gradient_checkpointing and not training.packed
    plain = plain and training.sequence_parallel == 1 and training.device == "cpu"
    return plain and prefix.can_be_shared(module.model)
