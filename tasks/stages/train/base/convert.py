"""Conversion of GGUF weights to a Hugging Face folder: bf16 safetensors, tokenizer, chat template."""

import shutil
import tempfile
from pathlib import Path
from typing import Any


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Convert a GGUF file into a Hugging Face folder.

    The weights are stored in bf16. That loses little: values in quantised GGUF files have about four bits, and training
    computes in bf16 anyway. The logits are exactly those of the GGUF file loaded in bf16
    (tests/stages/train/test_base_model.py).
    """
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as aside:
        named = shutil.copy(gguf, Path(aside) / "model.gguf")  # transformers recognises it by the suffix
        model = load_gguf(Path(named))
        tokenizer = AutoTokenizer.from_pretrained(aside, gguf_file=Path(named).name)
    plain = copy_without_quantization(model)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_gguf(gguf: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    dense = GgufConfig(gguf_file=gguf.name, dequantize=True)
    return AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=dense, dtype=torch.bfloat16
    )


def copy_without_quantization(model: Any) -> Any:
    """Return a copy of a model without its quantization settings.

    transformers cannot save a model that was loaded from GGUF.
    """
    import torch
    from transformers import AutoModelForCausalLM

    values = model.config.to_dict()
    values.pop("quantization_config", None)
    config = model.config.__class__.from_dict(values)
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
