"""Verification of an optimizer step: its rows, the gradients from autograd, and the optimizer's state afterwards."""

from typing import Any

import torch
from torch import distributed

from tasks.core.errors import Refused
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train.rows.batches import Batch
from tasks.stages.train.rows.order import Rows
from tasks.stages.train.verification import engine_state

GRADIENT_TOLERANCE = {"fp32": 1e-3, "bf16": 0.03}
"""Maximum relative difference between the optimizer's and autograd's gradient, by precision. It allows for rounding."""

MIN_GRADIENT_SHARE = 1e-4
"""Smallest size of a gradient, relative to the optimizer's running mean, that is not lost in rounding."""


class StepSums:
    """Sums of a step's loss, target tokens and rows over all workers. They are compared with the expected values."""

    def __init__(self, device: Any, workers_per_group: int = 1) -> None:
        self._together = workers_per_group
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)

    def add(self, loss: torch.Tensor, batch: Batch, rows: Rows) -> None:
        own = [0.0, batch.targets.numel(), len(rows), float((rows + 1).sum())]
        self._sums += torch.tensor(own, dtype=torch.float64, device=self._sums.device)
        self._sums[0] += loss.detach()  # on the device, since reading it would wait for the pass

    def verify_sums(self, number: int, rows: Rows, target_count: int) -> float:
        """Return the loss summed over all workers.

        Raises:
            Refused: The workers have not computed exactly the rows of the step.
        """
        if distributed.get_world_size() > 1:
            distributed.all_reduce(self._sums)
        loss, *seen = self._sums.tolist()
        seen[1:] = (it / self._together for it in seen[1:])
        wanted = [target_count, len(rows), float((rows + 1).sum())]
        if seen != wanted:
            raise Refused(
                f"step {number + 1} has {len(rows)} rows with {target_count} target tokens, and {seen[1]:.0f} rows "
                f"with {seen[0]:.0f} were computed"
                + ("" if seen[1] != len(rows) else ", not each of them once")
                + "; rows were left out or taken twice; report it"
            )
        return float(loss)


class FirstStepCheck:
    """Verification of the first optimizer step after training begins or is resumed."""

    def __init__(self, engine: Any, training: Training, is_first_step: bool) -> None:
        """Start to record gradients.

        Args:
            engine: DeepSpeed engine with the model.
            training: Parameters of the training run.
            is_first_step: Whether no step has been taken before, so the optimizer has no state.
        """
        self.engine, self.training = engine, training
        self.weights = engine_state.trained_weights(engine)
        self._has_gradient: dict[str, bool] = {}
        self._scale = torch.ones(())
        self._sum: torch.Tensor | None = None
        self._chosen, self._weight = engine_state.choose_probe_weight(engine, training)
        self._before = None if is_first_step else engine_state.first_moment(engine, self._weight)
        self._hooks = [
            it.register_hook(lambda gradient, name=name: self._record_gradient(name, gradient))
            for name, it in self.weights.items()
        ]

    def record_loss_scale(self, loss: torch.Tensor) -> None:
        """Record the factor by which the engine scales `loss`. This method must be called before the backward pass."""

        def keep(gradient: torch.Tensor) -> None:
            self._scale = gradient.detach().clone()

        loss.register_hook(keep)

    def _record_gradient(self, name: str, gradient: torch.Tensor) -> None:
        self._has_gradient[name] = self._has_gradient.get(name, False) or bool((gradient != 0).any())
        if name == self._chosen:
            plain = gradient.detach().float() / self._scale
            self._sum = plain if self._sum is None else self._sum + plain

    def verify_step(self, target_count: int) -> None:
        """Verify the optimizer step after it was taken.

        Args:
            target_count: Number of target tokens in the step.

        Raises:
            Refused: A weight did not learn, or the gradient was not that of the mean loss per target token.
        """
        for hook in self._hooks:
            hook.remove()
        self._require_gradients()
        moment = engine_state.first_moment(self.engine, self._weight)
        if moment is None:
            raise Refused(f"the optimizer does not hold {self._chosen}, so it would never learn; report it")
        assert self._sum is not None
        if distributed.get_world_size() > 1:
            distributed.all_reduce(self._sum)
        norm = float(self.engine.get_global_grad_norm())
        clipped = min(1.0, self.training.max_grad_norm / (norm + 1e-6))
        gradient = self._sum.reshape(-1) / target_count * clipped
        before = torch.zeros_like(gradient) if self._before is None else self._before
        wanted, fresh = (1 - engine_state.ADAM_BETA1) * gradient, moment - engine_state.ADAM_BETA1 * before
        apart = float((fresh - wanted).norm() / max(wanted.norm(), MIN_GRADIENT_SHARE * before.norm()))
        if not apart <= GRADIENT_TOLERANCE[self.training.precision]:
            size = float(fresh.norm() / wanted.norm())
            rounded = self.training.precision == "bf16" and self.training.zero_stage == 0
            hint = "set training.zero_stage to 1, which sums passes in fp32" if rounded else (
                "use the versions of constraints.txt, and report it"
            )  # fmt: skip
            raise Refused(
                f"a step moved {self._chosen} by another gradient than that of the mean loss per target token "
                f"({size:.4g} times as large, {apart:.2g} of it apart): passes or workers are not added up as they "
                f"should be; {hint}"
            )

    def _require_gradients(self) -> None:
        """Verify that each weight has a gradient on at least one worker.

        An individual worker may have received no rows, and then has no gradients.
        """
        has_gradient = torch.tensor(
            [float(self._has_gradient.get(name, False)) for name in self.weights], device=self.engine.device
        )
        if distributed.get_world_size() > 1:
            distributed.all_reduce(has_gradient, op=distributed.ReduceOp.MAX)
        adapter = methods.get_method(self.training.method).adapter
        idle = [
            name
            for name, has in zip(self.weights, has_gradient.tolist(), strict=True)
            if not has and not (adapter and adapter.has_zero_gradient_at_start(name))
        ]
        if idle and has_gradient.any():
            raise Refused(
                f"{len(idle)} of {len(self.weights)} trained weights got no gradient in the first step, {idle[0]} "
                "among them; they take no part in the loss. Name the modules that do in training.lora_targets"
            )
        if not has_gradient.any():
            raise Refused("no trained weight got a gradient in the first step: the adapter is not active; report it")
