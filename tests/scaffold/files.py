"""Data files of a stranger: nothing of the sample, two columns, made the same each time."""

import csv
import io
from itertools import product

KINDS = {
    "watering": "How often should I water the {plant} when its {part} look {look}?",
    "pests": "There are small insects on the {part} of my {plant}, and they feel {look}",
    "light": "My {plant} stands far from the window and the {part} turn {look}",
    "feeding": "Which fertiliser is for a {plant} whose {part} have become {look}?",
}
PLANTS = ("tomato", "rose", "basil", "fern", "orchid")
PARTS = ("leaves", "stems", "roots", "buds")
LOOKS = ("yellow", "brown", "soft", "dry", "pale")


def letters(rows: int = 400) -> list[dict[str, str]]:
    """Different letters to a gardening magazine, each with its topic."""
    every = product(LOOKS, PARTS, PLANTS, KINDS)
    return [
        {"letter": KINDS[kind].format(plant=plant, part=part, look=look), "topic": kind}
        for look, part, plant, kind in every
    ][:rows]


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
