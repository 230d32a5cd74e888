"""Share of personal values that Hallmark's recognisers mask wholly, by language, class and style of writing.

    python benchmarks/recogniser_table.py [--each 20] [--seed 31]

The sentences are those that no rule was written for: in benchmarks/inputs/recognisers/, and the English and German ones
of tests/stages/data/recognise/planted.py. Values are faker's. Half of all names are taken out of
Hallmark's lists, since faker's are in them. A value counts as masked if all its letters and digits are. The interval is
Wilson's, 95 %, for the number of sentences, not of values: a hundred values in one sentence say little more than one.

The figures are written to tasks/gates/recogniser_figures.yaml, which the data gate shows, and the tables to
docs/reference/recognisers.md between the two marks.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the planted texts are those of the tests

from tasks.gates.recogniser_figures import FIGURES_PATH, RecogniserFigures, load_figures, render_figure  # noqa: E402
from tasks.sources.protection import CATEGORIES, Category  # noqa: E402
from tasks.stages.data.protect.recognisers import detector  # noqa: E402
from tests.stages.data.recognise.planted import (  # noqa: E402
    ENGLISH,
    GERMAN,
    Planted,
    Values,
    _filled,
    _templates,
    names_held_out,
)

PAGE = ROOT / "docs" / "reference" / "recognisers.md"
BEGIN, END = "<!-- tables: written by benchmarks/recogniser_table.py -->", "<!-- end of tables -->"
TEST_SENTENCES = {"en": ENGLISH, "de": GERMAN}
OTHER_LANGUAGES = ("fr", "es", "it", "nl", "pl")
LOCALES = {
    **{"en": ("en_US", "en_GB"), "de": ("de_DE",), "fr": ("fr_FR",), "es": ("es_ES",), "it": ("it_IT",)},
    **{"nl": ("nl_NL",), "pl": ("pl_PL",)},
}
"""Locales of faker, by language."""
STYLES: Mapping[str, Callable[[str], str]] = {
    "as written": str,
    "lower case": str.lower,
    "capitals": str.upper,
}
"""Styles of writing, each a change that keeps the number of characters of these texts."""
MEANINGLESS = {("credential", "lower case"), ("credential", "capitals")}
"""Pairs that are left out: a key in another case is no key."""
Z = 1.959964
"""Quantile of the normal distribution for an interval of 95 %."""


class Value(NamedTuple):
    template: str
    category: Category
    is_masked: bool


def planted_texts(language: str, each: int, seed: int) -> Iterator[tuple[str, Planted]]:
    """Yield each template of a language with texts made of it."""
    own = (ROOT / "benchmarks" / "inputs" / "recognisers" / f"{language}.txt").read_text().splitlines()
    templates = [*_templates(TEST_SENTENCES[language]), *own] if language in TEST_SENTENCES else own
    locales = LOCALES[language]
    values = [Values(locale, seed) for locale in locales]
    for number in range(each):
        for template in templates:
            yield template, _filled(template, values[number % len(values)])


def measure(language: str, style: str, each: int, seed: int) -> list[Value]:
    """Return every planted value of a language in a style of writing, and whether it is masked wholly."""
    made = list(planted_texts(language, each, seed))
    change = STYLES[style]
    texts = [change(planted.text) for _, planted in made]
    kept = [(pair, text) for pair, text in zip(made, texts, strict=True) if len(text) == len(pair[1].text)]
    found = detector.detect_spans([text for _, text in kept])
    values = []
    for ((template, planted), text), spans in zip(kept, found, strict=True):
        covered = {place for span in spans or () for place in range(span.start, span.end)}
        for true in planted.truth:
            places = [place for place in range(true.start, true.end) if text[place].isalnum()]
            values.append(Value(template, true.category, covered.issuperset(places)))
    return values


def interval(share: float, sentences: int) -> tuple[float, float]:
    """Return Wilson's interval of a share for a number of sentences."""
    middle = (share + Z * Z / (2 * sentences)) / (1 + Z * Z / sentences)
    half = Z / (1 + Z * Z / sentences) * sqrt(share * (1 - share) / sentences + Z * Z / (4 * sentences**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def figures(each: int, seed: int) -> RecogniserFigures:
    rows = []
    for language in ("en", "de", *OTHER_LANGUAGES):
        for style in STYLES:
            by_category: defaultdict[Category, list[Value]] = defaultdict(list)
            for value in measure(language, style, each, seed):
                by_category[value.category].append(value)
            for category in (it for it in CATEGORIES if it in by_category and (it, style) not in MEANINGLESS):
                values = by_category[category]
                share, sentences = sum(it.is_masked for it in values) / len(values), len({it.template for it in values})
                low, high = interval(share, sentences)
                rows.append({
                    "language": language, "style": style, "category": category, "values": len(values),
                    "sentences": sentences, "share": round(share, 3), "low": round(low, 3), "high": round(high, 3),
                })  # fmt: skip
    return RecogniserFigures.model_validate({"figures": rows})


def tables(found: RecogniserFigures) -> str:
    """Return a table for English and German, each by style, and one for the other languages."""
    parts = []
    for language, title in (("en", "English"), ("de", "German")):
        own = [it for it in found.figures if it.language == language]
        columns = {style: {it.category: render_figure(it) for it in own if it.style == style} for style in STYLES}
        parts.append(f"### {title}\n\n{_table(columns)}")
    plain = [it for it in found.figures if it.style == "as written"]
    others = {
        language: {it.category: render_figure(it) for it in plain if it.language == language}
        for language in OTHER_LANGUAGES
    }
    return "\n\n".join([*parts, f"### Other languages, as written\n\n{_table(others)}"])


def _table(columns: Mapping[str, Mapping[str, str]]) -> str:
    categories = [it for it in CATEGORIES if any(it in column for column in columns.values())]
    lines = [f"| class | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {it} | {' | '.join(column.get(it, '') for column in columns.values())} |" for it in categories]
    return "\n".join(lines)


def with_tables(page: str, found: RecogniserFigures) -> str:
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(found)}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=20, help="texts made of each sentence")
    parser.add_argument("--seed", type=int, default=31)
    given = parser.parse_args()
    with names_held_out(0.5):
        found = figures(given.each, given.seed)
    lines = [
        f"  - {{{', '.join(f'{name}: {value}' for name, value in it.model_dump().items())}}}" for it in found.figures
    ]
    FIGURES_PATH.write_text("\n".join(["# Written by benchmarks/recogniser_table.py.", "figures:", *lines]) + "\n")
    load_figures.cache_clear()
    PAGE.write_text(with_tables(PAGE.read_text(), load_figures()))
    print(tables(found))


if __name__ == "__main__":
    main()
