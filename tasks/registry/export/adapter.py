"""Folder for PEFT: adapter and tokenizer, with the name or the files of the base model."""

from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.registry.export.source import ExportSource

BASE_FOLDER = "base"
"""Folder of the base model's files, relative to the export."""
CONFIG_FILE = "adapter_config.json"


def write_adapter(source: ExportSource, folder: Path, with_base: bool) -> None:
    """Write the adapter, with `base_model_name_or_path` as PEFT, transformers and vLLM read it.

    PEFT takes a relative path as one of its process's working folder. So with the base model beside it, the folder is
    loaded by name from within, or from anywhere if the base model's folder is given.
    """
    from transformers import AutoTokenizer

    assert source.base
    files.copy_tree(source.admitted.model, folder)
    if source.admitted.tokenizer != source.admitted.model:
        AutoTokenizer.from_pretrained(source.admitted.tokenizer).save_pretrained(folder)
    if with_base:
        files.copy_tree(source.base, folder / BASE_FOLDER)
    config = files.read_json(folder / CONFIG_FILE)
    config["base_model_name_or_path"] = BASE_FOLDER if with_base else source.base_name
    config["revision"] = None if with_base else source.params.base_model.revision
    files.write_json(folder / CONFIG_FILE, config)
    write_generation_config(source, folder)


def load_adapter(source: ExportSource, folder: Path) -> Any:
    """Load the adapter on its base model as PEFT does by itself, without merging it."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    assert source.base
    dtype = getattr(torch, source.settings.dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(source.base, dtype=dtype, use_safetensors=True)
    return PeftModel.from_pretrained(model, folder).eval()


def write_generation_config(source: ExportSource, folder: Path) -> None:
    """Write the evaluation's decoding settings as generation_config.json, so that `generate` uses them by default."""
    from transformers import GenerationConfig

    GenerationConfig(**source.settings.decoding.model_dump()).save_pretrained(folder)
