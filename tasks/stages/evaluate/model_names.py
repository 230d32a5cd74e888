"""Models that answer the held-out rows, in the order in which they are compared."""

from typing import Literal

ModelName = Literal["base", "champion", "candidate"]
MODELS: tuple[ModelName, ...] = ("base", "champion", "candidate")
MODEL_TITLES: dict[ModelName, str] = {"candidate": "Candidate", "champion": "Champion", "base": "Base model"}
"""Titles of the models on pages, in the order in which pages show the models."""
