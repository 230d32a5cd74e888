"""How new a text says it is: its version numbers, and the dates after words like "updated", as a string that sorts."""

import re

from tasks.data.near.markers import DATED, REPLACED, VERSION

MOST = 3
"""Of several the highest count: a text that tells what is new in version 2 is not older than that."""
PARTS = 4
"""2.8.8.1; what stands behind is left out."""
GONE = re.compile(REPLACED)
SAID = re.compile(f"{VERSION}|(?P<dated>{DATED})")
NUMBER = re.compile(r"\d+")
MONTHS = ("jan", "feb", "m[aä]r", "apr", "ma[yi]", "jun", "jul", "aug", "sep", "o[ck]t", "nov", "de[cz]")
"""As they begin in English and German."""


def newness(text: str) -> str:
    """Empty where a text says nothing; else the larger, the newer. A year stands above the numbers of most versions.

    Lines are kept apart: what "replaces" refers to ends with its own.
    """
    lines = "\n".join(" ".join(line.split()) for line in text.casefold().split("\n"))
    said = sorted((_parts(m) for m in SAID.finditer(GONE.sub(" ", lines))), reverse=True)
    return "".join(f"{part:06}" for parts in said[:MOST] for part in parts)


def _parts(marker: re.Match[str]) -> list[int]:
    numbers = [int(number[:6]) for number in NUMBER.findall(marker.group())][:PARTS]
    if marker["dated"]:
        numbers = _dated(marker.group(), numbers)
    return [*numbers, *[0] * (PARTS - len(numbers))]


def _dated(marker: str, numbers: list[int]) -> list[int]:
    """Year, month, day; 0 for a day that is not said. Of 3/1/25 the month comes first, of 3.1.25 the day."""
    year = numbers[-1] + 2000 * (numbers[-1] < 100)
    named = [place for place, month in enumerate(MONTHS, start=1) if re.search(rf"\b{month}", marker)]
    if named:
        return [year, named[0], numbers[0] * (len(numbers) > 1)]
    if numbers[0] > 31:
        return numbers
    day, month = numbers[1::-1] if "/" in marker else numbers[:2]
    return [year, month, day]
