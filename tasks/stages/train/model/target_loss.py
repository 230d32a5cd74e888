"""Model with a loss over target tokens only, without the computations that this loss does not need.

Speed in tokens of prompts and targets per second, measured with the default model in bf16 on one core, for BANKING77
rows of 53 tokens. Each line includes the improvements above it:

    loss of transformers                                     274
    logits only at positions before a target                 377
    eager attention for short rows                           500
    common prefix of the prompts computed once               900
"""

from typing import Any

import torch
from torch import nn

from tasks.core.params.training import Training
from tasks.stages.train.model import shared_prefix
from tasks.stages.train.model.sequence_parallel import BatchPart, PassGroup, WholeRows
from tasks.stages.train.rows.batches import Batch

MAX_EAGER_TOKENS = 192
"""Maximum number of tokens in a row for which eager attention is used on a CPU. PyTorch's fused attention has a slow
backward pass for short rows. For 16 rows, eager and fused attention take 7 and 19 ms per layer with 53 tokens in a row,
30 and 47 ms with 128 tokens, and 135 and 84 ms with 512 tokens."""


class TargetLoss(nn.Module):
    """Wrapper of a causal language model that returns the cross-entropy summed over a batch's targets."""

    def __init__(self, model: Any, attention: str | None = None, pass_group: PassGroup | None = None) -> None:
        """Wrap a model.

        Args:
            model: Causal language model of transformers.
            attention: transformers' name of the attention; None, on a CPU, to select the faster one by the length of
                the rows.
            pass_group: Workers that share a forward pass; None if each worker computes whole rows.
        """
        super().__init__()
        self.model, self.attention, self.together = model, attention, pass_group
        self.has_dropout = bool(getattr(model.config, "attention_dropout", 0)) or any(
            isinstance(it, nn.Dropout) and it.p > 0 for it in model.modules()
        )
        self._predicts: torch.Tensor | None = None
        """Mask of the positions at which the output head is computed; None for all positions, as outside a call of this
        module."""
        # A hook instead of calls of decoder and head, because some models scale or cap their logits after the head.
        model.get_output_embeddings().register_forward_pre_hook(self._select_predicting)

    def _select_predicting(self, _head: nn.Module, arguments: tuple[Any, ...]) -> tuple[torch.Tensor]:
        hidden: torch.Tensor = arguments[0]
        return (hidden if self._predicts is None else hidden[self._predicts],)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the loss summed over the targets, as an fp32 scalar.

        For a batch without targets, the loss and its gradients are 0. For a `BatchPart`, the loss covers the targets of
        this part.
        """
        short = batch.prefix.shape[0] + batch.tokens.shape[1] <= MAX_EAGER_TOKENS and not isinstance(batch, BatchPart)
        implementation = self.attention or ("eager" if short else "sdpa")
        more: dict[str, Any] = {"whole": self._whole_rows(batch)} if isinstance(batch, BatchPart) else {}
        if shared := batch.prefix.numel():
            implementation, more = shared_prefix.register_prefix_attention(implementation), {"over": "rows"}
        self._set_attention(implementation)
        if shared:
            self._predicts = torch.zeros(1, shared, dtype=torch.bool, device=batch.prefix.device)
            self.model(input_ids=batch.prefix[None], use_cache=False, over="prefix")
        self._predicts = batch.predicts_target
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

    The result equals `cross_entropy(logits.float(), targets, reduction="sum")`. The backward pass of that function
    creates two more fp32 tensors of the logits' size. Here, the tensor that the forward pass saves becomes the
    gradient.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss as an fp32 scalar.

        Shapes: `logits` [targets, vocabulary], `targets` [targets] of type int64.
        """
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
    """Return whether the common prefix of rows can be computed once for all of them.

    This requires a model that supports it, no dropout, no gradient checkpointing, and rows that are neither packed nor
    shared between workers. It also requires a CPU. On GPUs, where this was not measured, the second pass over the
    layers may cost more than it saves.
    """
    plain = not module.has_dropout and not training.gradient_checkpointing and not training.uses_packed_layout
    plain = plain and training.sequence_parallel == 1 and training.device == "cpu"
    return plain and shared_prefix.supports_prefix(module.model)
