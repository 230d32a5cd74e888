"""Comparison as one HTML file that loads nothing."""

from pathlib import Path

from tasks.compare import chart
from tasks.compare.comparison import STATE_NAMES
from tasks.compare.document import ComparedModel, ComparisonDocument
from tasks.compare.outcome import State
from tasks.core.pages import template_environment
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.uncertainty import Interval

TEMPLATES = Path(__file__).parent / "templates"


def render(document: ComparisonDocument) -> str:
    pages = template_environment(TEMPLATES)
    pages.filters |= {"score": format_score, "figure": format_number, "points": format_points}
    return pages.get_template("comparison.html").render(
        it=document,
        picture=chart.lay_out(document),
        size=(chart.WIDTH, chart.HEIGHT, chart.LEFT, chart.RIGHT, chart.TOP, chart.BOTTOM),
        words=STATE_NAMES,
        verdict=summarise(document),
        lines=[(each, state) for each in document.bases for state in each.standings],
    )


def summarise(document: ComparisonDocument) -> str:
    if document.best is None:
        return "No base model that policy allows was asked."
    best = next(each for each in document.bases if each.name == document.best)
    others = [(each, compared) for each in document.bases if (compared := _difference_from_best(each, document.state))]
    worse = [each.name for each, compared in others if compared.verdict == "worse"]
    open_ = [each.name for each, compared in others if compared.verdict == "undecided"]
    quality = best.quality(document.state)
    if not quality.value:
        return f"No base model gave a right answer {STATE_NAMES[document.state]}: {format_percent(quality)}."
    summary = f"{best.name} has most right answers {STATE_NAMES[document.state]}: {format_percent(quality)}."
    summary += f" Shown to be worse: {', '.join(worse)}." if worse else ""
    return summary + (
        f" No difference is shown from {', '.join(open_)}, so cost and terms may decide." if open_ else ""
    )


def _difference_from_best(each: ComparedModel, state: State) -> Comparison | None:
    return each.standings[state].against_best if state in each.standings else None


def format_percent(it: Interval) -> str:
    return f"{it.value * 100:.1f} % [{it.low * 100:.1f}, {it.high * 100:.1f}]"


def format_score(it: Interval, unit: str) -> str:
    """Format a metric's value with its unit, or as a percentage with its interval if the metric has no unit."""
    return format_number(it.value, unit) if unit else format_percent(it)


def format_points(it: Interval) -> str:
    return f"{it.value * 100:+.1f} [{it.low * 100:+.1f}, {it.high * 100:+.1f}]".replace("-", "−")


def format_number(value: float | None, unit: str = "") -> str:
    """Format a number to three significant digits, and None as a dash."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
