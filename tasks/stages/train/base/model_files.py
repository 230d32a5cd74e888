"""What a model folder holds: no pickled weights, no other frameworks' copies, no code."""

from fnmatch import fnmatch
from pathlib import Path

FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""What is fetched of a hub repository."""
BESIDE = ("*.gguf", "*.bpe", "*.tiktoken", "*.vocab", "*.md", "LICENSE*", "LICENCE*", "NOTICE*", ".gitattributes")
"""What may lie in a folder besides."""


def is_part_of_a_model(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in (*FILES, *BESIDE))
