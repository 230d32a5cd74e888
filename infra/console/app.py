"""The application: every row of pages.py and actions.py as a route, and nothing besides."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import quote, urlsplit

import jinja2
from fastapi import Depends, FastAPI, Form, Header
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from infra.console import answers, signing
from infra.console.accounts import Accounts
from infra.console.guard import guard
from infra.console.pages import PAGES, Page, api_path, csv_path
from infra.console.sessions import LONGEST, Session, Sessions
from infra.console.site import Here, Site
from infra.console.store import open_store
from infra.console.views.files import docs_file, report_file
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.shown import json_text, visible
from tasks.policy.people import Person

STATUS: dict[type[HallmarkError], int] = {InputError: 400, Refused: 409, Unavailable: 503}
FRAMED = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "sandbox allow-same-origin"
)
"""Of a page that a run made: it runs nothing, asks nobody else, and leads to its own other pages."""


Token = Annotated[str, Header(max_length=100)]


class NotSignedIn(Exception):
    """Nobody is signed in, or time is over."""


class Spelled(JSONResponse):
    """JSON in which every character shows."""

    def render(self, content: Any) -> bytes:
        return json_text(content).encode()


class Visitor(BaseModel):
    """Who is signed in, and the token that their forms carry."""

    model_config = {"arbitrary_types_allowed": True}
    person: Person
    session: Session


def application(site: Site) -> FastAPI:
    """The console of a checkout. Raises Unavailable where its database cannot be used."""
    return _Console(site).app


def cookie_of(origin: str) -> str:
    """The name of its cookie: a browser sends cookies to every port of a host, and several consoles may be on one."""
    parts = urlsplit(origin)
    return "__Host-hallmark" if parts.scheme == "https" else f"hallmark_{parts.port}"


class _Console:
    def __init__(self, site: Site) -> None:
        self.site, engine = site, open_store(site.state)
        self.accounts, self.sessions = Accounts(engine), Sessions(engine)
        self.pages: jinja2.Environment = answers.environment()
        self.secure, self.cookie = urlsplit(site.origin).scheme == "https", cookie_of(site.origin)
        self.app = FastAPI(
            title="Hallmark", docs_url=None, redoc_url=None, openapi_url="/openapi.json", default_response_class=Spelled
        )
        self.app.middleware("http")(guard(site.origin))
        self.app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
        for page in PAGES:
            self._serve(page)
        self._act()
        self._fail()

    def _here(self) -> Here:
        return Here(self.site)

    def visitor(self, request: Request) -> Visitor:
        """Who asks. Raises NotSignedIn, or Refused for who holds no role any more."""
        by_itself = "hx-request" in request.headers
        session = self.sessions.find(request.cookies.get(self.cookie, ""), datetime.now(UTC), uses=not by_itself)
        if session is None:
            raise NotSignedIn
        try:
            person = self._here().person(session.person)
        except InputError as error:
            raise Refused(str(error)) from None
        return Visitor(person=person, session=session)

    def _serve(self, page: Page) -> None:
        """A page's HTML, its JSON, and its CSV where it is a list."""
        result = get_type_hints(page.view, include_extras=True)["return"]

        def html(view: BaseModel, request: Request, visitor: Visitor) -> Response:
            return self._page(page.template, request, visitor, page=page, title=page.title, view=view)

        def json(view: BaseModel, request: Request, visitor: Visitor) -> BaseModel:
            return view

        self._route(page.path, page, html, HTMLResponse, in_schema=False)
        self._route(api_path(page), page, json, None, in_schema=True, model=result)
        if (kind := _line_of(result)) is not None:

            def csv(view: BaseModel, request: Request, visitor: Visitor) -> Response:
                name = csv_path(page).strip("/").replace("/", "-")
                disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
                return Response(answers.as_csv(view, kind), media_type="text/csv; charset=utf-8", headers=disposition)

            self._route(csv_path(page), page, csv, None, in_schema=False)

    def _route(
        self, path: str, page: Page, answer: Callable[..., Any], kind: type[Response] | None, in_schema: bool,
        model: Any = None,
    ) -> None:  # fmt: skip
        """A GET whose parameters are those of the page's view."""
        given = [each for name, each in inspect.signature(page.view).parameters.items() if name not in GIVEN]
        hints = get_type_hints(page.view, include_extras=True)

        @wraps(page.view)
        def endpoint(request: Request, visitor: Visitor, **asked: Any) -> Any:
            return answer(page.view(self._here(), visitor.person, **asked), request, visitor)

        own = [
            inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request),
            inspect.Parameter(
                "visitor",
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=Annotated[Visitor, Depends(self.visitor)],
            ),
        ]
        asked = [
            each.replace(annotation=hints[each.name], kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in given
        ]
        asked = [each for each in asked if each.default is each.empty] + [
            each for each in asked if each.default is not each.empty
        ]
        endpoint.__signature__ = inspect.Signature(own + asked)  # type: ignore[attr-defined]
        options: dict[str, Any] = {"include_in_schema": in_schema, "response_model": model}
        if kind is not None:
            options["response_class"] = kind
        self.app.get(path, name=path, **options)(endpoint)

    def _page(
        self, template: str, request: Request, visitor: Visitor | None, status: int = 200, **more: Any
    ) -> Response:
        said = {
            "here": request.url.path,
            "again": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "person": visitor.person if visitor else None,
            "form_token": visitor.session.form_token if visitor else "",
            "page": None,
            "origin": self.site.origin,
            **more,
        }
        return HTMLResponse(self.pages.get_template(template).render(said), status)

    def _act(self) -> None:
        app, visitor = self.app, Depends(self.visitor)

        @app.get("/health", include_in_schema=False)
        def health() -> dict[str, str]:
            return {"hallmark": "up"}

        @app.get("/sign-in", include_in_schema=False)
        def ask(request: Request, next: str = "/") -> Response:
            return self._page("sign_in.html", request, None, title="Sign in", next=_own(next), wrong="", known="")

        @app.post("/sign-in", include_in_schema=False)
        def sign_in(
            request: Request, person: Annotated[str, Form(max_length=200)], password: Annotated[str, Form()],
            next: Annotated[str, Form()] = "/",
        ) -> Response:  # fmt: skip
            now = datetime.now(UTC)
            try:
                self.accounts.require(person, password, now)
                self._here().person(person)
            except (InputError, Refused) as error:
                said = {"title": "Sign in", "next": _own(next), "wrong": str(error), "known": person}
                return self._page("sign_in.html", request, None, 403, **said)
            answer = RedirectResponse(_own(next), HTTP_303_SEE_OTHER)
            answer.set_cookie(
                self.cookie, self.sessions.begin(person, now), max_age=int(LONGEST.total_seconds()), path="/",
                secure=self.secure, httponly=True, samesite="strict",
            )  # fmt: skip
            return answer

        @app.post("/sign-out", include_in_schema=False)
        def sign_out(request: Request, form_token: Annotated[str, Form()], who: Visitor = visitor) -> Response:
            _require_own(who, form_token)
            self.sessions.end(request.cookies.get(self.cookie, ""))
            answer = RedirectResponse("/sign-in", HTTP_303_SEE_OTHER)
            answer.delete_cookie(self.cookie, path="/")
            return answer

        @app.post("/gates/{run}/{gate}/draw", tags=["decide"])
        def draw(
            run: str, gate: str, wanted: signing.Wanted, x_form_token: Token = "", who: Visitor = visitor
        ) -> signing.ToSign:
            _require_own(who, x_form_token)
            return signing.draw(self._here(), who.person, run, gate, wanted)

        @app.post("/gates/{run}/{gate}/decide", tags=["decide"])
        def decide(
            run: str, gate: str, signed: signing.Signed, x_form_token: Token = "", who: Visitor = visitor
        ) -> signing.Done:
            _require_own(who, x_form_token)
            return signing.take(self._here(), who.person, run, gate, signed)

        @app.post("/incidents/{incident}/draw", tags=["decide"])
        def draw_close(
            incident: str, wanted: signing.Close, x_form_token: Token = "", who: Visitor = visitor
        ) -> signing.ToSign:
            _require_own(who, x_form_token)
            return signing.draw_close(self._here(), who.person, incident, wanted)

        @app.post("/incidents/{incident}/decide", tags=["decide"])
        def take_close(
            incident: str, signed: signing.SignedClose, x_form_token: Token = "", who: Visitor = visitor
        ) -> signing.Done:
            _require_own(who, x_form_token)
            return signing.take_close(self._here(), who.person, incident, signed)

        @app.get("/runs/{run}/report", include_in_schema=False)
        def report(run: str, who: Visitor = visitor) -> Response:
            return _framed(report_file(self._here(), run))

        @app.get("/runs/{run}/docs/{path:path}", include_in_schema=False)
        def docs(run: str, path: str, who: Visitor = visitor) -> Response:
            return _framed(docs_file(self._here(), run, path))

    def _fail(self) -> None:
        """What went wrong, in words: a page for a reader, JSON for a program."""

        @self.app.exception_handler(NotSignedIn)
        async def not_signed_in(request: Request, _: Exception) -> Response:
            if _is_program(request):
                return Spelled({"error": "sign in first"}, 401)
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/sign-in?next={quote(asked)}", HTTP_303_SEE_OTHER)

        @self.app.exception_handler(HallmarkError)
        async def known(request: Request, error: HallmarkError) -> Response:
            return self._wrong(request, STATUS.get(type(error), 409), str(error))

        @self.app.exception_handler(HTTPException)
        async def no_page(request: Request, error: HTTPException) -> Response:
            return self._wrong(request, error.status_code, str(error.detail))

        @self.app.exception_handler(RequestValidationError)
        async def malformed(request: Request, error: RequestValidationError) -> Response:
            said = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
            return self._wrong(request, 400, said)

    def _wrong(self, request: Request, status: int, text: str) -> Response:
        if _is_program(request):
            return Spelled({"error": visible(text)}, status)
        return self._page("error.html", request, None, status, title="That did not work", text=text)


GIVEN = ("here", "person")
"""Parameters of a view that are not the reader's."""


def _line_of(result: Any) -> type[BaseModel] | None:
    """The type of a view's lines; None where it is no list."""
    field = result.model_fields.get("rows")
    return field.annotation.__args__[0] if field is not None else None


def _is_program(request: Request) -> bool:
    return request.url.path.startswith("/api/") or "application/json" in request.headers.get("content-type", "")


def _own(path: str) -> str:
    """A path of this console; its first page in place of any other address."""
    try:
        parts = urlsplit(path)
    except ValueError:  # of an address with half a bracket
        return "/"
    ours = path.startswith("/") and not (parts.scheme or parts.netloc) and not path.startswith(("//", "/\\"))
    return path if ours and path.isprintable() else "/"


def _require_own(who: Visitor, token: str) -> None:
    if not who.session.owns(token):
        raise Refused("this form is of another session; load the page anew")


def _framed(path: Path) -> Response:
    return FileResponse(path, headers={"Content-Security-Policy": FRAMED, "X-Frame-Options": "SAMEORIGIN"})
