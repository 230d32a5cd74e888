"""What a step really did, seen from below: the rows that went through the model, the gradients that autograd gave, what
the optimizer holds afterwards."""

from typing import Any

import torch
from torch import distributed

from tasks.core.errors import Refused
from tasks.core.params.training import Training
from tasks.stages.train.rows.batches import Batch
from tasks.stages.train.rows.order import Rows

NEAR = {"fp32": 1e-3, "bf16": 0.03}
"""Of a gradient: how far rounding takes what the optimizer holds from what autograd gave, at most."""
MEMORY = 0.9
"""Adam's first beta: after one step it holds 1 - 0.9 of the gradient."""


class Tally:
    """What all workers together computed in a step; to be compared with what the step is."""

    def __init__(self, device: Any) -> None:
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)

    def add(self, loss: torch.Tensor, batch: Batch, rows: Rows) -> None:
        """One pass of this worker."""
        own = [0.0, batch.targets.numel(), len(rows), float((rows + 1).sum())]
        self._sums += torch.tensor(own, dtype=torch.float64, device=self._sums.device)
        self._sums[0] += loss.detach()  # on the device: to read it would wait for the pass

    def close(self, number: int, rows: Rows, targets: int) -> float:
        """The summed loss of all workers. Raises Refused where other rows were computed than the step has."""
        if distributed.get_world_size() > 1:
            distributed.all_reduce(self._sums)
        loss, *seen = self._sums.tolist()
        wanted = [targets, len(rows), float((rows + 1).sum())]
        if seen != wanted:
            raise Refused(
                f"step {number + 1} has {len(rows)} rows with {targets} target tokens, and {seen[1]:.0f} rows with "
                f"{seen[0]:.0f} were computed"
                + ("" if seen[1] != len(rows) else ", not each of them once")
                + "; rows were left out or taken twice. Set training.workers to 1 and report it"
            )
        return float(loss)


class FirstStep:
    """Watches the first optimizer step of a training that begins."""

    def __init__(self, engine: Any, training: Training) -> None:
        self.engine, self.training = engine, training
        self.weights = {name: it for name, it in engine.module.model.named_parameters() if it.requires_grad}
        self._met: dict[str, bool] = {}
        self._scale = torch.ones(())
        self._sum: torch.Tensor | None = None
        self._chosen = min(self.weights, key=self._size)
        self._hooks = [
            it.register_hook(lambda gradient, name=name: self._take(name, gradient))
            for name, it in self.weights.items()
        ]

    def _size(self, name: str) -> tuple[bool, int]:
        """The smallest weight that has a gradient from the first step on: of LoRA's pair, B; A's is 0, as B is."""
        weight = self.weights[name]
        return ("lora_A" in name, int(getattr(weight, "ds_numel", weight.numel())))

    def take_pass(self, loss: torch.Tensor) -> None:
        """Before the backward pass over a summed loss: what it will be scaled by is seen by the loss itself."""

        def keep(gradient: torch.Tensor) -> None:
            self._scale = gradient.detach().clone()

        loss.register_hook(keep)

    def _take(self, name: str, gradient: torch.Tensor) -> None:
        self._met[name] = self._met.get(name, False) or bool((gradient != 0).any())
        if name == self._chosen:
            plain = gradient.detach().float() / self._scale
            self._sum = plain if self._sum is None else self._sum + plain

    def close(self, targets: int) -> None:
        """After the optimizer's step over `targets` tokens. Raises Refused where weights did not learn, or from
        something else than the mean gradient of the loss per target token."""
        for hook in self._hooks:
            hook.remove()
        self._require_gradients()
        held = self._held()
        assert self._sum is not None
        if distributed.get_world_size() > 1:
            distributed.all_reduce(self._sum)
        norm = float(self.engine.get_global_grad_norm())
        clipped = min(1.0, self.training.max_grad_norm / (norm + 1e-6))
        wanted = self._sum.reshape(-1) / targets * clipped
        apart = float((held - wanted).norm() / wanted.norm())
        if not apart <= NEAR[self.training.precision]:
            size = float(held.norm() / wanted.norm())
            raise Refused(
                f"the first step moved {self._chosen} by another gradient than that of the mean loss per target token "
                f"({size:.4g} times as large, {apart:.2g} of it apart): passes or workers are not added up as they "
                "should be. Use the versions of constraints.txt, and report it"
            )

    def _require_gradients(self) -> None:
        """Of this worker's passes: one without rows learns from none, and says nothing."""
        idle = [name for name in self.weights if "lora_A" not in name and not self._met.get(name)]
        if idle and any(self._met.values()):
            raise Refused(
                f"{len(idle)} of {len(self.weights)} trained weights got no gradient in the first step, {idle[0]} "
                "among them; they take no part in the loss. Name the modules that do in training.lora_targets"
            )
        if not any(self._met.values()) and distributed.get_world_size() == 1:
            raise Refused("no trained weight got a gradient in the first step: the adapter is not active; report it")

    def _held(self) -> torch.Tensor:
        """Adam's running mean of the chosen weight, put together from all workers, as a flat gradient."""
        from deepspeed.utils import safe_get_full_optimizer_state

        weight = self.weights[self._chosen]
        held = safe_get_full_optimizer_state(weight, "exp_avg")
        if held is None:  # without ZeRO torch's own optimizer has it, in bf16 that of a copy in fp32
            outer = self.engine.optimizer
            pairs = zip(getattr(outer, "fp16_groups", []), getattr(outer, "fp32_groups", []), strict=True)
            copies = {id(low): high for lows, highs in pairs for low, high in zip(lows, highs, strict=True)}
            state = self.engine.basic_optimizer.state.get(copies.get(id(weight), weight), {})
            held = state.get("exp_avg")
        if held is None:
            raise Refused(f"the optimizer does not hold {self._chosen}, so it would never learn; report it")
        return held.detach().float().reshape(-1) / (1 - MEMORY)
