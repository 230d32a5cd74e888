"""Files that the stages of a run wrote, each with its digest in the signed stage record."""

from infra.console.site import RequestState
from infra.console.views import free_text
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.gates import record_chain
from tasks.policy.people import Person
from tasks.runs.run import governance_of_run
from tasks.trust.stage_record import SignedRecord

PAGE_SIZE = 200


class ArtefactFile(FrozenModel):
    stage: str
    path: str
    """Path relative to the run's worktree."""
    bytes: int | None
    """Current size of the file in bytes; null if the file is not on this machine."""
    sha256: str
    """Signed digest. Each gate compares the file with this digest; this page does not."""


class StageRecordSummary(FrozenModel):
    stage: str
    files: int
    computed_in: str
    """Id of the run that computed the stage. If the outputs come from the stage cache, it is an earlier run."""
    sandbox: str
    """Program and version of the sandbox in which the stage ran; empty if it ran without one."""
    sha256: str


class Artefacts(FrozenModel):
    run: str
    stages: list[StageRecordSummary]
    rows: list[ArtefactFile]
    """Files, sorted by stage and path."""
    total: int


def artefacts(here: RequestState, person: Person, run: str, most: RowLimit = PAGE_SIZE) -> Artefacts:
    """Return the files of a run.

    Raises:
        InputError: This checkout has no such run.
        Refused: The run is an experiment, and the person may not see its free text. File names count as free text,
            because the code of an experiment chooses them.
    """
    layout = run_layout(here, run)
    if layout.is_experiment:
        free_text.require_free_text_access(here, layout, person, "names of files")
    if not layout.root.is_dir():
        raise InputError(f"there is no run {run!r} here")
    signed = record_chain.records_of_run(here.ledger, governance_of_run(here.root, layout), run)
    known = {name: signed[name] for name in DVC_STAGES if name in signed}
    listed = [(name, path, sha256) for name, record in known.items() for path, sha256 in sorted(record.outputs.items())]
    return Artefacts(
        run=run,
        stages=[_record(name, record) for name, record in known.items()],
        rows=[
            ArtefactFile(stage=name, path=path, bytes=_file_size(layout, path), sha256=sha256)
            for name, path, sha256 in listed[:most]
        ],
        total=len(listed),
    )


def _record(name: str, record: SignedRecord) -> StageRecordSummary:
    where = record.record.environment
    return StageRecordSummary(
        stage=name, files=len(record.outputs), computed_in=where.run, sandbox=where.sandbox or "", sha256=record.sha256
    )


def _file_size(layout: Layout, path: str) -> int | None:
    file = layout.root / path
    return file.lstat().st_size if file.is_file() and not file.is_symlink() else None
