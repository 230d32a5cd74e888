"""Routes of sign-in with a password, and of sign-out."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from infra.console.accounts import DEVICE_LIFETIME
from infra.console.context import ConsoleContext, Visitor
from infra.console.sessions import MAX_SESSION_DURATION
from tasks.core.errors import InputError, Refused

BrowserMark = Annotated[str, Form(max_length=100)]
"""Random value that the browser stores for this origin only (see `Sessions.begin_session`)."""


def add_routes(app: FastAPI, context: ConsoleContext) -> None:
    @app.get("/sign-in", include_in_schema=False)
    def ask(request: Request, next: str = "/") -> Response:
        return sign_in_page(context, request, next)

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(
        request: Request, person: Annotated[str, Form(max_length=200)], password: Annotated[str, Form()],
        next: Annotated[str, Form()] = "/", mark: BrowserMark = "",
    ) -> Response:  # fmt: skip
        if not context.sign_in_by.passwords:
            return sign_in_page(context, request, next, 403, wrong="nobody signs in with a password here")
        device = request.cookies.get(device_cookie_name(context), "")
        known = context.accounts.is_known_device(person, device, datetime.now(UTC))
        # Strangers cannot fill the queue of known browsers.
        queue = context.known_browser_queue if known else context.sign_in_queue
        try:
            return await queue.run(lambda: _sign_in_with_password(context, person, password, device, next, mark))
        except (InputError, Refused) as error:
            return sign_in_page(context, request, next, 403, wrong=str(error), known=person)

    @app.post("/sign-out", include_in_schema=False)
    def sign_out(
        request: Request,
        form_token: Annotated[str, Form()],
        who: Annotated[Visitor, Depends(context.rate_limited_visitor)],
    ) -> Response:
        who.require_form_token(form_token)
        context.sessions.end_session(request.cookies.get(context.cookie_name, ""))
        answer = RedirectResponse("/sign-in", HTTP_303_SEE_OTHER)
        answer.delete_cookie(context.cookie_name, path="/")
        return answer


def _sign_in_with_password(
    context: ConsoleContext, person: str, password: str, device: str, where: str, mark: str
) -> Response:
    now = datetime.now(UTC)
    stored_hash = context.accounts.verify_password(person, password, now, device)
    context.request_state().require_reader(person)
    answer = begin_session(
        context, RedirectResponse(local_path_or_root(where), HTTP_303_SEE_OTHER), person, now, stored_hash, mark
    )
    answer.set_cookie(
        device_cookie_name(context), context.accounts.remember_device(person, device, now),
        max_age=int(DEVICE_LIFETIME.total_seconds()),
        path="/", secure=context.uses_tls, httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


def device_cookie_name(context: ConsoleContext) -> str:
    return f"{context.cookie_name}-device"


def begin_session(
    context: ConsoleContext,
    answer: Response,
    person: str,
    now: datetime,
    password_hash: str | None = None,
    mark: str = "",
) -> Response:
    answer.set_cookie(
        context.cookie_name, context.sessions.begin_session(person, now, password_hash, mark),
        max_age=int(MAX_SESSION_DURATION.total_seconds()),
        path="/", secure=context.uses_tls, httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


def local_path_or_root(path: str) -> str:
    """Return `path` if it is a path of this console, and `/` otherwise.

    This prevents a link from redirecting people to another site after they sign in.
    """
    try:
        parts = urlsplit(path)
    except ValueError:  # for example `//[`, an incomplete IPv6 address
        return "/"
    is_local = path.startswith("/") and not (parts.scheme or parts.netloc) and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() else "/"


def sign_in_page(
    context: ConsoleContext, request: Request, where: str, status: int = 200, wrong: str = "", known: str = ""
) -> Response:
    by = context.sign_in_by
    said = {
        "title": "Sign in", "next": local_path_or_root(where), "wrong": wrong, "known": known,
        "passwords": by.passwords, "provider": by.provider.name if by.provider else "",
    }  # fmt: skip
    return context.render_page("sign_in.html", request, None, status, **said)
