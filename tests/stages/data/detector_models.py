"""Small detectors as an owner brings them, with the declarations that name them."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tasks.core.files import path_digest

MARKED = ("quorbel", "vandrimal", "ségolène", "🦊fox")
"""Words that the token classifier marks as names, and that are on no list of Hallmark's recognisers."""
CLASSIFIER_LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
PRESIDIO = """\
recognizers:
  - name: badge
    supported_entity: BADGE
    supported_languages: [{language: en, context: [badge]}, {language: de, context: [dienstausweis]}]
    patterns: [{name: letters, regex: "\\\\bqx[a-z]{3}\\\\b", score: 0.2}]
  - name: wards
    supported_entity: WARD
    deny_list: [Blue Ward, Roter Flur]
"""


def declared(kind: str, path: Path, labels: Mapping[str, str | None], **fields: Any) -> dict[str, Any]:
    """A detector as sources.yaml declares it, with the digest of what is at `path`."""
    named = {"name": f"own-{kind}", "kind": kind, "path": str(path), "sha256": path_digest(path)}
    return named | {"labels": dict(labels)} | fields


def presidio(folder: Path, text: str = PRESIDIO, **fields: Any) -> dict[str, Any]:
    path = folder / "wards.yaml"
    path.write_text(text)
    return declared("presidio", path, {"BADGE": "identity", "WARD": "internal_only"}, **fields)


def spacy_ruler(folder: Path, **fields: Any) -> dict[str, Any]:
    """A blank German pipeline with an entity ruler."""
    from tasks.stages.data.protect.recognisers.names.spacy_model import import_spacy

    pipeline = import_spacy().blank("de")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([
        {"label": "PER", "pattern": [{"LOWER": "zwirnbold"}, {"IS_TITLE": True}]},
        {"label": "GPE", "pattern": "Hinterquell"},
    ])  # fmt: skip
    pipeline.to_disk(folder / "ruler")
    return declared("spacy", folder / "ruler", {"PER": "name", "GPE": None}, **fields)


def classifier(folder: Path | None = None, **fields: Any) -> dict[str, Any]:
    """A token classifier with byte-level BPE and fixed weights, which marks the tokens of MARKED as names."""
    path = _saved_classifier() if folder is None else _save_classifier(folder / "classifier")
    return declared("transformers", path, {"PER": "name", "ORG": None}, **fields)


@cache
def _saved_classifier() -> Path:
    return _save_classifier(Path(mkdtemp(prefix="hallmark-classifier-")) / "classifier")


def _save_classifier(path: Path) -> Path:
    """Save a model of one layer whose layers add nothing, so that each token is classified by its own embedding."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForTokenClassification

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    plain.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    plain.train_from_iterator([" ".join(MARKED)] * 20, trainer)
    plain.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<s>", pad_token="<pad>", eos_token="</s>")
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=66, pad_token_id=1, num_labels=len(CLASSIFIER_LABELS),
        id2label=dict(enumerate(CLASSIFIER_LABELS)), label2id={it: n for n, it in enumerate(CLASSIFIER_LABELS)},
    )  # fmt: skip
    model = RobertaForTokenClassification(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm.weight" not in name:
                weight.zero_()
        words = model.roberta.embeddings.word_embeddings.weight
        words[:] = torch.tensor([1.0, -1.0] * 4)
        for word in MARKED:
            for place, token in enumerate(plain.encode(word, add_special_tokens=False).ids):
                words[token] = torch.tensor([-1.0, 1.0] * 4 if place == 0 else [-1.0, -1.0, 1.0, 1.0] * 2)
        out = model.classifier
        out.weight[0] = torch.tensor([1.0, -1.0] * 4)
        out.weight[1] = torch.tensor([-1.0, 1.0] * 4)
        out.weight[2] = torch.tensor([-1.0, -1.0, 1.0, 1.0] * 2)
        out.bias[:] = torch.tensor([0.0, 0.0, 0.0, -9.0, -9.0])
    tokenizer.save_pretrained(path)
    config.save_pretrained(path)
    save_file(model.state_dict(), path / "model.safetensors", {"format": "pt"})  # else transformers imports deepspeed
    return path


def edit_json(path: Path, **changes: Any) -> None:
    """Change values of a JSON file; None removes one."""
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))


def without_tokens(text: str) -> str:
    """The text with each placeholder reduced to its category."""
    return re.sub(r"\[(\w+):[^]]*\]", r"[\1]", text)
