"""What every route works with: the checkout, who may open pages, and how a page is made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from infra.console import answers
from infra.console.accounts import Accounts
from infra.console.oidc.settings import SignInBy
from infra.console.rates import A_MINUTE, Queue, Rates
from infra.console.sessions import Session, Sessions
from infra.console.site import Here, Site
from infra.console.store import open_store
from tasks.core.errors import InputError, Refused
from tasks.policy.people import Person


class NotSignedIn(Exception):
    """Nobody is signed in, or time is over."""


class Visitor(BaseModel):
    """Who is signed in, and the token that their forms carry."""

    model_config = {"arbitrary_types_allowed": True}
    person: Person
    session: Session

    def require_own(self, token: str) -> None:
        """Raises Refused for a form that was given out to another session."""
        if not self.session.owns(token):
            raise Refused("this form is of another session; load the page anew")


class Context:
    def __init__(self, site: Site, sign_in_by: SignInBy) -> None:
        """Raises Unavailable where the console's database cannot be used."""
        engine = open_store(site.state)
        self.sign_in_by = sign_in_by
        self.site, self.accounts, self.sessions = site, Accounts(engine), Sessions(engine)
        self.rates = Rates(A_MINUTE)
        self.signing_in, self.signing_in_again = Queue(), Queue()
        self.secure, self.cookie = urlsplit(site.origin).scheme == "https", cookie_of(site.origin)
        self._templates = answers.environment()

    def here(self) -> Here:
        return Here(self.site)

    def visitor(self, request: Request) -> Visitor:
        """Who asks. Raises NotSignedIn, or Refused for who holds no role any more."""
        by_itself = "hx-request" in request.headers
        session = self.sessions.find(request.cookies.get(self.cookie, ""), datetime.now(UTC), uses=not by_itself)
        if session is None:
            raise NotSignedIn
        try:
            person = self.here().person(session.person)
        except InputError as error:
            raise Refused(str(error)) from None
        return Visitor(person=person, session=session)

    def visiting(self, request: Request) -> Iterator[Visitor]:
        """Who asks, as long as they are answered. Raises TooMany besides."""
        visitor = self.visitor(request)
        with self.rates.one(visitor.person.id):
            yield visitor

    def page(
        self, template: str, request: Request, visitor: Visitor | None, status: int = 200, **more: Any
    ) -> Response:
        """A template as an answer, with `more` for it besides what every page has."""
        said = {
            "here": request.url.path,
            "again": asked(request),
            "person": visitor.person if visitor else None,
            "form_token": visitor.session.form_token if visitor else "",
            "page": None,
            "also": {},
            "embedded": request.headers.get("hx-target", "main") != "main",
            "origin": self.site.origin,
            **more,
        }
        return HTMLResponse(self._templates.get_template(template).render(said), status)


def asked(request: Request) -> str:
    """Path and query, as the reader's address bar has them."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def cookie_of(origin: str) -> str:
    """The name of its cookie: a browser sends cookies to every port of a host, and several consoles may be on one."""
    parts = urlsplit(origin)
    return "__Host-hallmark" if parts.scheme == "https" else f"hallmark_{parts.port}"
