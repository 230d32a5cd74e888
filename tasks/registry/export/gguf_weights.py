"""Names, order and precision of the weights in a GGUF file."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tasks.core.errors import InputError

Report = Callable[[int, int], None]


class Architecture(NamedTuple):
    name: str
    """Name in gguf's list of architectures."""
    interleaved: bool
    """Whether llama.cpp rotates neighbouring values of a query, where transformers rotates the two halves of a head."""


ARCHITECTURES = {
    "llama": Architecture("LLAMA", True),
    "mistral": Architecture("LLAMA", True),
    "qwen2": Architecture("QWEN2", False),
    "qwen3": Architecture("QWEN3", False),
}
"""Supported architectures, by `model_type` of config.json."""
MERGED_ELSEWHERE = "export it with --form merged, and convert that with llama.cpp's own convert_hf_to_gguf.py"


def require_supported(config: Any) -> Architecture:
    """Return the architecture of a model.

    Raises:
        InputError: The model has a part that is not written to GGUF here.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    for name, is_plain in (
        (f"architecture {config.model_type!r}", config.model_type in ARCHITECTURES),
        (f"rope_type {rope.get('rope_type')!r}", rope.get("rope_type", "default") == "default"),
        ("a sliding window", not _has_sliding_window(config)),
        ("attention_bias", config.model_type == "qwen2" or not getattr(config, "attention_bias", False)),
    ):
        if not is_plain:
            raise InputError(
                f"a model with {name} is not written as GGUF here; there is {', '.join(ARCHITECTURES)} with plain "
                f"attention. {MERGED_ELSEWHERE[0].upper()}{MERGED_ELSEWHERE[1:]}"
            )
    return ARCHITECTURES[config.model_type]


def _has_sliding_window(config: Any) -> bool:
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return any(kind != "full_attention" for kind in kinds)
    return bool(getattr(config, "sliding_window", None))


def add_header(writer: Any, config: Any, dtype: str) -> None:
    from gguf import LlamaFileType

    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(float((config.rope_parameters or {}).get("rope_theta", 10_000)))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(LlamaFileType.ALL_F32 if dtype == "float32" else LlamaFileType.MOSTLY_BF16)


def add_weights(writer: Any, model: Any, architecture: Architecture, dtype: str) -> None:
    """Add every weight under its name in GGUF, matrices in `dtype` and all else in float32, which llama.cpp expects."""
    from gguf import MODEL_ARCH, GGMLQuantizationType, get_tensor_name_map, quants

    names = get_tensor_name_map(MODEL_ARCH[architecture.name], model.config.num_hidden_layers)
    for name, weight in _own_weights(model):
        written = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if written is None:
            raise InputError(f"GGUF has no name for the weight {name}; {MERGED_ELSEWHERE}")
        values = _ordered(name, weight, model.config, architecture).float().contiguous().numpy()
        if dtype == "float32" or values.ndim == 1:
            writer.add_tensor(written, values)
        else:
            bits = GGMLQuantizationType.BF16
            writer.add_tensor(written, quants.quantize(values, bits), raw_dtype=bits)


def _own_weights(model: Any) -> Iterator[tuple[str, Any]]:
    for name, weight in model.state_dict().items():
        if not (model.config.tie_word_embeddings and name == "lm_head.weight"):
            yield name, weight


def _ordered(name: str, weight: Any, config: Any, architecture: Architecture) -> Any:
    """Return a weight with the rows of queries and keys in llama.cpp's order.

    transformers rotates value i of a head with value i + size / 2, and llama.cpp value 2i with value 2i + 1.
    """
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if not architecture.interleaved or heads is None:
        return weight
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)
