"""Sequence parallelism: several workers share a forward pass, and each computes its part of every row.

The method is Ulysses (arXiv:2309.14509) in DeepSpeed's implementation. All layers except attention process tokens
independently. For attention, the workers exchange tensors: each worker gives away its part of all heads and receives
whole rows of some heads. Gradients are exchanged in reverse, so each worker has the gradient of all losses with respect
to its part. The gradient of a step is the sum over all workers, as usual, and the engine needs no change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import torch
from torch import distributed

from tasks.core.errors import InputError
from tasks.core.params.training import Training
from tasks.stages.train.model import builders
from tasks.stages.train.rows.batches import Batch


@dataclass(frozen=True)
class BatchPart(Batch):
    """One worker's part of a batch. A target is in the same part as the token before it."""

    whole_positions: torch.Tensor
    """Positions of all tokens in their rows. Shape [sequences, length of all parts], int64."""


@dataclass(frozen=True)
class PassGroup:
    """Workers that share a forward pass: as many as `training.sequence_parallel`, with consecutive ranks."""

    size: int
    group_index: int
    """Index of the group of rows that these workers compute in a forward pass."""
    part_index: int
    process_group: Any = None

    @classmethod
    def of_this_worker(cls, training: Training) -> Self:
        """Return the group of this worker. All workers have to call this method at the same point."""
        size = training.sequence_parallel
        group, place = divmod(distributed.get_rank(), size)
        if size == 1:
            return cls(size, group, place)
        _replace_attentions()
        patience = timedelta(seconds=builders.worker_timeout_seconds(training))
        return cls(size, group, place, distributed.new_subgroups(size, timeout=patience)[0])

    def require_supported_model(self, model: Any) -> None:
        """Verify that the workers can share the attention of the base model.

        Raises:
            InputError: The base model has its own attention implementation, which would see only one part of a row.
        """
        if self.size > 1 and not getattr(model, "_supports_attention_backend", False):
            raise InputError(
                f"training.sequence_parallel {self.size} needs the attention of transformers, and models of type "
                f"{model.config.model_type} have their own; set it to 1"
            )

    def own_part(self, batch: Batch) -> Batch:
        """Return this worker's part of a batch.

        The last part is padded if necessary, so that all parts have the same length.
        """
        if self.size == 1:
            return batch
        tokens, positions, predicts = batch.tokens, batch.positions, batch.predicts_target
        following = torch.zeros_like(tokens).masked_scatter(predicts, batch.targets)
        more = -tokens.shape[1] % self.size
        tokens, predicts, following = (
            torch.nn.functional.pad(it, (0, more)) for it in (tokens, predicts, following)
        )  # fmt: skip
        positions = torch.cat([positions, positions[:, -1:] + torch.arange(1, more + 1, device=tokens.device)], dim=1)
        tokens, own, predicts, following = (
            it.chunk(self.size, dim=1)[self.part_index] for it in (tokens, positions, predicts, following)
        )
        return BatchPart(batch.prefix, tokens, own, predicts, following[predicts], positions)

    def total_loss(self, loss: torch.Tensor) -> float:
        loss = loss.detach().clone()
        if self.size > 1:
            distributed.all_reduce(loss, group=self.process_group)
        return float(loss)

    def whole_rows(self, part: BatchPart, model: Any) -> "WholeRows":
        from transformers.masking_utils import create_masks_for_generate

        like = torch.empty((*part.whole_positions.shape, 0), dtype=model.dtype, device=part.whole_positions.device)
        masks = create_masks_for_generate(
            config=model.config, inputs_embeds=like, attention_mask=None, cache=None, position_ids=part.whole_positions
        )
        return WholeRows(self.process_group, part.whole_positions, masks)


@dataclass(frozen=True, eq=False)
class WholeRows:
    process_group: Any
    positions: torch.Tensor
    """Positions of all tokens in their rows. Shape [sequences, length of all parts], int64."""
    masks: Any
    """Attention masks in the form of transformers: one mask, or a dictionary with a mask for each kind of layer."""

    def mask_of_layer(self, layer: Any) -> Any:
        if not isinstance(self.masks, dict):
            return self.masks
        return self.masks[layer.config.layer_types[layer.layer_idx]]


SUPPORTED_ATTENTIONS = ("sdpa", "flash_attention_2")
"""Names of the attention implementations in transformers that several workers can share."""
PER_HEAD_OPTIONS = ("s_aux", "position_bias")


@dataclass(frozen=True)
class UlyssesAttention:
    """Attention of transformers, computed by several workers. Without the argument `whole`, one worker computes it."""

    single_worker_attention: Callable[..., Any]

    def __call__(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Any,
        *,
        whole: WholeRows | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        """Return the output of the attention.

        Shapes: `query`, `key` and `value` [sequences, heads, length, width], result [sequences, length, heads, width].
        """
        if whole is None:
            made: tuple[torch.Tensor, None] = self.single_worker_attention(
                layer, query, key, value, attention_mask, **options
            )
            return made
        from deepspeed.sequence.layer import DistributedAttention

        if foreign := [name for name in PER_HEAD_OPTIONS if options.get(name) is not None]:
            raise InputError(
                f"the base model's attention has {foreign[0]} for each head, which is not parted; set "
                "training.sequence_parallel to 1"
            )
        options |= {"position_ids": whole.positions}

        def attend(*given: torch.Tensor) -> torch.Tensor:
            heads = (it.transpose(1, 2) for it in given)
            made: torch.Tensor = self.single_worker_attention(layer, *heads, whole.mask_of_layer(layer), **options)[0]
            return made

        over = DistributedAttention(attend, whole.process_group, scatter_idx=2, gather_idx=1)
        return over(*(it.transpose(1, 2) for it in (query, key, value)), 0), None


def _replace_attentions() -> None:
    """Replace the attention functions that transformers has registered.

    They are not registered under new names, because transformers compares names with the original ones in many places.
    """
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

    for name in SUPPORTED_ATTENTIONS:
        core = ALL_ATTENTION_FUNCTIONS[name]
        if not isinstance(core, UlyssesAttention):
            AttentionInterface.register(name, UlyssesAttention(core))
