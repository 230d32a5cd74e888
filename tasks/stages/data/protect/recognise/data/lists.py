"""The word lists of this folder."""

from pathlib import Path


def read(name: str) -> frozenset[str]:
    """The words of `name`.txt, apart by white space."""
    return frozenset(_text(name).split())


def lines(name: str) -> list[str]:
    """The lines of `name`.txt that are neither empty nor comments."""
    stripped = (line.strip() for line in _text(name).splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
