"""Files of a model folder: their permitted names, and the shapes of the tensors in safetensors files."""

from fnmatch import fnmatch
from pathlib import Path

from tasks.core.errors import InputError

HUB_FILE_PATTERNS = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
OTHER_FILE_PATTERNS = (
    "*.gguf",
    "*.bpe",
    "*.tiktoken",
    "*.vocab",
    "*.md",
    "LICENSE*",
    "LICENCE*",
    "NOTICE*",
    ".gitattributes",
)
MAX_HEADER_BYTES = 16 << 20
"""Maximum size of a safetensors header in bytes. The header of a file with 91,000 tensors has 11 MB."""


def is_model_file(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in (*HUB_FILE_PATTERNS, *OTHER_FILE_PATTERNS))


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of a safetensors file by name, read from its header.

    Raises:
        InputError: The header is larger than MAX_HEADER_BYTES.
        SafetensorError: The header is damaged.
    """
    from safetensors import safe_open

    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
    if size > MAX_HEADER_BYTES:
        raise InputError(
            f"base model: the header of {path.name} has {size:,} bytes, and at most {MAX_HEADER_BYTES:,} are read; "
            "fetch it again or choose another"
        )
    with safe_open(path, framework="numpy") as weights:
        return {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
