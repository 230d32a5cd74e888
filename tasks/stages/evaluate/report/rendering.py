"""Rendering of the report as one self-contained HTML file. Equal contents give identical bytes.

The page loads no other files and contains no scripts. A content security policy enforces this in the browser. Text from
customers and models is escaped. Even unescaped, it would be harmless under this policy.
"""

from pathlib import Path

import jinja2
from markupsafe import Markup

from tasks.core import facts
from tasks.core.facts import Fact, Facts
from tasks.core.files import read_stage_json, write_bytes
from tasks.core.layout import Layout
from tasks.core.pages import template_environment
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.use_case import UseCase
from tasks.stages.evaluate import judged_rows
from tasks.stages.evaluate.metrics_schema import Metrics
from tasks.stages.evaluate.model_names import MODEL_TITLES, MODELS, ModelName
from tasks.stages.evaluate.report import (
    charts,
    confidence_charts,
    data_section,
    leakage_section,
    page_contents,
    planted_defects,
    stage_results,
    suite_section,
    untested,
    worst_failures,
)
from tasks.stages.evaluate.report.page_contents import ReportContents

TEMPLATES = Path(__file__).parent / "templates"
DATA_DOCS_PATH = "../artefacts/validate/docs/index.html"
MAX_PROMPT_CHARS = 320


def render_report(contents: ReportContents) -> str:
    template = _templates().get_template("report.html")
    success = page_contents.judge_success_metrics(contents)
    return template.render(
        contents=contents,
        card=contents.card,
        metrics=contents.metrics,
        account=contents.account,
        titles=MODEL_TITLES,
        success=success,
        headline=page_contents.headline_verdict(contents.metrics),
        verdicts={
            other: page_contents.verdict(other, compared, contents.metrics)
            for other, compared in contents.metrics.overall.comparisons.items()
        },
        dimensions=page_contents.slices_by_field(contents.metrics),
        quotes=page_contents.quoted_rows(contents),
        worst=worst_failures.find_worst_failures(contents.suites, contents.examples),
        untested=untested.list_untested(contents.metrics, contents.suites, contents.leakage, success),
        conditions=page_contents.conditions(contents.evaluation),
        bars=data_section.stage_bars(contents.account),
        protected=data_section.protected_classes(contents.account.protected),
        repeats=data_section.removed_by_rule(contents.account.flows),
        curve=charts.loss_curve(contents.account.curve),
        time=charts.time_bar(contents.trained),
        taken=charts.measurement_texts(contents.trained),
        suites=contents.suites,
        leakage=contents.leakage,
        confidence=confidence_charts.confidence_charts(contents.metrics.calibration, contents.metrics.review),
        map=charts.heat_map(contents.examples),
    )


def write_report(layout: Layout, card: UseCase, evaluation: Evaluation) -> Path:
    """Write measured/report.html and return its path.

    Unlike the report of stage `evaluate`, this report includes this machine's measurements, the results on planted
    defects, and a link to the Data Docs.
    """
    stage = layout.artefacts("evaluate")
    contents = ReportContents(
        card=card,
        evaluation=evaluation,
        metrics=Metrics.model_validate(read_stage_json(stage / "metrics.json")),
        facts=facts.read_facts(stage / "result.json"),
        examples=judged_rows.collect_judged_rows(layout, evaluation),
        account=stage_results.read_stage_results(layout),
        suites=suite_section.read_suite_section(layout),
        leakage=leakage_section.read_leakage(layout),
        measured={which: measured for which in MODELS if (measured := _measured(layout, which))},
        trained=_facts(layout.measurements("train")),
        drill=planted_defects.read_planted_defects(layout),
        data_docs=DATA_DOCS_PATH if (layout.root / "measured" / DATA_DOCS_PATH).is_file() else None,
    )
    path = layout.root / "measured" / "report.html"
    write_bytes(path, render_report(contents).encode())
    return path


def _measured(layout: Layout, which: ModelName) -> Facts:
    return _facts(layout.measurements(f"predict/{which}"))


def _facts(folder: Path) -> Facts:
    return facts.read_facts(folder / "facts.json")


def _templates() -> jinja2.Environment:
    pages = template_environment(TEMPLATES)
    pages.filters |= {
        "percent": format_percent,
        "points": page_contents.format_points,
        "level": format_value,
        "difference": format_difference,
        "p": format_p_value,
        "fact": format_fact,
        "short": shorten,
        "breakable": breakable_html,
    }
    return pages


def format_percent(share: float) -> str:
    return f"{share * 100:.1f}"


def format_value(value: float, unit: str) -> str:
    """Format the value of a metric: in percent if the metric has no unit, otherwise as a plain number."""
    return format_number(value) if unit else format_percent(value)


def format_difference(value: float, unit: str) -> str:
    """Format the difference between two values of a metric, in percentage points if the metric has no unit."""
    return f"{'+' if value >= 0 else ''}{format_number(value)}" if unit else page_contents.format_points(value)


def format_number(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def format_p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def format_fact(fact: Fact) -> str:
    interval = f" [{fact.low:.3f}, {fact.high:.3f}]" if fact.low is not None and fact.high is not None else ""
    number = (
        f"{fact.value:,.0f}" if abs(fact.value) >= 1000 else f"{fact.value:.3g}" if fact.unit else f"{fact.value:.3f}"
    )
    return f"{number}{f' {fact.unit}' if fact.unit else ''}{interval}".replace("-", "−")


def breakable_html(text: str) -> Markup:
    return Markup("_<wbr>").join(text.split("_"))


def shorten(text: str, length: int = MAX_PROMPT_CHARS) -> str:
    if len(text) <= length:
        return text
    kept = text[:length]
    return (kept.rsplit(maxsplit=1)[0] if " " in kept[length // 2 :] else kept) + " …"
