"""Prefect artifacts of a run, which show its checks, metrics, pending decisions and release.

Files are shown as paths to copy, because browsers do not open links from a web page to a local file.
"""

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger

from flows.lifecycle import show_activity
from tasks.core.errors import HallmarkError
from tasks.core.escaping import escape_hidden, escape_markdown, format_inline_code
from tasks.core.formatting import format_share
from tasks.gates.evidence import Evidence
from tasks.registry.promote.releases import Release
from tasks.runs.reporting.summary import summarise_run
from tasks.runs.run import Run


def show_checks(evidence: Evidence) -> None:
    rows = [
        {"check": c.name, "verdict": c.verdict, "figure": c.fact, "value": c.value, "low": c.low, "high": c.high}
        for c in evidence.checks
    ]
    _create_table(rows, description=f"{evidence.gate} gate of run {evidence.run}: its automatic checks")


def show_sources(evidence: Evidence) -> None:
    if evidence.dataset is None:
        return
    rows = [
        {
            "source": name,
            "owner": source.owner,
            "rows": source.rows_read,
            "quarantined": format_share(source.quarantined_share),
            **source.rows,
            "content": evidence.change.sources[name].content if evidence.change else "",
        }
        for name, source in evidence.dataset.sources.items()
    ]
    since = f" since run {evidence.change.run}" if evidence.change else ""
    _create_table(rows, description=f"data gate of run {evidence.run}: its sources, and what changed{since}")


@task(task_run_name="report", persist_result=False)
def create_report(run: Run) -> None:
    """Write the evaluation report, and show the candidate's metrics and the paths of the report pages."""
    from tasks.stages.evaluate.report.rendering import write_report

    with show_activity(run.id, "writing the report"):
        score_planted_values(run)
        write_report(run.layout, run.params.use_case, run.params.evaluation)
    summary = summarise_run(run.layout.state, run.id)
    if summary is None:
        return
    rows = [{"figure": name, **fact.model_dump()} for name, fact in summary.metrics.items()]
    _create_table(rows, description=f"run {run.id}: figures of the candidate")
    show_pages(run)


def score_planted_values(run: Run) -> None:
    """Score the detection of defects that were planted in the sources as a test.

    Nothing is scored unless sources.yaml names a list of planted defects. The data gate shows the planted values that
    were left unmasked, and the report shows all scores. Scoring reads the sources and the list again. If they have
    changed since the run read them, the earlier scores are kept.
    """
    from tasks.inquiry.planted_defects import score

    try:
        score.write_score(run.layout)
    except Exception as error:
        # Other exceptions may quote a row in their message.
        message = str(error) if isinstance(error, HallmarkError) else type(error).__name__
        get_run_logger().warning(f"there are no new figures of what was planted: {message}")


def show_pages(run: Run) -> None:
    summary = summarise_run(run.layout.state, run.id)
    written = [("Report", summary.report), ("Data Docs", summary.data_docs)] if summary else []
    lines = [f"{title}: {format_inline_code(str(path))}" for title, path in written if path]
    if lines:
        _create_text("\n\n".join(lines), description="open these on the machine of the run")


def show_waiting(run: Run, evidence: Evidence, missing_decisions: str) -> None:
    _create_text(
        f"Run {format_inline_code(run.id)} waits at its **{evidence.gate} gate** "
        f"for {escape_markdown(missing_decisions)}.\n\n"
        f"Look: {format_inline_code(f'hallmark gates show {run.id} {evidence.gate}')}\n\n"
        f"Decide: {format_inline_code(f'hallmark gates approve {run.id} {evidence.gate} --as ID')}",
        description="what this run waits for",
    )


def show_promoted(release: Release) -> None:
    _create_text(
        f"**{escape_markdown(release.label)}** is champion.\n\nBundle: {format_inline_code(str(release.bundle))}\n\n"
        f"Digest: {format_inline_code(release.sha256)}",
        description="the release that this run made",
    )


def _create_table(rows: Sequence[Mapping[str, object]], description: str) -> None:
    """Create a table artifact. Prefect renders its description as Markdown and its cells as plain text."""
    shown = [
        {escape_hidden(name): escape_hidden(str(cell)) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in rows
    ]
    create_table_artifact(shown, description=escape_markdown(description))


def _create_text(text: str, description: str) -> None:
    """Create a Markdown artifact. The caller must escape untrusted text with `escape_markdown` or `inline_code`."""
    create_markdown_artifact(escape_hidden(text), description=escape_markdown(description))
