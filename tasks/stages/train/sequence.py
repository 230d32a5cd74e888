"""One pass over several workers, each with its part of every sequence: Ulysses, arXiv:2309.14509, as DeepSpeed has it.

Layers work on each token by itself; attention alone needs them all. For it a worker gives away its part of all heads,
and gets the whole sequences of some heads. Gradients come back the same way, so that each worker has what the losses of
all want of its part. The gradient of a step remains the sum over all workers, and the engine need not know of this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import torch
from torch import distributed

from tasks.core.errors import InputError
from tasks.core.params.training import Training
from tasks.stages.train import builders
from tasks.stages.train.rows.batches import Batch


@dataclass(frozen=True)
class Part(Batch):
    """What one worker takes of a pass. A target belongs to the part with the token before it."""

    whole: torch.Tensor
    """[sequences, length of all parts] int64: the positions of the whole pass."""


@dataclass(frozen=True)
class Together:
    """The workers that take a pass together: one, or as many as `training.sequence_parallel`, with ranks in a row."""

    size: int
    group: int
    """Which of the groups of rows of a pass they take."""
    place: int
    """Which part of each row this worker takes."""
    workers: Any = None
    """Their process group; None where there is but one."""

    @classmethod
    def of(cls, training: Training) -> Self:
        """Of this worker. Every worker calls it, at the same place."""
        size = training.sequence_parallel
        group, place = divmod(distributed.get_rank(), size)
        if size == 1:
            return cls(size, group, place)
        _install()
        patience = timedelta(seconds=builders.patience_of_workers(training))
        return cls(size, group, place, distributed.new_subgroups(size, timeout=patience)[0])

    def require(self, model: Any) -> None:
        """Raises InputError for a base model whose attention is its own: it would see its part alone."""
        if self.size > 1 and not getattr(model, "_supports_attention_backend", False):
            raise InputError(
                f"training.sequence_parallel {self.size} needs the attention of transformers, and models of type "
                f"{model.config.model_type} have their own; set it to 1"
            )

    def mine(self, batch: Batch) -> Batch:
        """This worker's part of a pass. All parts are as long: the last is filled up, after every token."""
        if self.size == 1:
            return batch
        tokens, positions, predicts = batch.tokens, batch.positions, batch.predicts
        following = torch.zeros_like(tokens).masked_scatter(predicts, batch.targets)
        more = -tokens.shape[1] % self.size
        tokens, predicts, following = (
            torch.nn.functional.pad(it, (0, more)) for it in (tokens, predicts, following)
        )  # fmt: skip
        positions = torch.cat([positions, positions[:, -1:] + torch.arange(1, more + 1, device=tokens.device)], dim=1)
        tokens, own, predicts, following = (
            it.chunk(self.size, dim=1)[self.place] for it in (tokens, positions, predicts, following)
        )
        return Part(batch.prefix, tokens, own, predicts, following[predicts], positions)

    def total(self, loss: torch.Tensor) -> float:
        """The summed loss of all parts."""
        loss = loss.detach().clone()
        if self.size > 1:
            distributed.all_reduce(loss, group=self.workers)
        return float(loss)

    def whole(self, part: Part, model: Any) -> "Whole":
        """What the model's attention has to know of the whole pass."""
        from transformers.masking_utils import create_masks_for_generate

        like = torch.empty((*part.whole.shape, 0), dtype=model.dtype, device=part.whole.device)
        masks = create_masks_for_generate(
            config=model.config, inputs_embeds=like, attention_mask=None, cache=None, position_ids=part.whole
        )
        return Whole(self.workers, part.whole, masks)


@dataclass(frozen=True, eq=False)
class Whole:
    """A pass of which a worker holds a part, as attention must know it."""

    workers: Any
    """The process group."""
    positions: torch.Tensor
    """[sequences, length of all parts] int64."""
    masks: Any
    """As transformers makes them: one, or one by kind of layer."""

    def mask(self, layer: Any) -> Any:
        if not isinstance(self.masks, dict):
            return self.masks
        return self.masks[layer.config.layer_types[layer.layer_idx]]


IMPLEMENTATIONS = ("sdpa", "flash_attention_2")
"""The attentions of transformers that can be taken so, by its names."""
A_HEAD = ("s_aux", "position_bias")
"""Options of attention that hold something for each head."""


@dataclass(frozen=True)
class Ulysses:
    """An attention of transformers: the same where a call says nothing of a whole, else over several workers."""

    core: Callable[..., Any]

    def __call__(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Any,
        *,
        whole: Whole | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        """`query`, `key`, `value`: [sequences, heads, length, width]; gives [sequences, length, heads, width]."""
        if whole is None:
            made: tuple[torch.Tensor, None] = self.core(layer, query, key, value, attention_mask, **options)
            return made
        from deepspeed.sequence.layer import DistributedAttention

        if foreign := [name for name in A_HEAD if options.get(name) is not None]:
            raise InputError(
                f"the base model's attention has {foreign[0]} for each head, which is not parted; set "
                "training.sequence_parallel to 1"
            )
        options |= {"position_ids": whole.positions}

        def attend(*given: torch.Tensor) -> torch.Tensor:
            heads = (it.transpose(1, 2) for it in given)
            made: torch.Tensor = self.core(layer, *heads, whole.mask(layer), **options)[0]
            return made

        over = DistributedAttention(attend, whole.workers, scatter_idx=2, gather_idx=1)
        return over(*(it.transpose(1, 2) for it in (query, key, value)), 0), None


def _install() -> None:
    """Under the names that they have, since transformers asks in many places for the name."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface

    for name in IMPLEMENTATIONS:
        core = ALL_ATTENTION_FUNCTIONS[name]
        if not isinstance(core, Ulysses):
            AttentionInterface.register(name, Ulysses(core))
