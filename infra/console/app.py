"""Application of the console, with the routes in the tables of pages.py and actions.py."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from infra.console import disclosing, elsewhere, entrance, failures, routes
from infra.console.context import Context, cookie_of
from infra.console.failures import Spelled
from infra.console.guard import guard
from infra.console.oidc.settings import SignInBy
from infra.console.site import Site
from tasks.core.pages import STYLES

__all__ = ["application", "cookie_of"]
BY_PASSWORD = SignInBy()


def application(site: Site, sign_in_by: SignInBy = BY_PASSWORD) -> FastAPI:
    """Return the application for a checkout.

    Raises:
        Unavailable: The console's database cannot be opened.
    """
    context = Context(site, sign_in_by)
    app = FastAPI(
        title="Hallmark", docs_url=None, redoc_url=None, openapi_url="/openapi.json", default_response_class=Spelled
    )
    app.middleware("http")(guard(site.origin))
    app.mount("/style", StaticFiles(directory=STYLES), name="style")
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    routes.serve(app, context)
    disclosing.serve(app, context)
    entrance.serve(app, context)
    elsewhere.serve(app, context)
    failures.serve(app, context)

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Report that the console is up. Runs on the event loop, so it answers even if all threads are busy."""
        return {"hallmark": "up"}

    return app
