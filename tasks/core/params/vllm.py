"""What vLLM 0.33 cannot serve of what PEFT trains (vllm/lora/peft_helper.py, vllm/config/lora.py)."""

ROOMS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that it has room for; a lower one fits too."""


def why_not(rank: int, dora: bool) -> str | None:
    """Why it cannot serve such an adapter, in words; None where it can."""
    if dora:
        return "vLLM serves no DoRA: train with lora_variant plain or rslora"
    if rank > ROOMS[-1]:
        return f"vLLM serves adapters of rank {ROOMS[-1]} at most, and this one has {rank}: lower training.lora_rank"
    return None


def room_for(rank: int) -> int:
    return next(room for room in ROOMS if room >= rank)
