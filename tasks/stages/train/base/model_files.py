"""Names of files in a model folder: no pickled weights, no copies for other frameworks, no code."""

from fnmatch import fnmatch
from pathlib import Path

HUB_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
OTHER_FILES = ("*.gguf", "*.bpe", "*.tiktoken", "*.vocab", "*.md", "LICENSE*", "LICENCE*", "NOTICE*", ".gitattributes")
"""Patterns of other files that a local model folder may contain."""


def is_part_of_a_model(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in (*HUB_FILES, *OTHER_FILES))
