"""Folder for transformers and vLLM: adapter and base model as one model, with tokenizer and chat template."""

from pathlib import Path
from typing import Any

from tasks.core.params.training_methods.method import ADAPTER
from tasks.registry.export.source import ExportSource
from tasks.stages.evaluate import models
from tasks.stages.evaluate.models import ModelFolders


def load_release(source: ExportSource) -> Any:
    """Load the release as it was evaluated: merged in float32, and rounded once to the precision of the evaluation."""
    own, base = source.admitted.model, source.base
    folders = ModelFolders(base, own, ADAPTER) if base else ModelFolders(own)
    return models.load_model(folders, source.params.evaluation.model_copy(update={"device": "cpu"}))


def write_merged(source: ExportSource, folder: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    model = load_release(source)
    model.generation_config = GenerationConfig(**source.settings.decoding.model_dump())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.admitted.tokenizer).save_pretrained(folder)


def load_merged(source: ExportSource, folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, source.settings.dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    return model.eval()
