"""Layers of a BERT encoder in NumPy.

On one core NumPy takes a third more time than torch for short texts. Importing torch takes seconds, though, and batches
in torch are padded, so that a vector depends on the texts beside it.

Reference: Devlin et al. 2019, BERT; the names of the weights are those of transformers' `BertModel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

HEADS = 12
LAYERS = 6
EPSILON = np.float32(1e-12)
GELU_SCALE, GELU_CUBIC = np.float32((2 / np.pi) ** 0.5), np.float32(0.044715)

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Dense:
    weight: np.ndarray
    """Shape (inputs, outputs)."""
    bias: np.ndarray

    @classmethod
    def of(cls, weights: Weights, *names: str) -> Self:
        """Return the layers `names`, which have the same input, as one."""
        kernels = [weights[f"{name}.weight"].T for name in names]
        biases = [weights[f"{name}.bias"] for name in names]
        return cls(np.ascontiguousarray(np.concatenate(kernels, axis=1)), np.concatenate(biases))

    def __call__(self, states: np.ndarray) -> np.ndarray:
        out: np.ndarray = states @ self.weight
        out += self.bias
        return out


@dataclass(frozen=True)
class Normalisation:
    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, weights: Weights, name: str) -> Self:
        return cls(weights[f"{name}.weight"], weights[f"{name}.bias"])

    def __call__(self, states: np.ndarray) -> np.ndarray:
        centred: np.ndarray = states - states.mean(-1, keepdims=True)
        centred /= np.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
        centred *= self.scale
        centred += self.shift
        return centred


@dataclass(frozen=True)
class Layer:
    attention_inputs: Dense
    attention_output: Dense
    attention_norm: Normalisation
    widening: Dense
    narrowing: Dense
    output_norm: Normalisation

    @classmethod
    def of(cls, weights: Weights, number: int) -> Self:
        name = f"encoder.layer.{number}"
        own = f"{name}.attention.self"
        return cls(
            Dense.of(weights, f"{own}.query", f"{own}.key", f"{own}.value"),
            Dense.of(weights, f"{name}.attention.output.dense"),
            Normalisation.of(weights, f"{name}.attention.output.LayerNorm"),
            Dense.of(weights, f"{name}.intermediate.dense"),
            Dense.of(weights, f"{name}.output.dense"),
            Normalisation.of(weights, f"{name}.output.LayerNorm"),
        )

    def __call__(self, states: np.ndarray, texts: int) -> np.ndarray:
        """Return the layer's output for `texts` texts of equal length, both of shape (all tokens, width)."""
        attended = self.attention_output(_attend(self.attention_inputs(states), texts))
        states = self.attention_norm(states + attended)
        return self.output_norm(states + self.narrowing(_gelu(self.widening(states))))


@dataclass(frozen=True)
class Encoder:
    words: np.ndarray
    positions: np.ndarray
    """Embeddings of the positions, with that of the first segment added, which all tokens are in."""
    norm: Normalisation
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, weights: Weights) -> Self:
        segment = weights["embeddings.token_type_embeddings.weight"][0]
        return cls(
            weights["embeddings.word_embeddings.weight"],
            weights["embeddings.position_embeddings.weight"] + segment,
            Normalisation.of(weights, "embeddings.LayerNorm"),
            tuple(Layer.of(weights, number) for number in range(LAYERS)),
        )

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """Return the mean of the tokens' last states, of shape (texts, width), for ids of shape (texts, tokens)."""
        texts, tokens = ids.shape
        states = self.norm(self.words[ids] + self.positions[:tokens]).reshape(texts * tokens, -1)
        for layer in self.layers:
            states = layer(states, texts)
        mean: np.ndarray = states.reshape(texts, tokens, -1).mean(1)
        return mean


def _gelu(values: np.ndarray) -> np.ndarray:
    """Return GELU in its form with tanh, which takes a tenth of the time of SciPy's erf.

    Similarities of texts differ by less than .001 by it. Reference: Hendrycks and Gimpel 2016, section 2.
    """
    inner = values * values
    inner *= GELU_CUBIC
    inner += 1
    inner *= values
    inner *= GELU_SCALE
    np.tanh(inner, out=inner)
    inner += 1
    inner *= values
    inner *= np.float32(0.5)
    return inner


def _attend(inputs: np.ndarray, texts: int) -> np.ndarray:
    """Return the attention of each token to its text, from queries, keys and values side by side."""
    width = inputs.shape[1] // 3
    by_head = inputs.reshape(texts, -1, 3, HEADS, width // HEADS).transpose(2, 0, 3, 1, 4)
    queries, keys, values = by_head
    share = queries @ keys.swapaxes(-1, -2)
    share /= np.float32((width // HEADS) ** 0.5)
    share -= share.max(-1, keepdims=True)
    np.exp(share, out=share)
    share /= share.sum(-1, keepdims=True)
    together: np.ndarray = (share @ values).transpose(0, 2, 1, 3).reshape(len(inputs), width)
    return together
