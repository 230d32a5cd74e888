"""One record as its source has it: for who may see it, for a reason that the ledger keeps before anything is shown."""

from typing import Annotated

from fastapi import Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from infra.console.context import Context, Visitor
from infra.console.views.files import layout_here
from tasks.inquiry import access, disclose
from tasks.runs.run import governance_of


def serve(app: FastAPI, context: Context) -> None:
    @app.post("/runs/{run}/shown", include_in_schema=False)
    def shown(
        request: Request, run: str, who: Annotated[Visitor, Depends(context.visitor)],
        record: Annotated[str, Form(max_length=200)], reason: Annotated[str, Form(max_length=2_000)],
        form_token: Annotated[str, Form(max_length=100)],
    ) -> Response:  # fmt: skip
        who.require_own(form_token)
        here = context.here()
        layout = layout_here(here, run)
        looker = access.of(governance_of(here.site.root, layout), who.person)
        view = disclose.show(layout, record, looker, reason, here.ledger)
        return context.page("shown.html", request, who, title="Record", view=view, run=run)
