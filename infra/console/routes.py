"""Routes of all pages and statements in the tables of pages.py and actions.py.

The signature of a view declares the parameters of its route.
"""

import inspect
import re
from collections.abc import Callable
from contextlib import nullcontext
from inspect import Parameter
from typing import Annotated, Any, get_type_hints
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, Header
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from infra.console import rendering
from infra.console.actions import SIGNABLE_STATEMENTS, SignableStatement
from infra.console.context import ConsoleContext, Visitor
from infra.console.pages import PAGES, Page, api_path, csv_paths
from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.console.views.run_pages import docs_file, measurements_report_file, report_file
from infra.console.views.runs import MAX_ROWS
from tasks.policy import in_force

SERVER_PARAMETERS = ("here", "person")
FormToken = Annotated[str, Header(max_length=100)]
FRAMED_PAGE_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox allow-same-origin"
)
"""Content-Security-Policy of HTML pages that a run generated. They run no scripts and load nothing over the network,
but can link to each other."""


def add_routes(app: FastAPI, context: ConsoleContext) -> None:
    for page in PAGES:
        _add_csv_routes(app, context, page)
    for page in PAGES:
        _add_page_routes(app, context, page)
    for signing in SIGNABLE_STATEMENTS:
        _add_signing_route(app, context, f"{signing.path}/draw", signing, signing.draft)
        _add_signing_route(app, context, f"{signing.path}/decide", signing, signing.record)
    _add_run_pages(app, context)


def _add_csv_routes(app: FastAPI, context: ConsoleContext, page: Page) -> None:
    """Add a page's CSV routes.

    They must precede the routes of all pages, because `/releases/LABEL` also matches their paths.
    """

    def csv_of(table: str) -> Callable[..., Response]:
        def csv(request: Request, visitor: Visitor, **asked: Any) -> Response:
            text = rendering.render_csv(_read_view(context, page, visitor, asked), table)
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", request.url.path.strip("/"))
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

        return csv

    for table, path in csv_paths(page).items():
        app.get(path, include_in_schema=False, response_model=None)(
            _make_endpoint(context, csv_of(table), page.view, Request)
        )


def _add_page_routes(app: FastAPI, context: ConsoleContext, page: Page) -> None:
    result = get_type_hints(page.view, include_extras=True)["return"]
    hidden: dict[str, Any] = {"include_in_schema": False, "response_model": None}

    def html(request: Request, visitor: Visitor, **asked: Any) -> Response:
        view = _read_view(context, page, visitor, asked)
        also = export_links(page, request)
        return context.render_page(page.template, request, visitor, page=page, title=page.title, view=view, also=also)

    def json(visitor: Visitor, **asked: Any) -> Any:
        return _read_view(context, page, visitor, asked)

    app.get(page.path, response_class=HTMLResponse, **hidden)(_make_endpoint(context, html, page.view, Request))
    app.get(api_path(page), name=page.path, response_model=result)(_make_endpoint(context, json, page.view))


def _read_view(context: ConsoleContext, page: Page, visitor: Visitor, parameters: dict[str, Any]) -> Any:
    """Return the content of a page.

    It is read from a single state of the ledger, unless the view calls another server.
    """
    here = context.request_state()
    with nullcontext() if page.calls_other_servers else here.ledger.reading():
        TeamAccess(here, visitor.person).require_visible(parameters)
        return page.view(here, visitor.person, **parameters)


def export_links(page: Page, request: Request) -> dict[str, str]:
    """Return the URLs of a page's JSON and CSV, with the query of the request and the highest limit on rows."""
    query = dict(request.query_params)
    if "most" in inspect.signature(page.view).parameters:
        query["most"] = str(MAX_ROWS)
    asked = f"?{urlencode(query)}" if query else ""
    here = {name: quote(value, safe="") for name, value in request.path_params.items()}
    csv = {table.rpartition(".")[2].replace("_", " "): path for table, path in csv_paths(page).items()}
    return {name: path.format(**here) + asked for name, path in {"JSON": api_path(page), **csv}.items()}


def _add_signing_route(
    app: FastAPI, context: ConsoleContext, path: str, signing: SignableStatement, act: Callable[..., Any]
) -> None:
    def done(visitor: Visitor, x_form_token: str = "", **asked: Any) -> Any:
        visitor.require_form_token(x_form_token)
        here = context.request_state()
        here.require_actor(visitor.person.id)
        TeamAccess(here, visitor.person).require_visible(asked)
        in_force.require_unchanged_ledger(here.ledger, here.governance)
        return act(here, visitor.person, **asked)

    result = get_type_hints(act)["return"]
    endpoint = _make_endpoint(context, done, act, token=True)
    app.post(path, name=path, description=signing.description, tags=["sign"], response_model=result)(endpoint)


def _make_endpoint(
    context: ConsoleContext,
    handler: Callable[..., Any],
    view: Callable[..., Any],
    *own: type[Request],
    token: bool = False,
) -> Callable[..., Any]:
    """Return `handler` with a signature that FastAPI reads.

    The signature contains the visitor and the parameters of `view`, without SERVER_PARAMETERS.
    """
    hints = get_type_hints(view, include_extras=True)
    known = inspect.signature(view).parameters.values()
    given = [
        each.replace(annotation=hints[each.name], kind=Parameter.KEYWORD_ONLY)
        for each in known
        if each.name not in SERVER_PARAMETERS
    ]
    given += [_parameter("request", each) for each in own]
    given.append(_parameter("visitor", Annotated[Visitor, Depends(context.rate_limited_visitor)]))
    given += [_parameter("x_form_token", FormToken).replace(default="")] * token

    def endpoint(**asked: Any) -> Any:
        return handler(**asked)

    endpoint.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    return endpoint


def _parameter(name: str, annotation: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation)


def _add_run_pages(app: FastAPI, context: ConsoleContext) -> None:
    visitor = Depends(context.rate_limited_visitor)

    @app.get("/runs/{run}/report", include_in_schema=False)
    def report(run: str, who: Visitor = visitor) -> Response:
        return _framed_file(report_file(_state_for_run(who, run), who.person, run))

    @app.get("/runs/{run}/measured", include_in_schema=False)
    def measured(run: str, who: Visitor = visitor) -> Response:
        return _framed_file(measurements_report_file(_state_for_run(who, run), who.person, run))

    @app.get("/runs/{run}/docs/{path:path}", include_in_schema=False)
    def docs(run: str, path: str, who: Visitor = visitor) -> Response:
        return _framed_file(docs_file(_state_for_run(who, run), who.person, run, path))

    def _state_for_run(who: Visitor, run: str) -> RequestState:
        here = context.request_state()
        TeamAccess(here, who.person).require_visible({"run": run})
        return here

    def _framed_file(path: Any) -> Response:
        return FileResponse(path, headers={"Content-Security-Policy": FRAMED_PAGE_CSP, "X-Frame-Options": "SAMEORIGIN"})
