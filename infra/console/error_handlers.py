"""Error responses: a page for people, JSON for programs."""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from infra.console.context import ConsoleContext, NotSignedIn, path_and_query
from infra.http.rate_limits import TooManyRequests
from infra.logs.settings import log_path
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.escaping import escape_hidden, escaped_json

STATUS_BY_ERROR: dict[type[HallmarkError], int] = {InputError: 400, Refused: 409, Unavailable: 503}


class EscapedJSONResponse(JSONResponse):
    def render(self, content: Any) -> bytes:
        return escaped_json(content).encode()


def add_error_handlers(app: FastAPI, context: ConsoleContext) -> None:
    def wrong(request: Request, status: int, text: str) -> Response:
        if _is_program(request):
            return EscapedJSONResponse({"error": escape_hidden(text)}, status)
        return context.render_page("error.html", request, None, status, title="That did not work", text=text)

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, _: Exception) -> Response:
        if _is_program(request):
            return EscapedJSONResponse({"error": "sign in first"}, 401)
        return RedirectResponse(f"/sign-in?next={quote(path_and_query(request))}", HTTP_303_SEE_OTHER)

    @app.exception_handler(TooManyRequests)
    async def too_many(request: Request, _: Exception) -> Response:
        answer = wrong(request, 429, "you ask for too much at once, or within a minute; wait, then ask again")
        answer.headers["Retry-After"] = "60"
        return answer

    @app.exception_handler(HallmarkError)
    async def known(request: Request, error: HallmarkError) -> Response:
        return wrong(request, STATUS_BY_ERROR.get(type(error), 409), str(error))

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        place = ".hallmark/console/console.log" if log_path() else "standard error of the console"
        return wrong(request, 500, f"the console failed ({type(error).__name__}); its log says where: {place}")

    @app.exception_handler(HTTPException)
    async def no_page(request: Request, error: HTTPException) -> Response:
        return wrong(request, error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return wrong(request, 400, said)


def _is_program(request: Request) -> bool:
    return request.url.path.startswith("/api/") or "application/json" in request.headers.get("content-type", "")
