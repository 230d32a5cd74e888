"""Routes of data accesses: one record as its source has it, or every record about a person.

Each access needs a reason, and is entered in the ledger before anything is shown.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from infra import whereabouts
from infra.console.context import Context, Visitor
from infra.console.views import looked_at
from infra.console.views.files import layout_here
from infra.console.views.where import Where
from tasks.core.config import MOST_REASON
from tasks.inquiry import access, disclose
from tasks.runs.run import governance_of


def serve(app: FastAPI, context: Context) -> None:
    @app.post("/runs/{run}/shown", include_in_schema=False)
    def shown(
        request: Request, run: str, who: Annotated[Visitor, Depends(context.visiting)],
        record: Annotated[str, Form(max_length=200)], reason: Annotated[str, Form(max_length=MOST_REASON)],
        form_token: Annotated[str, Form(max_length=100)],
    ) -> Response:  # fmt: skip
        who.require_own(form_token)
        here = context.here()
        layout = layout_here(here, run)
        looker = access.of(governance_of(here.site.root, layout), who.person)
        files = (layout.stage("ingest") / f"{name}.parquet" for name in ("records", "rows", "quarantine"))
        with looked_at.written_by(run):
            looked_at.require(here, layout, "data", *(path for path in files if path.exists()))
            view = disclose.show(layout, record, looker, reason, here.ledger)
        return context.page("shown.html", request, who, title="Record", view=view, run=run)

    @app.post("/where", include_in_schema=False)
    def sought(
        request: Request, who: Annotated[Visitor, Depends(context.visiting)],
        subject: Annotated[str, Form(max_length=200)], reason: Annotated[str, Form(max_length=MOST_REASON)],
        form_token: Annotated[str, Form(max_length=100)],
    ) -> Response:  # fmt: skip
        who.require_own(form_token)
        here = context.here()
        looker = access.of(here.governance, who.person)
        found = whereabouts.of_person(here.state, subject, reason, looker, here.ledger, here.governance)
        view = Where(record="", **vars(found))
        return context.page("where.html", request, who, title="Where is it", view=view, sought=True)
