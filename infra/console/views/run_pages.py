"""Pages that a run wrote into its folder: the evaluation report and the Data Docs.

Pages on which decisions are based are compared with the digests in the gate's evidence. The report with latency and
cost contains measurements of one machine, so the evidence has no digest of it.
"""

from pathlib import Path

from infra.console.site import RequestState
from infra.console.views import evidence_files, free_text
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs.request import require_run_id
from tasks.trust.gate_statement import GateName

DOCS_SUFFIXES = (".html", ".css", ".png", ".svg", ".woff", ".woff2")


def report_file(here: RequestState, person: Person, run: str) -> Path:
    """Return the path of the evaluation report.

    Raises:
        InputError: The run has no report yet.
        Refused: The report differs from its digest in the gate's evidence. It is also raised if the run has not reached
            the gate and the person may not see free text of the run.
    """
    layout = run_layout(here, run)
    path = layout.artefacts("evaluate") / "report.html"
    if not path.is_file():
        raise InputError(f"run {run} has no evaluation report yet")
    _require_evidence_or_access(here, person, layout, "evaluation", path)
    return path


def measurements_report_file(here: RequestState, person: Person, run: str) -> Path:
    """Return the path of the report with latency and cost.

    Raises:
        InputError: The run has no such report yet.
        Refused: The run has not reached the evaluation gate, and the person may not see free text of the run.
    """
    layout = run_layout(here, run)
    path = layout.root / "measured" / "report.html"
    if not path.is_file():
        raise InputError(f"run {run} has measured no latency and cost yet")
    _require_evidence_or_access(here, person, layout, "evaluation")
    return path


def docs_file(here: RequestState, person: Person, run: str, path: str) -> Path:
    """Return the path of a file of the Data Docs, or of their start page if `path` is empty.

    Raises:
        InputError: The Data Docs have no such file.
        Refused: As in `report_file`, with the data gate instead of the evaluation gate.
    """
    layout = run_layout(here, run)
    folder = (layout.artefacts("validate") / "docs").resolve()
    if not path:
        path = next((str(each.relative_to(folder)) for each in sorted(folder.glob("**/index.html"))), "index.html")
    try:
        wanted = (folder / path).resolve()
        is_doc_page = wanted.is_relative_to(folder) and wanted.is_file() and wanted.suffix in DOCS_SUFFIXES
    except (ValueError, OSError):  # a path with a zero byte, or one that is too long
        is_doc_page = False
    if not is_doc_page:
        raise InputError(f"run {run} has no such page in its Data Docs")
    _require_evidence_or_access(
        here, person, layout, "data", layout.artefacts("validate") / "docs" / wanted.relative_to(folder)
    )
    return wanted


def _require_evidence_or_access(
    here: RequestState, person: Person, layout: Layout, gate: GateName, *paths: Path
) -> None:
    """Require access to the run's free text, unless the files match the digests in the gate's evidence.

    Files that were not compared with the evidence of a gate can quote any record.
    """
    if not evidence_files.compare_with_evidence(here, layout, gate, *paths):
        free_text.require_free_text_access(here, layout, person, "pages")


def run_layout(here: RequestState, run: str) -> Layout:
    """Return the layout of a run in this checkout. The run need not exist.

    Raises:
        InputError: `run` is not a run id.
    """
    return Layout(here.state / "runs" / require_run_id(run))
