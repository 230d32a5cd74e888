"""Detector of kind `transformers`: a token classifier in the format of the Hugging Face Hub.

Weights are read from safetensors. A model that needs code of its own, or whose tokenizer gives no offsets, is refused.
Texts are divided into windows of tokens, sorted by length and read in batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, InputError
from tasks.core.json_text import parse_strict
from tasks.sources.owner_detectors import OwnerDetector
from tasks.stages.data.protect.owner_detectors.device import prepare_device
from tasks.stages.data.protect.owner_detectors.pinned_files import HUB_FILES, require_files
from tasks.stages.data.protect.owner_detectors.token_spans import (
    OUTSIDE_LABEL,
    LabelScheme,
    Token,
    find_token_spans,
    plain_label,
)
from tasks.stages.data.protect.owner_detectors.token_windows import TokenWindow, split_tokens
from tasks.stages.data.protect.recognisers.span import Span

NEEDED_FILES = ("config.json", "tokenizer.json", "*.safetensors")
MAX_TOKENS = 512
"""Maximum number of tokens in a window, also of models that could read more, to bound memory."""
RESERVED_POSITIONS = 2
"""Number of positions that some models, such as RoBERTa, never use for a token."""
REFUSED_SETTINGS = {
    "auto_map": "needs Python code of its own, which is never run",
    "quantization_config": "is quantised, which needs other packages; save it without quantisation",
}
"""Reason why a model with a setting in config.json is refused."""


class _Window(NamedTuple):
    text: int
    """Index of the window's text."""
    ids: list[int]
    place: TokenWindow


@dataclass(frozen=True)
class LoadedClassifier:
    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_tokens: int
    """Maximum number of tokens in a window, with special tokens."""
    prefix: tuple[int, ...]
    """Special tokens before a text."""
    suffix: tuple[int, ...]


