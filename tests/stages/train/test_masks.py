"""Packed rows: layers share one mask, and compute with it what they computed with their own."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from tasks.core.params.training import Training
from tasks.stages.train.model import packed_mask
from tasks.stages.train.preflight import memory, model_shape

TOKENS = 512


def computed(model: torch.nn.Module) -> tuple[int, torch.Tensor]:
    """How many masks are kept for the way back, and the gradients."""
    kept = set()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[-2:] == (TOKENS, TOKENS):
            kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    positions = torch.cat([torch.arange(TOKENS // 2), torch.arange(TOKENS - TOKENS // 2)])[None]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(input_ids=positions % 90, position_ids=positions, use_cache=False).logits
    model.zero_grad()
    logits.float().square().mean().backward()
    return len(kept), torch.cat([it.grad.flatten() for it in model.parameters() if it.grad is not None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_layers_share_one_mask_and_compute_the_same(tiny: Path, dtype: torch.dtype) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=dtype, attn_implementation="sdpa")
    shared = ALL_MASK_ATTENTION_FUNCTIONS[packed_mask.ATTENTION_NAME]
    try:
        AttentionMaskInterface.register(packed_mask.ATTENTION_NAME, getattr(shared, "mask_function", shared))
        each, before = computed(model)
        packed_mask.share_mask_among_layers()
        one, after = computed(model)
    finally:
        AttentionMaskInterface.register(packed_mask.ATTENTION_NAME, shared)
    assert (each, one) == (3, 1)
    assert torch.equal(before, after)


def test_preflight_counts_it_where_there_is_one(tiny: Path) -> None:
    model = model_shape.read_model_shape(tiny)

    def activations(tokens: int, **changes: object) -> int:
        settings = Training.model_validate({"layout": "packed", "precision": "fp32", **changes})
        return memory.estimate_memory(settings, model, tokens).activations

    padded = activations(4096, layout="padded")
    assert activations(4096) - padded == 4096**2 * 5
    assert activations(4096, attention="eager") > activations(4096)
    parts = {"sequence_parallel": 4, "workers": 4}
    whole, part = (activations(2048, **parts, layout=layout) for layout in ("packed", "padded"))
    assert whole - part == 8192**2 * 5, "each worker has the mask of the whole pass"
    assert activations(8192) == activations(8192, layout="padded"), "a row that is longer than a pass goes alone"
