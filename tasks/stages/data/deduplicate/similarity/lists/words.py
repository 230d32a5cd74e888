"""Reader of the word lists in this folder."""

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=3)
def read_list(name: str) -> tuple[str, ...]:
    text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
