"""Prefect artifacts of a run: tables of checks and metrics, the decisions for which it waits, and its release.

Files are shown as paths to copy, because browsers do not open links from a web page to a local file.
"""

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger

from flows.lifecycle import activity
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape, escape_markdown, inline_code
from tasks.core.formatting import format_share
from tasks.gates.evidence import Evidence
from tasks.registry.promote.releases import Release
from tasks.runs.reporting.summary import summarise
from tasks.runs.run import Run


def show_checks(asked: Evidence) -> None:
    rows = [
        {"check": c.name, "verdict": c.verdict, "figure": c.fact, "value": c.value, "low": c.low, "high": c.high}
        for c in asked.checks
    ]
    _table(rows, description=f"{asked.gate} gate of run {asked.run}: its automatic checks")


def show_sources(asked: Evidence) -> None:
    if asked.dataset is None:
        return
    rows = [
        {
            "source": name,
            "owner": source.owner,
            "rows": source.rows_read,
            "quarantined": format_share(source.quarantined_share),
            **source.rows,
            "content": asked.change.sources[name].content if asked.change else "",
        }
        for name, source in asked.dataset.sources.items()
    ]
    since = f" since run {asked.change.run}" if asked.change else ""
    _table(rows, description=f"data gate of run {asked.run}: its sources, and what changed{since}")


@task(task_run_name="report", persist_result=False)
def report(run: Run) -> None:
    """Write the evaluation report, and show the candidate's metrics and the paths of the report pages."""
    from tasks.stages.evaluate.report.rendering import write_report

    with activity(run.id, "writing the report"):
        score_planted_values(run)
        write_report(run.layout, run.params.use_case, run.params.evaluation)
    summary = summarise(run.layout.state, run.id)
    if summary is None:
        return
    rows = [{"figure": name, **fact.model_dump()} for name, fact in summary.metrics.items()]
    _table(rows, description=f"run {run.id}: figures of the candidate")
    show_pages(run)


def score_planted_values(run: Run) -> None:
    """Score the detection of values that were planted in the sources as a test, if sources.yaml names a list of them.

    The data gate shows the planted values that masking missed, and the report shows all metrics. For this, the sources
    and the list are read again. If they have changed since the run read them, earlier metrics are kept.
    """
    from tasks.inquiry.planted_defects import score

    try:
        score.write_score(run.layout)
    except Exception as error:
        # Other exceptions may quote a row in their message.
        message = str(error) if isinstance(error, HallmarkError) else type(error).__name__
        get_run_logger().warning(f"there are no new figures of what was planted: {message}")


def show_pages(run: Run) -> None:
    summary = summarise(run.layout.state, run.id)
    written = [("Report", summary.report), ("Data Docs", summary.data_docs)] if summary else []
    lines = [f"{title}: {inline_code(str(path))}" for title, path in written if path]
    if lines:
        _text("\n\n".join(lines), description="open these on the machine of the run")


def show_waiting(run: Run, asked: Evidence, wanted: str) -> None:
    _text(
        f"Run {inline_code(run.id)} waits at its **{asked.gate} gate** for {escape_markdown(wanted)}.\n\n"
        f"Look: {inline_code(f'hallmark gates show {run.id} {asked.gate}')}\n\n"
        f"Decide: {inline_code(f'hallmark gates approve {run.id} {asked.gate} --as ID')}",
        description="what this run waits for",
    )


def show_promoted(release: Release) -> None:
    _text(
        f"**{escape_markdown(release.label)}** is champion.\n\nBundle: {inline_code(str(release.bundle))}\n\n"
        f"Digest: {inline_code(release.sha256)}",
        description="the release that this run made",
    )


def _table(rows: Sequence[Mapping[str, object]], description: str) -> None:
    """Create a table artifact. Prefect renders its description as Markdown and its cells as plain text."""
    shown = [{escape(name): escape(str(cell)) if isinstance(cell, str) else cell for name, cell in row.items()}
             for row in rows]  # fmt: skip
    create_table_artifact(shown, description=escape_markdown(description))


def _text(text: str, description: str) -> None:
    """Create a Markdown artifact. The caller must escape text from outside with `escape_markdown` or `inline_code`."""
    create_markdown_artifact(escape(text), description=escape_markdown(description))
