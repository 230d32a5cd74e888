"""Routes of data accesses: one record as it is in its source, or all records about a person.

Each access needs a reason, and is recorded in the ledger before anything is shown.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from infra import record_lookup
from infra.console.context import ConsoleContext, Visitor
from infra.console.team_access import TeamAccess
from infra.console.views import evidence_files
from infra.console.views.lineage import Lineage, limit_to_visible
from infra.console.views.run_pages import run_layout
from tasks.core.documents.config import MAX_REASON_CHARS
from tasks.inquiry import access, disclosure
from tasks.runs.run import governance_of_run


def add_routes(app: FastAPI, context: ConsoleContext) -> None:
    @app.post("/runs/{run}/shown", include_in_schema=False)
    def shown(
        request: Request, run: str, who: Annotated[Visitor, Depends(context.rate_limited_visitor)],
        record: Annotated[str, Form(max_length=200)], reason: Annotated[str, Form(max_length=MAX_REASON_CHARS)],
        form_token: Annotated[str, Form(max_length=100)],
    ) -> Response:  # fmt: skip
        who.require_form_token(form_token)
        here = context.request_state()
        TeamAccess(here, who.person).require_visible({"run": run})
        layout = run_layout(here, run)
        looker = access.access_of_person(governance_of_run(here.root, layout), who.person)
        files = (layout.artefacts("ingest") / f"{name}.parquet" for name in ("records", "rows", "quarantine"))
        with evidence_files.refuse_unreadable_files(run):
            evidence_files.compare_with_evidence(here, layout, "data", *(path for path in files if path.exists()))
            view = disclosure.disclose_row(layout, record, looker, reason, here.ledger)
        return context.render_page("shown.html", request, who, title="Record", view=view, run=run)

    @app.post("/where", include_in_schema=False)
    def sought(
        request: Request, who: Annotated[Visitor, Depends(context.rate_limited_visitor)],
        subject: Annotated[str, Form(max_length=200)], reason: Annotated[str, Form(max_length=MAX_REASON_CHARS)],
        form_token: Annotated[str, Form(max_length=100)],
    ) -> Response:  # fmt: skip
        who.require_form_token(form_token)
        here = context.request_state()
        looker = access.access_of_person(here.governance, who.person)
        found = record_lookup.find_person(here.state, subject, reason, looker, here.ledger, here.governance)
        rows = limit_to_visible(TeamAccess(here, who.person), found.rows)
        view = Lineage(record="", rows=rows, closed=found.closed, notice=found.notice)
        return context.render_page("where.html", request, who, title="Where is it", view=view, sought=True)
