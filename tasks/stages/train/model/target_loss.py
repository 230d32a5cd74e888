"""Model with a loss over target tokens only, without computations that this loss does not need.

Measured with the default model on one core, BANKING77 rows of 53 tokens, bf16, tokens of prompts and targets per
second:

    transformers' own loss                                   274
    logits only at positions before a target                 377
    and eager attention for short rows                       500
    and the common prefix of the prompts computed once       900
"""

from typing import Any

import torch
from torch import nn

from tasks.core.params.training import Training
from tasks.stages.train.model import shared_prefix
from tasks.stages.train.model.sequence_parallel import BatchPart, PassGroup, WholeRows
from tasks.stages.train.rows.batches import Batch

MAX_EAGER_TOKENS = 192
"""Maximum number of tokens in a row for which eager attention is used on a CPU. PyTorch's fused kernel has a slow
backward pass for short rows. Milliseconds per layer for 16 rows, eager and fused: 7 and 19 for rows of 53 tokens, 30
and 47 for 128, 135 and 84 for 512."""


class TargetLoss(nn.Module):
    """Wrapper of a causal language model that returns the cross-entropy summed over a batch's targets."""

    def __init__(self, model: Any, attention: str | None = None, together: PassGroup | None = None) -> None:
        """Wrap a model.

        Args:
            model: Causal language model of transformers.
            attention: Name of the attention in transformers; None for the faster one on a CPU by the length of the
                rows.
            together: Workers that share forward passes; None if each worker computes whole rows.
        """
        super().__init__()
        self.model, self.attention, self.together = model, attention, together
        self.has_dropout = bool(getattr(model.config, "attention_dropout", 0)) or any(
            isinstance(it, nn.Dropout) and it.p > 0 for it in model.modules()
        )
        self._predicts: torch.Tensor | None = None
        """Positions at which the output head is computed; None, outside a call of this module, for all."""
        # A hook instead of calls of decoder and head, because some models scale or cap their logits after the head.
        model.get_output_embeddings().register_forward_pre_hook(self._select_predicting)

    def _select_predicting(self, _head: nn.Module, arguments: tuple[Any, ...]) -> tuple[torch.Tensor]:
        hidden: torch.Tensor = arguments[0]
        return (hidden if self._predicts is None else hidden[self._predicts],)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the loss summed over targets, an fp32 scalar.

        It is 0, with gradients of 0, for a batch without targets. For a `BatchPart` it is the sum over the part's own
        targets.
        """
        short = batch.prefix.shape[0] + batch.tokens.shape[1] <= MAX_EAGER_TOKENS and not isinstance(batch, BatchPart)
        implementation = self.attention or ("eager" if short else "sdpa")
        more: dict[str, Any] = {"whole": self._whole_rows(batch)} if isinstance(batch, BatchPart) else {}
        if shared := batch.prefix.numel():
            implementation, more = shared_prefix.register_attention(implementation), {"over": "rows"}
        self._set_attention(implementation)
        if shared:
            self._predicts = torch.zeros(1, shared, dtype=torch.bool, device=batch.prefix.device)
            self.model(input_ids=batch.prefix[None], use_cache=False, over="prefix")
        self._predicts = batch.predicts
        logits = self.model(input_ids=batch.tokens, position_ids=batch.positions, use_cache=False, **more).logits
        self._predicts = None
        if shared:
            shared_prefix.remove_prefix(self.model)
        loss: torch.Tensor = SummedCrossEntropy.apply(logits, batch.targets)
        return loss

    def _whole_rows(self, part: BatchPart) -> WholeRows:
        assert self.together, "parts are taken together"
        return self.together.whole_rows(part, self.model)

    def _set_attention(self, implementation: str) -> None:
        if self.model.config._attn_implementation != implementation:  # setting it walks through all modules
            self.model.set_attn_implementation(implementation)
            assert self.model.config._attn_implementation == implementation, "transformers would only warn"


class SummedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy that needs less memory in the backward pass.

    Equal to `cross_entropy(logits.float(), targets, reduction="sum")`, whose backward pass makes two more fp32 tensors
    of the logits' size. Here the one tensor that is saved becomes the gradient.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return an fp32 scalar for `logits` [targets, vocabulary] and `targets` [targets] int64."""
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
    """Return whether the common prefix of rows may be computed once for all of them.

    The model has to support it, without dropout or gradient checkpointing, on whole rows that are not packed. It was
    tried on CPUs only: on GPUs a second pass over the layers may cost more than it saves.
    """
    plain = not module.has_dropout and not training.gradient_checkpointing and not training.packed
    plain = plain and training.sequence_parallel == 1 and training.device == "cpu"
    return plain and shared_prefix.supports_prefix(module.model)
