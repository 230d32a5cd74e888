"""Routes of sign-in with an OpenID Connect provider: the redirect to it, and the callback."""

import string
import time
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER

from infra.console import sign_in
from infra.console.context import ConsoleContext
from infra.console.oidc.provider import Provider
from infra.console.oidc.transactions import MAX_SIGN_IN_SECONDS, SignInTransaction, SignInTransactions
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.policy.people import Person

CALLBACK_PATH = "/sign-in/callback"
QueryValue = Annotated[str, Query(max_length=4096)]


def add_routes(app: FastAPI, context: ConsoleContext) -> None:
    settings, transactions = context.sign_in_by.provider, SignInTransactions()
    provider = Provider(settings, context.site.origin + CALLBACK_PATH) if settings else None
    cookie = f"{context.cookie_name}-way"

    @app.get("/sign-in/elsewhere", include_in_schema=False)
    def leave(request: Request, next: QueryValue = "/", mark: Annotated[str, Query(max_length=100)] = "") -> Response:
        if provider is None:
            return _no_provider_page(context, request)
        going, sealed = transactions.begin_sign_in(sign_in.local_path_or_root(next), time.time(), mark)
        try:
            answer = RedirectResponse(provider.authorization_url(going), HTTP_303_SEE_OTHER)
        except (InputError, Unavailable) as error:
            return sign_in.sign_in_page(context, request, next, 503, wrong=str(error))
        # Lax, because the navigation back begins on the provider's page.
        answer.set_cookie(
            cookie,
            sealed,
            max_age=MAX_SIGN_IN_SECONDS,
            path="/",
            secure=context.uses_tls,
            httponly=True,
            samesite="lax",
        )
        return answer

    @app.get(CALLBACK_PATH, include_in_schema=False)
    def come_back(
        request: Request, state: QueryValue = "", code: QueryValue = "", iss: QueryValue = "", error: QueryValue = ""
    ) -> Response:
        if provider is None:
            return _no_provider_page(context, request)
        going: SignInTransaction | None = None
        try:
            going = transactions.complete_sign_in(request.cookies.get(cookie, ""), state, time.time())
            subject = provider.exchange_code({"code": code, "iss": iss, "error": error}, going)
            answer = _signed_in_page(
                context, request, _person_of_subject(context, provider.settings.issuer, subject), going
            )
        except HallmarkError as fault:
            status = 503 if isinstance(fault, Unavailable) else 403
            wrong = f"{fault}. Sign in again" if going is None else str(fault)
            answer = sign_in.sign_in_page(context, request, going.where if going else "/", status, wrong=wrong)
        if going is not None:  # an answer to another sign-in does not end this one
            answer.delete_cookie(cookie, path="/", secure=context.uses_tls, httponly=True, samesite="lax")
        return answer


def _person_of_subject(context: ConsoleContext, issuer: str, subject: str) -> Person:
    here = context.request_state()
    person = here.governance.people.find_by_account(issuer, subject)
    if person is None:
        raise Refused(
            f"{issuer} knows you as {subject}, and nobody in people.yaml signs in so. To add to your entry: "
            f'sign_in: [{{issuer: "{issuer}", subject: "{subject}"}}]'
        )
    return here.require_reader(person.id)


def _signed_in_page(
    context: ConsoleContext, request: Request, person: Person, transaction: SignInTransaction
) -> Response:
    """Begin a session, and return a page that loads the requested page.

    Browsers would treat a redirect as part of the navigation that began on the provider's page, and send no
    SameSite=Strict cookies with it.
    """
    to = quote(transaction.where, safe=string.punctuation)
    answer = context.render_page("signed_in.html", request, None, title="Signed in", where=to)
    answer.headers["Refresh"] = f"0; url={to}"
    return sign_in.begin_session(context, answer, person.id, datetime.now(UTC), mark=transaction.mark)


def _no_provider_page(context: ConsoleContext, request: Request) -> Response:
    return sign_in.sign_in_page(context, request, "/", 404, wrong="no provider signs people in here")
