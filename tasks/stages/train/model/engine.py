"""DeepSpeed engine around the model to train."""

import sys
from typing import Any

import torch

from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train.job import Job
from tasks.stages.train.model import builders, kernels, lora_products, machine_requirements, packed_mask
from tasks.stages.train.model.sequence_parallel import PassGroup
from tasks.stages.train.model.target_loss import TargetLoss
from tasks.stages.train.verification.trained_modules import (
    linear_layer_shapes,
    require_lora_targets,
    require_trained_weights,
)

REPACKING_ATTRIBUTE = "support_avx512bf16_for_cpu"
"""Name of the attribute that allows bitsandbytes' 4-bit layers to repack their weights for avx512_bf16."""


def import_deepspeed() -> None:
    """Import DeepSpeed without MLflow, an optional dependency that takes a fifth of a worker's import time."""
    hidden = "mlflow" not in sys.modules
    if hidden:
        sys.modules["mlflow"] = None  # type: ignore[assignment]  # makes Python report that there is no such module
    try:
        import deepspeed  # noqa: F401
    finally:
        if hidden:
            del sys.modules["mlflow"]


def create_engine(job: Job, loads_universal: bool = False) -> Any:
    """Load the base model, add the adapter if the training method has one, and return the DeepSpeed engine.

    Args:
        job: Parameters and paths of the training run.
        loads_universal: Whether the engine will load a universal checkpoint (`recovery/universal_checkpoint.py`).
    """
    import_deepspeed()
    import deepspeed

    # DeepSpeed would compile its shared-memory communication on first use; torch's needs no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    torch.manual_seed(job.training.seed)
    together = PassGroup.of_this_worker(job.training)
    loaded = load_model(job)
    together.require_supported_model(loaded)
    model = TargetLoss(loaded, builders.attention_implementation(job.training), together)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    config, optimizer = (
        builders.deepspeed_config(job.training, loads_universal),
        builders.build_optimizer(job.training, trained),
    )
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    keep_gradient_norm(engine)
    # Without ZeRO, DeepSpeed's bf16 optimizer initialises its state by a step with gradients of 0. Adam would count it
    # and make the first real steps a quarter smaller.
    for state in optimizer.state.values():
        state["step"].zero_()
    return engine


def keep_gradient_norm(engine: Any) -> None:
    """Make DeepSpeed keep the norm of the gradient. In fp32 without ZeRO, it would discard the norm after clipping."""
    from deepspeed.runtime.utils import clip_grad_norm_

    def clip() -> None:
        norm = clip_grad_norm_(engine.module.parameters(), engine.gradient_clipping())
        engine._global_grad_norm = norm

    engine.clip_fp32_gradients = clip


def forbid_weight_repacking(model: Any) -> None:
    """Stop 4-bit layers from repacking their weights.

    On a processor with avx512_bf16, a forward pass without gradients would repack the weights permanently, with scales
    in bf16. A validation would thus change the weights that are trained afterwards.
    """
    for module in model.modules():
        if hasattr(module, REPACKING_ATTRIBUTE):
            setattr(module, REPACKING_ATTRIBUTE, False)


def load_model(job: Job) -> Any:
    """Load the model to train, in the precision of the forward pass.

    With ZeRO 3, each worker holds only its part of each weight from the beginning.
    """
    from transformers import AutoModelForCausalLM
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    training = job.training
    machine_requirements.require_software(training)
    packed_mask.share_mask_among_layers()
    # transformers uses the newest live object of this class, so it has to live while the model is read.
    sharded = HfDeepSpeedConfig(builders.deepspeed_config(training)) if training.zero_stage == 3 else None
    dtype = torch.bfloat16 if training.precision == "bf16" else torch.float32
    attention = builders.attention_implementation(training) or "eager"
    model = AutoModelForCausalLM.from_pretrained(
        job.model,
        dtype=dtype,
        attn_implementation=attention,
        use_safetensors=True,
        quantization_config=builders.quantization_config(training),
    )
    del sharded
    forbid_weight_repacking(model)
    kernels.apply_kernels(model, training, job.scratch)
    require_lora_targets(model, training)
    if training.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    prepared = add_adapter(model, training).train()
    require_trained_weights(prepared, training)
    return prepared


def add_adapter(model: Any, training: Training) -> Any:
    """Add the adapter of the training method to the model, if the method has one. All other weights are then frozen."""
    adapter = methods.get_method(training.method).adapter
    if adapter is None:
        return model
    from peft import get_peft_model

    adapted = get_peft_model(
        model, adapter.build_config(training, linear_layer_shapes(model)), autocast_adapter_dtype=False
    )
    if training.zero_stage != 3:  # which gathers a layer's weights only when PEFT's layer is called
        lora_products.replace_lora_forward(adapted)
    return adapted
