"""Models that answer the held-out rows, in the order in which they are compared."""

from typing import Literal

Which = Literal["base", "champion", "candidate"]
MODELS: tuple[Which, ...] = ("base", "champion", "candidate")
TITLES: dict[Which, str] = {"candidate": "Candidate", "champion": "Champion", "base": "Base model"}
"""Titles of the models on pages, in the order in which pages show them."""
