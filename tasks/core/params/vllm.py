"""Limits of vLLM 0.33 for adapters that PEFT trains (vllm/lora/peft_helper.py, vllm/config/lora.py)."""

SUPPORTED_MAX_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM accepts for its setting `max_lora_rank`. The setting must be at least the rank of the adapter."""


def unsupported_adapter_reason(rank: int | None, is_dora: bool) -> str | None:
    """Return the reason why vLLM cannot serve an adapter, for an error message, or None if it can.

    Args:
        rank: Rank of a LoRA adapter; None for another kind of adapter.
        is_dora: Whether the adapter is a DoRA adapter.
    """
    if rank is None:
        return "vLLM serves no adapters but those of LoRA: train with method lora"
    if is_dora:
        return "vLLM serves no DoRA: train with lora_variant plain or rslora"
    if rank > SUPPORTED_MAX_LORA_RANKS[-1]:
        return (
            f"vLLM serves adapters of rank {SUPPORTED_MAX_LORA_RANKS[-1]} at most, and this one has {rank}: lower "
            "training.lora_rank"
        )
    return None


def smallest_max_lora_rank(rank: int) -> int:
    return next(room for room in SUPPORTED_MAX_LORA_RANKS if room >= rank)
