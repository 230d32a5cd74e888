"""Comparison as one HTML file that loads nothing."""

from pathlib import Path

from tasks.compare import picture
from tasks.compare.compare import WORDS
from tasks.compare.document import Compared, Document
from tasks.compare.outcome import State
from tasks.core.pages import templates
from tasks.stages.evaluate.document import Comparison
from tasks.stages.evaluate.intervals import Interval

TEMPLATES = Path(__file__).parent / "templates"


def render(document: Document) -> str:
    pages = templates(TEMPLATES)
    pages.filters |= {"score": score, "figure": figure, "points": points}
    return pages.get_template("comparison.html").render(
        it=document,
        picture=picture.draw(document),
        size=(picture.WIDTH, picture.HEIGHT, picture.LEFT, picture.RIGHT, picture.TOP, picture.BOTTOM),
        words=WORDS,
        verdict=verdict(document),
        lines=[(each, state) for each in document.bases for state in each.standings],
    )


def verdict(document: Document) -> str:
    """Summarise the comparison in a sentence or two."""
    if document.best is None:
        return "No base model that policy allows was asked."
    best = next(each for each in document.bases if each.name == document.best)
    others = [(each, compared) for each in document.bases if (compared := _against(each, document.state))]
    worse = [each.name for each, compared in others if compared.verdict == "worse"]
    open_ = [each.name for each, compared in others if compared.verdict == "undecided"]
    quality = best.quality(document.state)
    if not quality.value:
        return f"No base model gave a right answer {WORDS[document.state]}: {percent(quality)}."
    told = f"{best.name} has most right answers {WORDS[document.state]}: {percent(quality)}."
    told += f" Shown to be worse: {', '.join(worse)}." if worse else ""
    return told + (f" No difference is shown from {', '.join(open_)}, so cost and terms may decide." if open_ else "")


def _against(each: Compared, state: State) -> Comparison | None:
    return each.standings[state].against_best if state in each.standings else None


def percent(it: Interval) -> str:
    return f"{it.value * 100:.1f} % [{it.low * 100:.1f}, {it.high * 100:.1f}]"


def score(it: Interval, unit: str) -> str:
    """Format a metric's value with its unit, or as a percentage with interval if it has none."""
    return figure(it.value, unit) if unit else percent(it)


def points(it: Interval) -> str:
    """Format a difference of shares in percentage points with its interval."""
    return f"{it.value * 100:+.1f} [{it.low * 100:+.1f}, {it.high * 100:+.1f}]".replace("-", "−")


def figure(value: float | None, unit: str = "") -> str:
    """Format a number to three significant digits, None as a dash."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