@dataclass(frozen=True)
class TokenClassifier:
    detector: OwnerDetector
    loaded: LoadedClassifier

    def find_spans(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        encodings = self.loaded.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        probabilities = self._classify([encoding.ids for encoding in encodings])
        scheme = LabelScheme(self.loaded.labels, self.detector)
        return [
            find_token_spans(text, [Token(*offsets) for offsets in encoding.offsets], found, scheme)
            for text, encoding, found in zip(texts, encodings, probabilities, strict=True)
        ]

    def _classify(self, ids: Sequence[list[int]]) -> list[Any]:
        """Return an array for each text: the probability of each label for each token."""
        import numpy as np

        answers = [np.zeros((len(each), len(self.loaded.labels)), dtype=np.float32) for each in ids]
        for batch in _batches(sorted(self._windows(ids), key=lambda it: len(it.ids)), self.detector.batch):
            for window, found in zip(batch, self._run_model([window.ids for window in batch]), strict=True):
                place, skipped = window.place, len(self.loaded.prefix)
                first, end = (skipped + it - place.start for it in (place.first_judged, place.end_judged))
                answers[window.text][place.first_judged : place.end_judged] = found[first:end]
        return answers

    def _windows(self, ids: Sequence[list[int]]) -> Iterator[_Window]:
        loaded = self.loaded
        for text, tokens in enumerate(ids):
            room = loaded.max_tokens - len(loaded.prefix) - len(loaded.suffix)
            for place in split_tokens(len(tokens), room) if tokens else ():
                inner = tokens[place.start : place.end]
                yield _Window(text, [*loaded.prefix, *inner, *loaded.suffix], place)

    def _run_model(self, windows: list[list[int]]) -> list[Any]:
        import torch

        longest = max(map(len, windows))
        padding = self.loaded.model.config.pad_token_id or 0
        device = self.loaded.model.device
        ids = torch.tensor([[*window, *[padding] * (longest - len(window))] for window in windows], device=device)
        mask = torch.tensor([[1] * len(window) + [0] * (longest - len(window)) for window in windows], device=device)
        try:
            with torch.inference_mode():
                logits = self.loaded.model(input_ids=ids, attention_mask=mask).logits.float()
        except (RuntimeError, IndexError) as error:
            raise InputError(
                f"its model fails on {len(windows)} texts of up to {longest} tokens ({type(error).__name__}); "
                "lower `batch` if memory is short, else save the model again"
            ) from None
        if logits.shape != (*ids.shape, len(self.loaded.labels)) or not bool(torch.isfinite(logits[mask == 1]).all()):
            raise InputError("its model answers with something other than a number for each token and label")
        return list(logits.softmax(dim=-1).cpu().numpy())


def read_labels(folder: Path) -> frozenset[str]:
    """Return the labels of a model without their prefixes, read from config.json, after checking the names of files.

    Raises:
        InputError: The folder has other files than those of a model, or the model needs code or is quantised.
    """
    require_files(folder, HUB_FILES, NEEDED_FILES)
    if (folder / "adapter_config.json").exists():
        raise InputError("it is an adapter without its base model; merge both and save the result")
    return frozenset(plain_label(label) for label in _read_label_names(folder) if label != OUTSIDE_LABEL)


def _read_label_names(folder: Path) -> tuple[str, ...]:
    """Return the labels in the order of the model's answers."""
    try:
        config = parse_strict((folder / "config.json").read_text())
        named = {int(index): str(label) for index, label in config["id2label"].items()}
        labels = tuple(named[index] for index in range(len(named)))
    except (OSError, *DOCUMENT_ERRORS):
        raise InputError("its config.json has no valid `id2label`; save it as a token classifier") from None
    for setting, reason in REFUSED_SETTINGS.items():
        if config.get(setting):
            raise InputError(f"its model {reason}")
    return labels


def load_detector(folder: Path, detector: OwnerDetector) -> TokenClassifier:
    """Load a model and its tokenizer.

    Raises:
        InputError: They cannot be loaded, or weights are missing, which transformers would set at random.
        Unavailable: The detector is for a GPU, and there is none.
    """
    labels = _read_label_names(folder)
    device = prepare_device(detector)
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    local = {"trust_remote_code": False, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model, found = AutoModelForTokenClassification.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
        )
    except (HallmarkError, MemoryError):
        raise
    except Exception as error:  # libraries raise many kinds for damaged files
        raise InputError(f"its model cannot be loaded ({_first_line(error)}); save it again") from None
    if wrong := sorted({*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])}):
        raise InputError(f"{len(wrong)} of its weights are missing or have another shape, such as {wrong[0]}")
    if not tokenizer.is_fast:
        raise InputError("its tokenizer gives no offsets of characters; save it with a fast tokenizer (tokenizer.json)")
    return TokenClassifier(detector, _with_bounds(model.eval().to(device), tokenizer, labels))


def _with_bounds(model: Any, tokenizer: Any, labels: tuple[str, ...]) -> LoadedClassifier:
    plain = tokenizer.backend_tokenizer
    plain.no_truncation()
    plain.no_padding()
    special = plain.encode("a", add_special_tokens=True)
    inner = [place for place, is_special in enumerate(special.special_tokens_mask) if not is_special]
    if not inner:
        raise InputError("its tokenizer gives no token for the text 'a'")
    prefix, suffix = tuple(special.ids[: inner[0]]), tuple(special.ids[inner[-1] + 1 :])
    positions = getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS + RESERVED_POSITIONS
    most = min(MAX_TOKENS, tokenizer.model_max_length, positions - RESERVED_POSITIONS)
    if most < len(prefix) + len(suffix) + 4:
        raise InputError(f"its model reads only {most} tokens at a time, which is too few for a text")
    known = model.get_input_embeddings().weight.shape[0]
    if (largest := max(plain.get_vocab().values())) >= known:
        raise InputError(f"its tokenizer gives ids up to {largest}, and its model knows {known} tokens")
    return LoadedClassifier(model, plain, labels, most, prefix, suffix)


def _batches(windows: Sequence[_Window], size: int) -> Iterator[list[_Window]]:
    source = iter(windows)
    while batch := list(islice(source, size)):
        yield batch


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
