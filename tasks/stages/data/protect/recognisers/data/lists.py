"""Readers of the word lists in this folder."""

from pathlib import Path


def read_words(name: str) -> frozenset[str]:
    return frozenset(_text(name).split())


def read_lines(name: str) -> list[str]:
    stripped = (line.strip() for line in _text(name).splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _text(name: str) -> str:
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
