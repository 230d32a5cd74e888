"""HTML page of a comparison: a single file that loads no other resources."""

from pathlib import Path

from tasks.compare import chart
from tasks.compare.comparison import STATE_NAMES
from tasks.compare.document import ComparedModel, ComparisonDocument
from tasks.compare.outcome import ModelState
from tasks.core.pages import template_environment
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.uncertainty import Interval

TEMPLATE_FOLDER = Path(__file__).parent / "templates"


def render_page(document: ComparisonDocument) -> str:
    pages = template_environment(TEMPLATE_FOLDER)
    pages.filters |= {"score": format_score, "figure": format_number, "points": format_percentage_points}
    return pages.get_template("comparison.html").render(
        it=document,
        picture=chart.compute_layout(document),
        size=(
            chart.CHART_WIDTH,
            chart.CHART_HEIGHT,
            chart.LEFT_MARGIN,
            chart.RIGHT_MARGIN,
            chart.TOP_MARGIN,
            chart.BOTTOM_MARGIN,
        ),
        words=STATE_NAMES,
        verdict=summarise_comparison(document),
        lines=[(each, state) for each in document.bases for state in each.standings],
    )


def summarise_comparison(document: ComparisonDocument) -> str:
    if document.best is None:
        return "No base model that policy allows was asked."
    best = next(each for each in document.bases if each.name == document.best)
    others = [(each, compared) for each in document.bases if (compared := _comparison_with_best(each, document.state))]
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


def _comparison_with_best(model: ComparedModel, state: ModelState) -> Comparison | None:
    return model.standings[state].against_best if state in model.standings else None


def format_percent(interval: Interval) -> str:
    return f"{interval.value * 100:.1f} % [{interval.low * 100:.1f}, {interval.high * 100:.1f}]"


def format_score(interval: Interval, unit: str) -> str:
    """Format a metric's value with its unit, or as a percentage with its interval if the metric has no unit."""
    return format_number(interval.value, unit) if unit else format_percent(interval)


def format_percentage_points(interval: Interval) -> str:
    return f"{interval.value * 100:+.1f} [{interval.low * 100:+.1f}, {interval.high * 100:+.1f}]".replace("-", "−")


def format_number(value: float | None, unit: str = "") -> str:
    """Format a number to three significant digits, and None as a dash."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
