"""File for llama.cpp: header, weights and tokenizer in GGUF."""

from pathlib import Path
from typing import Any

from tasks.registry.export import gguf_tokens, gguf_weights, merged
from tasks.registry.export.source import ExportSource

FILE_NAME = "model.gguf"


def write_gguf(source: ExportSource, folder: Path) -> None:
    """Write the merged release as one GGUF file.

    Raises:
        InputError: The architecture or the tokenizer is one that is not written here.
    """
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.admitted.tokenizer)
    config = AutoConfig.from_pretrained(source.base or source.admitted.model)
    architecture = gguf_weights.require_supported(config)
    writer = GGUFWriter(folder / FILE_NAME, MODEL_ARCH_NAMES[MODEL_ARCH[architecture.name]])
    writer.add_name(source.admitted.label)
    writer.add_license(source.manifest.base_model_licence)
    gguf_weights.add_header(writer, config, source.settings.dtype)
    gguf_tokens.add_tokens(writer, tokenizer, config.vocab_size, source.settings.decoding.eos_token_id)
    gguf_weights.add_weights(writer, merged.load_release(source), architecture, source.settings.dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load_gguf(source: ExportSource, folder: Path) -> Any:
    """Return the model as transformers reads it from the file, which it does without llama.cpp.

    transformers is not asked for the tokenizer, because it ignores the file's rule for splitting texts.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=FILE_NAME,
        quantization_config=GgufConfig(gguf_file=FILE_NAME, dequantize=True),
        dtype=getattr(torch, source.settings.dtype),
    )
    return model.eval()
