"""The model inside a DeepSpeed engine."""

import sys
from typing import Any

import torch

from tasks.stages.train import builders, equipment, handling, kernels, masks
from tasks.stages.train.job import Job
from tasks.stages.train.proof.modules import require_targets, require_trained
from tasks.stages.train.sequence import Together
from tasks.stages.train.target_loss import TargetLoss

PACKS = "support_avx512bf16_for_cpu"
"""Where a 4-bit layer of bitsandbytes keeps whether it may lay its weights out for avx512_bf16."""


def import_deepspeed() -> None:
    """Import DeepSpeed without its optional MLflow, which takes a fifth of the time of a worker's imports."""
    hidden = "mlflow" not in sys.modules
    if hidden:
        sys.modules["mlflow"] = None  # type: ignore[assignment]  # Python's way to say that there is no such module
    try:
        import deepspeed  # noqa: F401
    finally:
        if hidden:
            del sys.modules["mlflow"]


def start(job: Job, universal: bool = False) -> Any:
    """The base model, with LoRA or whole, inside a DeepSpeed engine; `universal`: that will load such a checkpoint."""
    import_deepspeed()
    import deepspeed

    # DeepSpeed would compile its shared-memory communication on first use; torch's needs no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    torch.manual_seed(job.training.seed)
    together = Together.of(job.training)
    loaded = load_model(job)
    together.require(loaded)
    model = TargetLoss(loaded, builders.attention(job.training), together)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    config, optimizer = builders.deepspeed_config(job.training, universal), builders.optimizer(job.training, trained)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    keep_norm(engine)
    # DeepSpeed's bf16 optimizer without ZeRO makes its state by a step over gradients of 0. Adam would count it and
    # make the first real steps a quarter smaller.
    for state in optimizer.state.values():
        state["step"].zero_()
    return engine


def keep_norm(engine: Any) -> None:
    """Without ZeRO and in fp32 DeepSpeed clips the gradient and forgets its norm."""
    from deepspeed.runtime.utils import clip_grad_norm_

    def clip() -> None:
        norm = clip_grad_norm_(engine.module.parameters(), engine.gradient_clipping())
        engine._global_grad_norm = norm

    engine.clip_fp32_gradients = clip


def keep_quantised(model: Any) -> None:
    """On a processor with avx512_bf16 a pass without gradients would lay 4-bit weights out anew, for good and with
    scales in bf16. So a look at validation rows would change what is trained on."""
    for module in model.modules():
        if hasattr(module, PACKS):
            setattr(module, PACKS, False)


def load_model(job: Job) -> Any:
    """The model to train, its base in the precision of the forward pass.

    Under ZeRO 3 each worker holds its part of every weight from the moment that it is read.
    """
    from transformers import AutoModelForCausalLM
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    training = job.training
    equipment.require(training)
    masks.share()
    # transformers looks for the newest such object that is alive; this one is while the model is read.
    sharded = HfDeepSpeedConfig(builders.deepspeed_config(training)) if training.zero_stage == 3 else None
    dtype = torch.bfloat16 if training.precision == "bf16" else torch.float32
    attention = builders.attention(training) or "eager"
    model = AutoModelForCausalLM.from_pretrained(
        job.model,
        dtype=dtype,
        attn_implementation=attention,
        use_safetensors=True,
        quantization_config=builders.quantization_config(training),
    )
    del sharded
    keep_quantised(model)
    kernels.apply(model, training, job.scratch)
    require_targets(model, training)
    if training.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    prepared = handling.of(training.method).prepare(model, training).train()
    require_trained(prepared, training)
    return prepared
