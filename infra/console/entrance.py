"""Signing in with a password, and out."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from infra.console.context import Context, Visitor
from infra.console.sessions import LONGEST
from tasks.core.errors import InputError, Refused


def serve(app: FastAPI, context: Context) -> None:
    @app.get("/sign-in", include_in_schema=False)
    def ask(request: Request, next: str = "/") -> Response:
        return form(context, request, next)

    @app.post("/sign-in", include_in_schema=False)
    def sign_in(
        request: Request, person: Annotated[str, Form(max_length=200)], password: Annotated[str, Form()],
        next: Annotated[str, Form()] = "/",
    ) -> Response:  # fmt: skip
        if not context.sign_in_by.passwords:
            return form(context, request, next, 403, wrong="nobody signs in with a password here")
        try:
            context.accounts.require(person, password, datetime.now(UTC))
            context.here().person(person)
        except (InputError, Refused) as error:
            return form(context, request, next, 403, wrong=str(error), known=person)
        return let_in(context, person, next)

    @app.post("/sign-out", include_in_schema=False)
    def sign_out(
        request: Request, form_token: Annotated[str, Form()], who: Annotated[Visitor, Depends(context.visiting)]
    ) -> Response:
        who.require_own(form_token)
        context.sessions.end(request.cookies.get(context.cookie, ""))
        answer = RedirectResponse("/sign-in", HTTP_303_SEE_OTHER)
        answer.delete_cookie(context.cookie, path="/")
        return answer


def let_in(context: Context, person: str, where: str) -> Response:
    """Begin a session, and lead to a page of this console."""
    return seat(context, RedirectResponse(own(where), HTTP_303_SEE_OTHER), person, datetime.now(UTC))


def seat(context: Context, answer: Response, person: str, now: datetime) -> Response:
    """Begin a session, and hand its cookie out with an answer."""
    answer.set_cookie(
        context.cookie, context.sessions.begin(person, now), max_age=int(LONGEST.total_seconds()),
        path="/", secure=context.secure, httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


def own(path: str) -> str:
    """A path of this console; its first page in place of any other address."""
    try:
        parts = urlsplit(path)
    except ValueError:  # of an address with half a bracket
        return "/"
    ours = path.startswith("/") and not (parts.scheme or parts.netloc) and not path.startswith(("//", "/\\"))
    return path if ours and path.isprintable() else "/"


def form(
    context: Context, request: Request, where: str, status: int = 200, wrong: str = "", known: str = ""
) -> Response:
    """The page to sign in on."""
    by = context.sign_in_by
    said = {
        "title": "Sign in", "next": own(where), "wrong": wrong, "known": known, "passwords": by.passwords,
        "provider": by.provider.name if by.provider else "",
    }  # fmt: skip
    return context.page("sign_in.html", request, None, status, **said)
