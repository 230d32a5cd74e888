"""State that all routes share: the checkout, accounts and sessions, request limits, and the templates of pages."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from infra.console import rendering
from infra.console.accounts import Accounts
from infra.console.database import open_database
from infra.console.oidc.settings import SignInMethods
from infra.console.sessions import Session, Sessions
from infra.console.site import RequestState, Site
from infra.http.rate_limits import REQUESTS_PER_MINUTE, RateLimits, SignInQueue
from tasks.core.errors import InputError, Refused
from tasks.policy.people import Person


class NotSignedIn(Exception):
    """Raised if a request belongs to no open session."""


class Visitor(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    person: Person
    session: Session

    def require_form_token(self, token: str) -> None:
        """Raise Refused unless the form token was issued to this session."""
        if not self.session.owns_form_token(token):
            raise Refused("this form is of another session; load the page anew")


class ConsoleContext:
    def __init__(self, site: Site, sign_in_by: SignInMethods) -> None:
        """Open the console's database.

        Raises:
            Unavailable: The database cannot be opened.
        """
        engine = open_database(site.state)
        self.sign_in_by = sign_in_by
        self.site, self.accounts, self.sessions = site, Accounts(engine), Sessions(engine)
        self.rate_limits = RateLimits(REQUESTS_PER_MINUTE)
        self.sign_in_queue, self.known_browser_queue = SignInQueue(), SignInQueue()
        self.uses_tls, self.cookie_name = urlsplit(site.origin).scheme == "https", session_cookie_name(site.origin)
        self._templates = rendering.make_template_environment()

    def request_state(self) -> RequestState:
        return RequestState(self.site)

    def visitor(self, request: Request) -> Visitor:
        """Return the visitor who sent a request.

        Raises:
            NotSignedIn: The request belongs to no open session.
            Refused: The person is no longer allowed to read pages, for example because they hold no role now.
        """
        by_itself = "hx-request" in request.headers
        session = self.sessions.find_session(
            request.cookies.get(self.cookie_name, ""), datetime.now(UTC), counts_as_use=not by_itself
        )
        if session is None:
            raise NotSignedIn
        try:
            person = self.request_state().require_reader(session.person)
        except InputError as error:
            raise Refused(str(error)) from None
        return Visitor(person=person, session=session)

    def rate_limited_visitor(self, request: Request) -> Iterator[Visitor]:
        """Yield the visitor who sent a request while the request is processed.

        Raises:
            NotSignedIn: As in `visitor`.
            Refused: As in `visitor`.
            TooManyRequests: The visitor exceeds a request limit.
        """
        visitor = self.visitor(request)
        with self.rate_limits.count_request(visitor.person.id):
            yield visitor

    def render_page(
        self, template: str, request: Request, visitor: Visitor | None, status: int = 200, **more: Any
    ) -> Response:
        said = {
            "here": request.url.path,
            "again": path_and_query(request),
            "person": visitor.person if visitor else None,
            "form_token": visitor.session.form_token if visitor else "",
            "page": None,
            "also": {},
            "embedded": request.headers.get("hx-target", "main") != "main",
            "origin": self.site.origin,
            **more,
        }
        return HTMLResponse(self._templates.get_template(template).render(said), status)


def path_and_query(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def session_cookie_name(origin: str) -> str:
    """Return the name of the session cookie.

    Without TLS, the name includes the port, because a host can have more than one console and browsers send cookies to
    all ports of a host.
    """
    parts = urlsplit(origin)
    return "__Host-hallmark" if parts.scheme == "https" else f"hallmark_{parts.port}"
