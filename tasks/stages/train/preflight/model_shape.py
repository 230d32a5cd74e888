"""Shape of a model, read from the headers of its files without loading weights."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import read_bounded
from tasks.core.json_text import parse_bounded
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.core.params.training_methods.method import module_name
from tasks.stages.train.base.model_files import tensor_shapes
from tasks.stages.train.base.origins import read_errors_as_input_error

MAX_CONFIG_BYTES, MAX_CONFIG_PIECES = 2**24, 500_000
"""Maximum size of a model's configuration, in bytes and in number of JSON elements."""
MAX_DIMENSION = 2**31 - 1
EMBEDDINGS_AND_HEADS = ("lm_head", "embed", "output_projection", "wte", "wpe")
"""Parts of the names of output heads and embeddings, to which adapters are not added."""


@dataclass(frozen=True)
class ModelShape:
    weight_shapes: dict[str, tuple[int, ...]]
    """Shape of each weight, by name. Tied weights are listed once."""
    layers: int
    hidden_width: int
    """Width of the residual stream."""
    feed_forward_width: int
    heads: int
    key_value_heads: int
    query_width: int
    """Total width of the queries of all heads in a layer."""
    vocabulary: int
    context_length: int | None
    """Maximum number of tokens in a row; None if the model has no limit."""
    layer_kinds: frozenset[str]
    """Kinds of layers in the model's configuration; empty if the configuration does not name them."""
    position_kinds: frozenset[str]

    @property
    def parameter_count(self) -> int:
        return sum(math.prod(shape) for shape in self.weight_shapes.values())

    def linear_weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of linear layers, without input embeddings and output head."""
        return {
            name: shape
            for name, shape in self.weight_shapes.items()
            if len(shape) == 2
            and shape[0] != self.vocabulary
            and not any(part in name for part in EMBEDDINGS_AND_HEADS)
        }

    def linear_modules(self) -> set[str]:
        return {module_name(name) for name in self.linear_weight_shapes()}

    def trained_weight_count(self, training: Training) -> int:
        adapter = methods.get_method(training.method).adapter
        return adapter.count_weights(training, self.linear_weight_shapes()) if adapter else self.parameter_count

    def backward_share(self, training: Training) -> float:
        """Return the fraction of the layers that the backward pass computes.

        With gradient checkpointing it is all of them, because transformers and PEFT then make the output of the
        embedding require a gradient.
        """
        if training.gradient_checkpointing:
            return 1.0
        return min(training.lora_layers or self.layers, self.layers) / self.layers

    def frozen_weight_count(self, training: Training) -> int:
        return self.parameter_count if methods.get_method(training.method).adapter else 0


def read_model_shape(folder: Path) -> ModelShape:
    """Read the shape of the model in a Hugging Face folder.

    Raises:
        InputError: A file cannot be read, or the configuration lacks a size.
    """
    weights: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if path.name == "consolidated.safetensors":
            continue  # the same weights again, for another library
        with read_errors_as_input_error(str(path)):
            weights |= tensor_shapes(path)
    if not weights:
        raise InputError(f"{folder}: expected weights as *.safetensors, found none; fetch the model again")
    with read_errors_as_input_error(f"{folder}/config.json"):
        return _parse_shape(weights, folder)


def _parse_shape(weights: dict[str, tuple[int, ...]], folder: Path) -> ModelShape:
    config = parse_bounded(read_bounded(folder / "config.json", MAX_CONFIG_BYTES), MAX_CONFIG_PIECES)
    text = config.get("text_config", config)
    rotary = text.get("rope_parameters") or text.get("rope_scaling") or {}
    try:
        hidden = _size(text, "hidden_size", "n_embd", "d_model")
        heads = _size(text, "num_attention_heads", "n_head")
        return ModelShape(
            weight_shapes=weights,
            layers=_size(text, "num_hidden_layers", "n_layer", "num_layers"),
            hidden_width=hidden,
            feed_forward_width=_optional_size(text, "intermediate_size", "n_inner") or 4 * hidden,
            heads=heads,
            key_value_heads=_optional_size(text, "num_key_value_heads") or heads,
            query_width=heads * (_optional_size(text, "head_dim") or max(1, hidden // heads)),
            vocabulary=_size(text, "vocab_size"),
            context_length=_optional_size(text, "max_position_embeddings", "n_positions"),
            layer_kinds=frozenset(map(_require_kind_name, text.get("layer_types") or ())),
            position_kinds=frozenset(map(_require_kind_name, _position_kinds(rotary))),
        )
    except LookupError as error:
        raise InputError(f"{folder}/config.json: expected {error} in it, to work out what the model needs") from None


def _size(config: dict[str, Any], *names: str) -> int:
    found = _optional_size(config, *names)
    if found is None:
        raise LookupError(" or ".join(names))
    return found


def _optional_size(config: dict[str, Any], *names: str) -> int | None:
    for name in names:
        if value := config.get(name):
            if type(value) is not int or not 0 < value <= MAX_DIMENSION:
                raise LookupError(f"{name} as a whole number from 1 to {MAX_DIMENSION:,}")
            return value
    return None


def _require_kind_name(value: Any) -> str:
    if not isinstance(value, str):
        raise LookupError("kinds of layers and positions as texts")
    return value


def _position_kinds(rotary: dict[str, Any]) -> Iterator[Any]:
    for name, value in rotary.items():
        if name in ("rope_type", "type"):
            yield value
        elif isinstance(value, dict):
            yield from _position_kinds(value)
