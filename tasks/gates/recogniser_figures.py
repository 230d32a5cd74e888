"""Measured shares of values that Hallmark's recognisers mask, for people who decide about personal data.

recogniser_figures.yaml beside this file is written by benchmarks/recogniser_table.py.
"""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Literal

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Share
from tasks.gates.dataset_profile.profile import format_noted_value
from tasks.sources.protection import Category

FIGURES_PATH = Path(__file__).with_suffix(".yaml")
TOLD_CATEGORIES: tuple[Category, ...] = ("name", "address", "health")
"""Categories that no format gives away, in which recognisers miss most."""
MAX_TOLD_LANGUAGES = 4


class RecogniserFigure(FrozenModel):
    """Share of the values of a category that are masked wholly."""

    language: str
    style: Literal["as written", "lower case", "capitals"]
    category: Category
    values: int
    sentences: int
    """Number of different sentences in which the values are."""
    share: Share
    low: Share
    """Low end of the 95 % interval for the number of sentences."""
    high: Share


class RecogniserFigures(FrozenModel):
    figures: list[RecogniserFigure]


@lru_cache(maxsize=1)
def load_figures() -> RecogniserFigures:
    return config.load_settings(FIGURES_PATH, RecogniserFigures)


def render_figure(figure: RecogniserFigure) -> str:
    return f"{figure.share:.0%} ({figure.low:.0%} to {figure.high:.0%})"


def known_misses_text(languages: Collection[str]) -> str:
    """Return what the recognisers masked in sentences that no rule was written for, in the languages of a dataset.

    A language without figures is named as not measured.
    """
    named = sorted(languages)
    told = [_language_text(language) for language in named[:MAX_TOLD_LANGUAGES]]
    rest = len(named) - len(told)
    more = [f"{rest} more languages"] if rest else []
    return "; ".join(["masked of the values in test sentences", *told, *more, "table: docs/reference/recognisers.md"])


def _language_text(language: str) -> str:
    own = [it for it in load_figures().figures if it.language == language]
    by_place = {(it.category, it.style): it for it in own}
    texts = [
        f"{category} {render_figure(plain)}" + (f", in lower case {lower.share:.0%}" if lower else "")
        for category in TOLD_CATEGORIES
        if (plain := by_place.get((category, "as written")))
        for lower in [by_place.get((category, "lower case"))]
    ]
    return f"{format_noted_value(language)}: {', '.join(texts) or 'not measured'}"
